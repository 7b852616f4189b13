#include "samplers/pack/front_program.hpp"

#include <Clp_C_Interface.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace splitsim {

namespace {

constexpr double kInfinite = 1e30;  // as Clp has it
constexpr double kSlack = 1e-9;     // of a bound that may lie on the edge of what can be

using Term = std::pair<int, double>;  // column, coefficient

struct Rows {
  std::vector<int> first{0}, column;
  std::vector<double> value, lower, upper;

  void add(const std::vector<Term>& terms, double low, double high) {
    for (const auto& [at, x] : terms) {
      column.push_back(at);
      value.push_back(x);
    }
    first.push_back(static_cast<int>(column.size()));
    lower.push_back(low);
    upper.push_back(high);
  }
  int count() const { return static_cast<int>(lower.size()); }
};

}  // namespace

std::string front_solver_version() { return Clp_Version(); }

/// In shares of N, and times in shares of the slowest level's.
struct FrontProgram::Program {
  Program(const LevelStock& stock, const std::vector<double>& step_ns)
      : levels(stock.levels()), classes(stock.classes), model(Clp_newModel(), Clp_deleteModel) {
    const auto samples = static_cast<double>(stock.samples);
    std::vector<double> share;
    for (const std::int64_t total : stock.class_total) share.push_back(static_cast<double>(total) / samples);
    Rows rows;
    std::vector<Term> time, deviation;
    for (int j = 0; j < levels; ++j) {
      std::vector<Term> size{{size_at(j), -1.0}};
      for (int c = 0; c < classes; ++c) {
        std::vector<Term> above{{dealt_at(j, c), 1.0}, {size_at(j), -share[c]}, {above_at(j, c), -1.0}};
        size.emplace_back(dealt_at(j, c), 1.0);
        if (j > 0) {
          size.emplace_back(dealt_at(j - 1, c), -1.0);
          above.emplace_back(dealt_at(j - 1, c), -1.0);
          rows.add({{dealt_at(j, c), 1.0}, {dealt_at(j - 1, c), -1.0}}, 0.0, kInfinite);
        }
        rows.add(above, -kInfinite, 0.0);
        deviation.emplace_back(above_at(j, c), 2.0);
      }
      rows.add(size, 0.0, 0.0);
      time.emplace_back(size_at(j), step_ns[j] / step_ns.front());
    }
    time_row = rows.count();
    rows.add(time, -kInfinite, kInfinite);
    deviation_row = rows.count();
    rows.add(deviation, -kInfinite, kInfinite);

    Clp_setLogLevel(model.get(), 0);
    Clp_resize(model.get(), 0, size_at(levels));
    for (int j = 0; j < levels; ++j) {
      for (int c = 0; c < classes; ++c) {
        Clp_columnLower(model.get())[dealt_at(j, c)] = static_cast<double>(stock.held_to(j)[c]) / samples;
        Clp_columnUpper(model.get())[dealt_at(j, c)] = share[c];
      }
    }
    Clp_addRows(model.get(), rows.count(), rows.lower.data(), rows.upper.data(), rows.first.data(), rows.column.data(),
                rows.value.data());
    objectives[0].assign(static_cast<std::size_t>(size_at(levels)), 0.0);
    objectives[1] = objectives[0];
    for (const auto& [at, x] : deviation) objectives[0][at] = x;
    for (const auto& [at, x] : time) objectives[1][at] = x;
  }

  int dealt_at(int j, int c) const { return j * classes + c; }
  int above_at(int j, int c) const { return levels * classes + dealt_at(j, c); }
  int size_at(int j) const { return 2 * levels * classes + j; }

  /// The optimum of the one under a bound on the other.
  void solve(bool least_time, double bound) {
    Clp_rowUpper(model.get())[time_row] = least_time ? kInfinite : bound;
    Clp_rowUpper(model.get())[deviation_row] = least_time ? bound : kInfinite;
    Clp_chgObjCoefficients(model.get(), objectives[least_time ? 1 : 0].data());
    if (Clp_initialSolve(model.get()) != 0 || Clp_status(model.get()) != 0) {
      throw std::runtime_error(fmt::format("the front's linear program has no solution (status {}, bound {})",
                                           Clp_status(model.get()), bound));
    }
  }

  int levels, classes, time_row = 0, deviation_row = 0;
  std::unique_ptr<Clp_Simplex, void (*)(Clp_Simplex*)> model;
  std::vector<double> objectives[2];  // deviation, time
};

FrontProgram::FrontProgram(const LevelStock& stock, const std::vector<double>& step_ns)
    : stock_(&stock), step_ns_(step_ns), program_(std::make_unique<Program>(stock, step_ns)) {}

FrontProgram::~FrontProgram() = default;

FrontPoint FrontProgram::least_deviation(double step_ns) {
  program_->solve(false, step_ns / step_ns_.front() * (1.0 + kSlack));
  return solve();
}

FrontPoint FrontProgram::least_time(double deviation) {
  program_->solve(true, deviation + kSlack);
  return solve();
}

FrontPoint FrontProgram::solve() {
  const Program& program = *program_;
  const double* solution = Clp_primalColumnSolution(program.model.get());
  const auto samples = static_cast<double>(stock_->samples);
  FrontPoint point;
  double end = 0.0;
  for (int j = 0; j < program.levels; ++j) {
    double position = 0.0;
    for (int c = 0; c < program.classes; ++c) {
      // Within what the solver allows itself around its bounds.
      double dealt = std::clamp(solution[program.dealt_at(j, c)] * samples, static_cast<double>(stock_->held_to(j)[c]),
                                static_cast<double>(stock_->class_total[c]));
      if (j > 0) dealt = std::max(dealt, point.law.dealt[static_cast<std::size_t>(program.dealt_at(j - 1, c))]);
      point.law.dealt.push_back(dealt);
      point.deviation += 2.0 * std::max(0.0, solution[program.above_at(j, c)]);
      position += dealt;
    }
    point.law.position.push_back(position);
    point.step_ns += step_ns_[j] * (position - end) / samples;
    end = position;
  }
  return point;
}

}  // namespace splitsim

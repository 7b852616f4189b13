#include "runtime/study/front_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "samplers/pack/pack.hpp"

namespace splitsim {

namespace {

constexpr int kBoundPoints = 17;

// A client's least time in a step that it takes part in: its delay and one sample.
Profile least_times(const Profile& profile) {
  Profile least = profile;
  for (std::size_t k = 0; k < least.delay_ns.size(); ++k) {
    least.delay_ns[k] += profile.forward_ns[k] + profile.up_ns[k] + profile.down_ns[k] + profile.backward_ns[k];
  }
  return least;
}

// Levels whose clients count as fast as the fastest of each that has samples. False: some are slower than that.
bool lower_to_fastest(LevelStock& stock, const Population& population, const std::vector<std::int64_t>& delay_ns) {
  std::vector<std::int64_t> fastest = stock.delay_ns;
  for (std::int32_t k = 0; k < population.clients; ++k) {
    if (population.size(k) == 0) continue;
    std::int64_t& least = fastest[stock.level[k]];
    least = std::min(least, delay_ns[k]);
  }
  const bool same = fastest == stock.delay_ns;
  stock.delay_ns = fastest;
  return same;
}

std::string plane(const FrontReport& report) {
  constexpr int kWidth = 68, kHeight = 20;
  double right = 0.0, top = 0.0;
  for (const auto* list : {&report.bound, &report.samplers}) {
    for (const FrontMark& mark : *list) {
      right = std::max(right, mark.time_over_ugs);
      top = std::max(top, mark.deviation);
    }
  }
  right = std::max(right, 1e-9) * 1.02;
  top = std::max(top, 1e-9) * 1.02;
  std::vector<std::string> rows(kHeight, std::string(kWidth, ' '));
  const auto cell = [&](double x, double y) -> char& {
    const int column = std::clamp(static_cast<int>(x / right * kWidth), 0, kWidth - 1);
    const int row = std::clamp(static_cast<int>(y / top * kHeight), 0, kHeight - 1);
    return rows[static_cast<std::size_t>(kHeight - 1 - row)][static_cast<std::size_t>(column)];
  };
  for (std::size_t i = 0; i + 1 < report.bound.size(); ++i) {  // straight between points: the front is convex
    const FrontMark &a = report.bound[i], &b = report.bound[i + 1];
    for (int part = 0; part <= kWidth; ++part) {
      const double p = static_cast<double>(part) / kWidth;
      cell(a.time_over_ugs + p * (b.time_over_ugs - a.time_over_ugs), a.deviation + p * (b.deviation - a.deviation)) =
          '.';
    }
  }
  if (!report.bound.empty()) {
    const FrontMark& last = report.bound.back();
    for (int part = 0; part <= kWidth; ++part) {
      cell(last.time_over_ugs + (right - last.time_over_ugs) * part / kWidth, last.deviation) = '.';
    }
  }
  std::string text;
  for (std::size_t i = report.samplers.size(); i-- > 0;) {
    const FrontMark& mark = report.samplers[i];
    cell(mark.time_over_ugs, mark.deviation) = static_cast<char>(i < 26 ? 'a' + i : i < 52 ? 'A' + (i - 26) : '+');
  }
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const double edge = top * static_cast<double>(rows.size() - row) / static_cast<double>(rows.size());
    text += fmt::format("{:>7} |{}\n", row % 5 == 0 ? fmt::format("{:.3f}", edge) : "", rows[row]);
  }
  text += fmt::format("{:>7} +{}\n{:>7}  0{:>{}}\n", "0", std::string(kWidth, '-'), "", fmt::format("{:.3f}", right),
                      kWidth - 1);
  return text;
}

}  // namespace

FrontReport front_report(const Population& population, const Profile& profile, std::int64_t batch,
                         const std::vector<SamplerReport>& reports, std::size_t ugs) {
  const Profile least = least_times(profile);
  LevelStock stock = level_stock(population, least, 0);
  if (stock.levels() > kMaxFrontLevels) stock = level_stock(population, least, kMaxFrontLevels);
  FrontReport report;
  report.exact = lower_to_fastest(stock, population, least.delay_ns);
  report.levels = stock.levels();
  const double rest_ns = static_cast<double>(profile.server_fixed_ns) +
                         static_cast<double>(profile.server_per_sample_ns) * static_cast<double>(batch);
  const Front front(stock, rest_ns);
  const SamplerReport& base = reports[ugs];
  // Epochs of N samples have at least N / B steps.
  const double steps =
      static_cast<double>(base.epochs) * static_cast<double>(population.samples()) / static_cast<double>(batch);
  const double base_ns = base.virtual_time_s * 1e9;
  const auto over_ugs = [&](double step_ns) { return base_ns > 0.0 ? step_ns * steps / base_ns : 0.0; };
  for (int i = 0; i < kBoundPoints; ++i) {
    // Closer where the front is steep.
    const double part = static_cast<double>(i) / (kBoundPoints - 1);
    const double step_ns = front.fastest_ns() + part * part * (front.balanced_ns() - front.fastest_ns());
    const double deviation = front.least_deviation(step_ns).deviation;
    report.bound.push_back({"", over_ugs(step_ns), deviation, deviation});
  }
  for (const SamplerReport& one : reports) {
    const double step_ns = one.virtual_time_s * 1e9 / steps;
    report.samplers.push_back({one.name, base_ns > 0.0 ? one.virtual_time_s / base.virtual_time_s : 0.0,
                               one.deviation.mean, front.least_deviation(step_ns).deviation});
  }
  return report;
}

std::vector<double> pack_budgets(const Population& population, const Profile& profile, const SamplerSettings& settings,
                                 std::int32_t count) {
  const TimeRange range = pack_time_range(population, profile, settings);
  std::vector<double> budgets;
  for (std::int32_t i = 0; i < count; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(count);
    const double budget = range.fastest + part * (range.balanced - range.fastest);
    budgets.push_back(std::ceil(budget * 1e4) / 1e4);
  }
  return budgets;
}

std::string to_text(const FrontReport& report) {
  std::size_t width = 7;
  for (const FrontMark& mark : report.samplers) width = std::max(width, mark.name.size());
  std::string text = fmt::format(
      "Front of time against deviation: no schedule lies below the bound\n({} level{} of clients' least times{})\n\n",
      report.levels, report.levels == 1 ? "" : "s", report.exact ? "" : ", each as fast as its fastest client");
  text += fmt::format("   {:{}}  time/ugs  mean L1   bound  above\n", "sampler", width);
  for (std::size_t i = 0; i < report.samplers.size(); ++i) {
    const FrontMark& mark = report.samplers[i];
    text += fmt::format("{}  {:{}}  {:8.3f}  {:7.4f}  {:6.4f}  {:5.3f}\n",
                        static_cast<char>(i < 26   ? 'a' + i
                                          : i < 52 ? 'A' + (i - 26)
                                                   : '+'),
                        mark.name, width, mark.time_over_ugs, mark.deviation, mark.bound, mark.deviation - mark.bound);
  }
  for (std::size_t i = 0; i < report.bound.size(); i += 2) {
    const FrontMark& mark = report.bound[i];
    text += fmt::format(".  {:{}}  {:8.3f}  {:7.4f}\n", "bound", width, mark.time_over_ugs, mark.deviation);
  }
  return text + "\nmean L1 (up) over time/ugs (right); dots: the bound\n" + plane(report);
}

std::string to_csv(const FrontReport& report) {
  std::string text = "name,time_over_ugs,deviation,bound\n";
  for (const FrontMark& mark : report.bound) {
    text += fmt::format("bound,{},{},{}\n", mark.time_over_ugs, mark.deviation, mark.bound);
  }
  for (const FrontMark& mark : report.samplers) {
    const bool quoted = mark.name.find_first_of(",\"\n") != std::string::npos;
    text += fmt::format("{},{},{},{}\n", quoted ? '"' + mark.name + '"' : mark.name, mark.time_over_ugs, mark.deviation,
                        mark.bound);
  }
  return text;
}

}  // namespace splitsim

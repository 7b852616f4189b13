// The front of time against deviation as a linear program over F_jc (dealing_law.hpp), J C of them whatever N and K are:
//   m_j = sum_c (F_jc - F_(j-1)c),  u_jc >= F_jc - F_(j-1)c - p_c m_j,  u >= 0,  S_jc <= F_jc <= N_c, F rising in j
//   mean time of a step = sum_j v_j m_j / N,  mean L1 deviation >= 2 sum_jc u_jc / N
// (a step's deviations sum to 0 over the classes, so that those above zero are half of it). The bound is of any schedule:
// by the triangle inequality the steps of a level deviate together at most as much as each for itself. Solved by Clp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "samplers/pack/dealing_law.hpp"
#include "samplers/pack/level_stock.hpp"

namespace splitsim {

/// More would make the program slow; 64 take some tenths of a second, 8 a millisecond.
constexpr std::int32_t kMaxFrontLevels = 64;

/// Clp's version.
std::string front_solver_version();

struct FrontPoint {
  double step_ns = 0.0;    ///< mean time of a step
  double deviation = 0.0;  ///< mean L1 of batches, without what whole samples add
  RealLaw law;
};

class FrontProgram {
 public:
  /// step_ns: [J] v_j, descending.
  FrontProgram(const LevelStock& stock, const std::vector<double>& step_ns);
  ~FrontProgram();

  /// step_ns: at least that of F = S (a little more is allowed for). Errors: std::runtime_error if there is no solution.
  FrontPoint least_deviation(double step_ns);
  FrontPoint least_time(double deviation);

 private:
  struct Program;
  FrontPoint solve();

  const LevelStock* stock_;
  std::vector<double> step_ns_;
  std::unique_ptr<Program> program_;
};

}  // namespace splitsim

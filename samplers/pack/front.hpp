// Points of the front of time against deviation, and what ugs has of both.
#pragma once

#include <memory>
#include <vector>

#include "samplers/pack/front_program.hpp"

namespace splitsim {

/// Every point that a schedule can have lies on the front or above it. Two levels are water-filling: of the first P
/// positions every class gets max(S_0c, theta p_c), at most N_c, with the theta that fills them, so the deviation is
/// 4 sum_c (S_0c - p_c P)^+ / N. More levels are a linear program. `stock` must outlive it and have at most
/// kMaxFrontLevels levels.
class Front {
 public:
  /// rest_ns: what every step takes beside the slowest client's delay.
  Front(const LevelStock& stock, double rest_ns);
  ~Front();

  double fastest_ns() const { return fastest_ns_; }    ///< mean time of a step at F = S
  double balanced_ns() const { return balanced_ns_; }  ///< and of the fastest law without deviation
  /// The smallest deviation at this mean time of a step, which is clamped to what there is.
  FrontPoint least_deviation(double step_ns) const;
  /// The smallest time at this deviation.
  FrontPoint least_time(double deviation) const;

 private:
  FrontPoint water_filled(double position) const;
  FrontPoint at_fastest() const;

  const LevelStock* stock_;
  std::vector<double> step_ns_;  // [J]
  double fastest_ns_ = 0.0, balanced_ns_ = 0.0, balanced_position_ = 0.0;
  std::unique_ptr<FrontProgram> program_;  // of more than two levels, made when asked for
};

}  // namespace splitsim

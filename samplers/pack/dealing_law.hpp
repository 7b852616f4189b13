// The law by which pack deals an epoch. Order its steps by their slowest client, slow ones first. F_jc are the samples of
// class c in the steps whose slowest client is of level j or slower, M_j their steps. Every schedule has F_jc >= S_jc
// (LevelStock), and time sum_j v_j (M_j - M_(j-1)), v_j the time of a step that waits for level j. And whatever has
// F_jc >= S_jc is reached: within the steps of a level deal each class at a constant rate, slowest owners first.
//   - balanced: F_jc = p_c M_j with the least M_j that holds all S_jc. No class deviates but by rounding, and no schedule
//     of which that is true is faster, whatever the delays are.
//   - any other F trades deviation for time: front.hpp.
// Ours. Determinism: exact, given the real law.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/keyed/keyed.hpp"
#include "samplers/pack/level_stock.hpp"

namespace splitsim {

/// A law in real numbers: by position M_j in the epoch's samples (0 to N, rising) the F_jc dealt by then. Linear between.
struct RealLaw {
  std::vector<double> position;  ///< [J]; the last is N
  std::vector<double> dealt;     ///< [J, C]; the last are N_c
};

/// Whole samples in whole steps: sample r (from 0) of class c is due in block b where dealt[b-1][c] <= r < dealt[b][c].
struct DealingLaw {
  std::int32_t classes = 0;
  std::vector<std::int64_t> position;   ///< [blocks] where a block ends: first samples of steps, N at last
  std::vector<std::int64_t> dealt;      ///< [blocks, C] each row sums to its position; N_c at last
  std::vector<std::int64_t> level_end;  ///< [J] T_j: every sample of level j or slower is in a step before it

  std::int64_t blocks() const { return static_cast<std::int64_t>(position.size()); }
};

/// The least t with chunks.first(t) >= position.
std::int64_t step_at(const Chunks& chunks, std::int64_t position);

/// F_jc = p_c M_j: the fastest law without deviation.
DealingLaw balanced_law(const LevelStock& stock, const Chunks& chunks);

/// `law` in whole samples: T_j is the first step that begins at or behind M_j (a later one where rounding wants it), and
/// what is dealt by then is the law there, rounded up or down.
DealingLaw rounded_law(const RealLaw& law, const LevelStock& stock, const Chunks& chunks);

/// Mean time of a step: sum_j v_j (T_j - T_(j-1)) / T with v_j = delay_j + rest_ns.
double law_step_ns(const DealingLaw& law, const LevelStock& stock, double rest_ns);
/// sum_bc |dF_bc - p_c sum_c dF_bc| / N: the mean L1 deviation of batches that follow the law exactly.
double law_deviation(const DealingLaw& law, const LevelStock& stock);

/// Of a step of `chunks` in which every class has p_c B rounded at random to a neighbour: mean of
/// sum_c 2 f_c (1 - f_c) / B, f_c the fraction of p_c B. What whole samples add to a law's deviation.
double rounding_deviation(const std::vector<std::int64_t>& class_total, const Chunks& chunks);

}  // namespace splitsim

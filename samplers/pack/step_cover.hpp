// Which steps slow clients' samples go to, where the steps' class counts are given: as few as can be found that hold what
// each level has of every class, levels slowest first. A step is worth what it has of the classes that are still needed,
// those that need most steps weighing most; steps are picked in handfuls, best first, and weights made anew after each.
// A heuristic (choosing the fewest is a covering problem). Ours. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/pack/level_stock.hpp"

namespace splitsim {

/// All steps in the order in which they are to be dealt to. counts: [T, C]. Those that no level but the last needs follow
/// by number. O(J T C) with a factor of some tens.
std::vector<std::int32_t> covering_order(const std::vector<std::int32_t>& counts, const LevelStock& stock);

}  // namespace splitsim

// Class targets without deviation but rounding, for dealers that supply class counts: every step has floor(p_c B) or
// ceil(p_c B) samples of class c. Ours. Determinism: exact.
#pragma once

#include <cstdint>
#include <vector>

#include "samplers/keyed/keyed.hpp"

namespace splitsim {

/// [T, C]: rows sum to the steps' sizes, columns to class_total; every entry is p_c times its row's size, rounded up or
/// down. Such tables exist: steps of one size share a class's samples of theirs (rounded) evenly, and what is left over is
/// dealt around class by class, one each, which fills the steps evenly and gives none two of a class. Which step has which
/// row of its size is drawn per epoch.
std::vector<std::int32_t> stratified_counts(const std::vector<std::int64_t>& class_total, const Chunks& chunks,
                                            std::uint64_t seed, std::uint32_t epoch);

/// `order` (all samples in ugs order), dealt anew to steps by these counts: each class keeps its order, and so do the
/// samples of a step.
std::vector<std::int32_t> stratified_order(const std::vector<std::int32_t>& order,
                                           const std::vector<std::int32_t>& label,
                                           const std::vector<std::int64_t>& class_total, const Chunks& chunks,
                                           std::uint64_t seed, std::uint32_t epoch);

}  // namespace splitsim

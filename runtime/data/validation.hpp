// A part of the training set that is held out: tested like the test set, never trained on. Determinism: exact.
#pragma once

#include <cstdint>

#include "runtime/data/dataset.hpp"

namespace splitsim {

/// Moves `share` of each class's training images, rounded to whole ones and chosen by the seed, to the validation set;
/// both parts keep their order. 0: changes nothing. Errors: InputError unless 0 <= share < 1, or if one of the parts
/// would be empty.
void split_validation(Dataset& set, double share, std::uint64_t seed);

}  // namespace splitsim

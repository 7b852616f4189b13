// What is wrong with clients' own data: labels that are not true, and pictures that every client takes in its own way.
// On the training part alone; tests and validation stay clean. Determinism: exact.
//
//   labels    rne(share n_k) samples of client k, drawn without replacement, get another class, each other one alike
//   features  x' = rne(a_k x + 255 b_k + 255 sigma e) clipped to 0..255: a_k = exp(contrast_sd z),
//             b_k = brightness_sd z', e anew for every pixel; z, z', e standard normal
//   floats    x' = a_k x + b_k + sigma e, in units of a channel's standard deviation, without rounding or clipping
//   rotation  images of client k are turned by one of 2 or 4 equally likely multiples of 180 or 90 degrees, before that
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "samplers/population/partition.hpp"

namespace splitsim {

/// Changes train_labels and, unless there are none, train_features. owner: [N] client of every training sample.
/// Errors: InputError for what samples of this kind cannot have.
void add_noise(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
               std::uint64_t seed);

}  // namespace splitsim

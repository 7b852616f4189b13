// What is wrong with clients' own data: labels that are not true, and pictures that every client takes in its own way.
// On the training part alone; tests and validation stay clean. Determinism: exact.
//
//   labels    rne(share n_k) samples of client k, drawn without replacement, get another class, each other one alike
//   features  x' = rne(a_k x + 255 b_k + 255 sigma e) clipped to 0..255: a_k = exp(contrast_sd z),
//             b_k = brightness_sd z', e anew for every pixel; z, z', e standard normal
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "samplers/population/partition.hpp"

namespace splitsim {

/// Changes train_labels and, unless there are none, train_images. owner: [N] client of every training sample.
void add_noise(Dataset& dataset, const std::vector<std::int32_t>& owner, const PartitionSettings& settings,
               std::uint64_t seed);

}  // namespace splitsim

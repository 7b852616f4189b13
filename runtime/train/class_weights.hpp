// Weights of classes by how many samples they have.
#pragma once

#include <cstdint>
#include <vector>

namespace splitsim {

/// Class-balanced weights (arXiv 1901.05555): (1 - b) / (1 - b^n_c) for n_c samples of class c, 1 / n_c at b = 1, times
/// what makes their mean over the classes that occur 1; 0 for a class without samples. counts: [classes] n_c >= 0;
/// balance: b in [0, 1]. In double, rounded once. Determinism: that of the host's expm1 and log.
std::vector<float> class_balanced_weights(const std::vector<std::int64_t>& counts, double balance);

}  // namespace splitsim

#include "runtime/data/validation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

namespace {

// Whether each training sample is held out.
std::vector<bool> chosen(const Dataset& set, double share, std::uint64_t seed) {
  std::vector<std::vector<std::pair<std::uint64_t, std::size_t>>> classes(static_cast<std::size_t>(set.classes));
  for (std::size_t i = 0; i < set.train_labels.size(); ++i) {
    const std::uint64_t key = random_u64(seed, {Purpose::kValidation, static_cast<std::uint32_t>(i)});
    classes[static_cast<std::size_t>(set.train_labels[i])].emplace_back(key, i);
  }
  std::vector<bool> held(set.train_labels.size());
  for (auto& members : classes) {
    std::sort(members.begin(), members.end());
    const double wanted = std::nearbyint(share * static_cast<double>(members.size()));
    for (std::size_t i = 0; i < static_cast<std::size_t>(wanted); ++i) held[members[i].second] = true;
  }
  return held;
}

}  // namespace

void split_validation(Dataset& set, double share, std::uint64_t seed) {
  if (!(share >= 0.0 && share < 1.0)) throw InputError(fmt::format("data.validation = {}: allowed: [0, 1)", share));
  if (share == 0.0) return;
  const std::vector<bool> held = chosen(set, share, seed);
  const auto taken = std::count(held.begin(), held.end(), true);
  if (taken == 0 || taken == set.train_size()) {
    throw InputError(fmt::format("data.validation = {}: holds out {} of the {} training samples of {}; allowed: a share "
                                 "that leaves both parts some",
                                 share, taken, set.train_size(), set.name));
  }
  const auto size = static_cast<std::size_t>(set.sample_bytes());
  set.validation_features.reserve(static_cast<std::size_t>(taken) * size);
  std::size_t kept = 0;
  for (std::size_t i = 0; i < held.size(); ++i) {
    const auto sample = set.train_features.begin() + static_cast<std::ptrdiff_t>(i * size);
    if (held[i]) {
      set.validation_features.insert(set.validation_features.end(), sample, sample + static_cast<std::ptrdiff_t>(size));
      set.validation_labels.push_back(set.train_labels[i]);
    } else {
      std::copy(sample, sample + static_cast<std::ptrdiff_t>(size),
                set.train_features.begin() + static_cast<std::ptrdiff_t>(kept * size));
      if (!set.train_clients.empty()) set.train_clients[kept] = set.train_clients[i];
      set.train_labels[kept++] = set.train_labels[i];
    }
  }
  set.train_features.resize(kept * size);
  set.train_labels.resize(kept);
  if (!set.train_clients.empty()) set.train_clients.resize(kept);
}

}  // namespace splitsim

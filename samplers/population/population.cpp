#include "samplers/population/population.hpp"

#include <fmt/format.h>

#include <limits>
#include <numeric>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"

namespace splitsim {

std::string Population::sha256() const {
  Sha256 hash;
  hash.add(&clients, sizeof clients);
  hash.add(&classes, sizeof classes);
  hash.add(owner);
  hash.add(label);
  return hash.hex();
}

std::vector<std::int64_t> Population::sizes() const {
  std::vector<std::int64_t> sizes;
  for (std::int32_t k = 0; k < clients; ++k) sizes.push_back(size(k));
  return sizes;
}

std::vector<double> shares_of(const std::vector<std::int64_t>& sizes) {
  std::int64_t total = 0;
  for (const std::int64_t size : sizes) total += size;
  std::vector<double> shares;
  for (const std::int64_t size : sizes) shares.push_back(static_cast<double>(size) / static_cast<double>(total));
  return shares;
}

Population make_population(std::vector<std::int32_t> owner, std::vector<std::int32_t> label, std::int32_t clients,
                           std::int32_t classes) {
  if (owner.size() != label.size()) {
    throw InputError(
        fmt::format("population: {} owners for {} labels; one owner per sample is needed", owner.size(), label.size()));
  }
  if (owner.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw InputError(fmt::format("population: {} samples; at most 2147483647 are possible", owner.size()));
  }
  if (clients < 1 || classes < 1) {
    throw InputError(
        fmt::format("population: {} clients and {} classes; at least one of each is needed", clients, classes));
  }
  Population population;
  population.clients = clients;
  population.classes = classes;
  population.histogram.assign(static_cast<std::size_t>(clients) * classes, 0);
  population.class_total.assign(classes, 0);
  population.client_first.assign(static_cast<std::size_t>(clients) + 1, 0);
  for (std::size_t i = 0; i < owner.size(); ++i) {
    const std::int32_t k = owner[i];
    const std::int32_t c = label[i];
    if (k < 0 || k >= clients) {
      throw InputError(fmt::format("population: sample {} has owner {}; allowed is 0 to {}", i, k, clients - 1));
    }
    if (c < 0 || c >= classes) {
      throw InputError(fmt::format("population: sample {} has label {}; allowed is 0 to {}", i, c, classes - 1));
    }
    ++population.histogram[static_cast<std::size_t>(k) * classes + c];
    ++population.class_total[c];
    ++population.client_first[k + 1];
  }
  std::partial_sum(population.client_first.begin(), population.client_first.end(), population.client_first.begin());
  std::vector<std::int64_t> next(population.client_first.begin(), population.client_first.end() - 1);
  population.by_client.resize(owner.size());
  for (std::size_t i = 0; i < owner.size(); ++i) population.by_client[next[owner[i]]++] = static_cast<std::int32_t>(i);
  population.owner = std::move(owner);
  population.label = std::move(label);
  return population;
}

}  // namespace splitsim

// Which sample belongs to which client: the value that partitions produce and samplers consume.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/view.hpp"

namespace splitsim {

/// N samples, K clients, C classes. Host value; immutable after make_population().
struct Population {
  std::int32_t clients = 0;                ///< K
  std::int32_t classes = 0;                ///< C
  std::vector<std::int32_t> owner;         ///< [N] sample -> client
  std::vector<std::int32_t> label;         ///< [N] sample -> class
  std::vector<std::int32_t> by_client;     ///< [N] samples grouped by client, ascending ids within a client
  std::vector<std::int64_t> client_first;  ///< [K+1] client k holds by_client[client_first[k], client_first[k+1])
  std::vector<std::int32_t> histogram;     ///< [K, C] samples of class c at client k
  std::vector<std::int64_t> class_total;   ///< [C]

  std::int64_t samples() const { return static_cast<std::int64_t>(owner.size()); }           ///< N
  std::int64_t size(std::int32_t k) const { return client_first[k + 1] - client_first[k]; }  ///< n_k
  std::vector<std::int64_t> sizes() const;                                                   ///< [K] n_k
  /// SHA-256 over (K, C, owner, label).
  std::string sha256() const;
};

/// Each client's part of all samples: sizes over their sum.
std::vector<double> shares_of(const std::vector<std::int64_t>& sizes);

/// Checks and groups. Errors: InputError if the lengths differ, an owner is outside [0, clients) or a label is outside
/// [0, classes), naming the sample. Clients without samples are fine.
Population make_population(std::vector<std::int32_t> owner, std::vector<std::int32_t> label, std::int32_t clients,
                           std::int32_t classes);

/// The device copy that samplers and the clock read.
template <class Context>
struct DevicePopulation {
  DevicePopulation(Context& ctx, const Population& population)
      : clients(population.clients),
        classes(population.classes),
        samples(population.samples()),
        owner(ctx, population.owner),
        label(ctx, population.label),
        by_client(ctx, population.by_client),
        client_first(ctx, population.client_first),
        class_total(ctx, population.class_total) {}

  std::int32_t clients;
  std::int32_t classes;
  std::int64_t samples;
  Buffer<std::int32_t, Context> owner;         // [N]
  Buffer<std::int32_t, Context> label;         // [N]
  Buffer<std::int32_t, Context> by_client;     // [N]
  Buffer<std::int64_t, Context> client_first;  // [K+1]
  Buffer<std::int64_t, Context> class_total;   // [C]
};

}  // namespace splitsim

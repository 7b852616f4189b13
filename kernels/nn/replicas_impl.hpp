// Bodies of kernels/nn/replicas.hpp.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/replicas.hpp"

namespace splitsim {

namespace {

struct Broadcast {
  const float* one;
  std::int64_t size;
  float* out;
  PSL_HD void operator()(std::int64_t i) const { out[i] = one[i % size]; }
};

// Neighbouring indices share a thread and the cache lines of all replicas.
struct Average {
  const float* parameters;
  const double* weight;
  std::int64_t replicas, size;
  float* average;
  PSL_HD void operator()(std::int64_t p) const {
    double sum = 0.0;
    PSL_UNROLL_READS
    for (std::int64_t g = 0; g < replicas; ++g) {
      if (weight[g] != 0.0) sum += weight[g] * static_cast<double>(parameters[g * size + p]);
    }
    average[p] = static_cast<float>(sum);
  }
};

struct NoteSamples {
  const std::int32_t* replica;
  const std::int32_t* first;
  std::int64_t* seen;
  PSL_HD void operator()(std::int64_t rank) const { seen[replica[rank]] += first[rank + 1] - first[rank]; }
};

struct RoundWeights {
  const std::int32_t* round_end;
  AverageWeights kind;
  const std::int64_t* held;
  std::int64_t clients;
  std::int64_t* seen;
  double* weight;
  std::int32_t* average_now;

  struct Raw {
    AverageWeights kind;
    const std::int64_t* held;
    const std::int64_t* seen;
    PSL_HD double operator()(std::int64_t k) const {
      if (seen[k] == 0) return 0.0;
      if (kind == AverageWeights::kUniform) return 1.0;
      return static_cast<double>(kind == AverageWeights::kSamples ? held[k] : seen[k]);
    }
  };
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    if (*round_end == 0) {
      if (team.rank() == 0) *average_now = 0;
      return;
    }
    const Raw raw{kind, held, seen};
    const double total = team.reduce(clients, 0.0, raw, Plus{});
    for (std::int64_t k = team.rank(); k < clients; k += team.size()) {
      weight[k] = total > 0.0 ? raw(k) / total : 0.0;
      seen[k] = 0;
    }
    if (team.rank() == 0) *average_now = total > 0.0 ? 1 : 0;
  }
};

struct DriftPartials {
  std::int64_t chunk_size;
  const float* parameters;
  const double* weight;
  std::int64_t replicas, size, trained;
  const float* average;
  double* partials;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t chunk) const {
    const std::int64_t begin = chunk * chunk_size;
    const std::int64_t n = begin + chunk_size < trained ? chunk_size : trained - begin;
    const float* from = parameters + begin;
    const float* center = average + begin;
    const double* w = weight;
    const std::int64_t g_max = replicas, stride = size;
    const auto spread = [=](std::int64_t i) {
      double sum = 0.0;
      PSL_UNROLL_READS
      for (std::int64_t g = 0; g < g_max; ++g) {
        const double d = static_cast<double>(from[g * stride + i]) - static_cast<double>(center[i]);
        sum += w[g] * d * d;
      }
      return sum;
    };
    const double total = team.reduce(n, 0.0, spread, Plus{});
    if (team.rank() == 0) partials[chunk] = total;
  }
};
struct Drift {
  const double* partials;
  std::int64_t chunks;
  double* drift;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const double* values = partials;
    const double total = team.reduce(
        chunks, 0.0, [=](std::int64_t i) { return values[i]; }, Plus{});
    if (team.rank() == 0) drift[0] = std::sqrt(total);
  }
};

struct SumGradients {
  const std::int32_t* ranks;
  std::int64_t parameters;
  float* gradients;
  PSL_HD void operator()(std::int64_t p) const {
    float sum = gradients[p];
    PSL_UNROLL_READS
    for (std::int64_t r = 1; r < *ranks; ++r) sum += gradients[r * parameters + p];
    gradients[p] = sum;
  }
};

}  // namespace

template <class Context>
void broadcast_replicas(Context& ctx, View<const float> one, std::int64_t replicas, View<float> parameters) {
  for_each_index(ctx, one.size() * replicas, Broadcast{one.data(), one.size(), parameters.data()});
}

template <class Context>
void average_replicas(Context& ctx, View<const float> parameters, View<const double> weight, View<float> average) {
  for_each_index(ctx, average.size(),
                 Average{parameters.data(), weight.data(), weight.size(), average.size(), average.data()});
}

template <class Context>
void note_samples(Context& ctx, const ReplicaMap& map, View<std::int64_t> seen) {
  for_each_index(ctx, Extent{map.max_active, map.active, 1}, NoteSamples{map.replica, map.first, seen.data()});
}

template <class Context>
void round_weights(Context& ctx, const std::int32_t* round_end, AverageWeights kind, View<const std::int64_t> held,
                   View<std::int64_t> seen, View<double> weight, View<std::int32_t> average_now) {
  for_each_block(
      ctx, 1, RoundWeights{round_end, kind, held.data(), held.size(), seen.data(), weight.data(), average_now.data()});
}

template <class Context>
void average_if(Context& ctx, const std::int32_t* flag, View<const float> parameters, View<const double> weight,
                View<float> average) {
  for_each_index(ctx, Extent{1, flag, average.size()},
                 Average{parameters.data(), weight.data(), weight.size(), average.size(), average.data()});
}

template <class Context>
void broadcast_if(Context& ctx, const std::int32_t* flag, View<const float> one, std::int64_t replicas,
                  View<float> parameters) {
  for_each_index(ctx, Extent{1, flag, one.size() * replicas}, Broadcast{one.data(), one.size(), parameters.data()});
}

template <class Context>
void drift_if(Context& ctx, const std::int32_t* flag, View<const float> parameters, View<const double> weight,
              View<const float> average, std::int64_t trained, View<double> partials, View<double> drift) {
  const std::int64_t chunks = drift_workspace<Context>(trained);
  for_each_block(ctx, Extent{1, flag, chunks},
                 DriftPartials{drift_chunk<Context>(), parameters.data(), weight.data(), weight.size(), average.size(),
                               trained, average.data(), partials.data()});
  for_each_block(ctx, Extent{1, flag, 1}, Drift{partials.data(), chunks, drift.data()});
}

template <class Context>
void sum_gradients(Context& ctx, const std::int32_t* ranks, std::int64_t parameters, View<float> gradients) {
  for_each_index(ctx, parameters, SumGradients{ranks, parameters, gradients.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                             \
  template void broadcast_replicas(C&, View<const float>, std::int64_t, View<float>);                                \
  template void average_replicas(C&, View<const float>, View<const double>, View<float>);                            \
  template void note_samples(C&, const ReplicaMap&, View<std::int64_t>);                                             \
  template void round_weights(C&, const std::int32_t*, AverageWeights, View<const std::int64_t>, View<std::int64_t>, \
                              View<double>, View<std::int32_t>);                                                     \
  template void average_if(C&, const std::int32_t*, View<const float>, View<const double>, View<float>);             \
  template void broadcast_if(C&, const std::int32_t*, View<const float>, std::int64_t, View<float>);                 \
  template void drift_if(C&, const std::int32_t*, View<const float>, View<const double>, View<const float>,          \
                         std::int64_t, View<double>, View<double>);                                                  \
  template void sum_gradients(C&, const std::int32_t*, std::int64_t, View<float>);

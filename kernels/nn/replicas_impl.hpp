// Bodies of kernels/nn/replicas.hpp.
#pragma once

#include <cmath>

#include "kernels/device/team.hpp"
#include "kernels/nn/replicas.hpp"

namespace splitsim {

namespace {

/// Whether an experiment is due. of null: always.
PSL_HD inline bool is_due(const std::int32_t* of, std::int64_t experiment) {
  return of == nullptr || of[experiment] != 0;
}

struct Broadcast {
  const std::int32_t* due;
  const float* one;
  std::int64_t replicas, size;
  float* out;
  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t replica = i / size, experiment = replica / replicas;
    if (is_due(due, experiment)) out[i] = one[experiment * size + (i - replica * size)];
  }
};

// Neighbouring indices share a thread and the cache lines of all replicas.
struct Average {
  const std::int32_t* due;
  const float* parameters;
  const double* weight;
  std::int64_t replicas, size;
  float* average;
  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t experiment = i / size;
    if (!is_due(due, experiment)) return;
    const double* w = weight + experiment * replicas;
    const float* values = parameters + experiment * replicas * size + (i - experiment * size);
    double sum = 0.0;
    PSL_UNROLL_READS
    for (std::int64_t g = 0; g < replicas; ++g) {
      if (w[g] != 0.0) sum += w[g] * static_cast<double>(values[g * size]);
    }
    average[i] = static_cast<float>(sum);
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
  PSL_HD void operator()(Team& team, std::int64_t experiment) const {
    if (round_end[experiment] == 0) {
      if (team.rank() == 0) average_now[experiment] = 0;
      return;
    }
    const std::int64_t first = experiment * clients;
    const Raw raw{kind, held + first, seen + first};
    const double total = team.reduce(clients, 0.0, raw, Plus{});
    for (std::int64_t k = team.rank(); k < clients; k += team.size()) {
      weight[first + k] = total > 0.0 ? raw(k) / total : 0.0;
      seen[first + k] = 0;
    }
    if (team.rank() == 0) average_now[experiment] = total > 0.0 ? 1 : 0;
  }
};

struct DriftPartials {
  const std::int32_t* due;
  std::int64_t chunk_size, chunks;
  const float* parameters;
  const double* weight;
  std::int64_t replicas, size, trained;
  const float* average;
  double* partials;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t experiment = block / chunks, begin = (block - experiment * chunks) * chunk_size;
    if (!is_due(due, experiment)) return;
    const std::int64_t n = begin + chunk_size < trained ? chunk_size : trained - begin;
    const float* from = parameters + experiment * replicas * size + begin;
    const float* center = average + experiment * size + begin;
    const double* w = weight + experiment * replicas;
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
    if (team.rank() == 0) partials[block] = total;
  }
};
struct Drift {
  const std::int32_t* due;
  const double* partials;
  std::int64_t chunks;
  double* drift;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t experiment) const {
    if (!is_due(due, experiment)) return;
    const double* values = partials + experiment * chunks;
    const double total = team.reduce(
        chunks, 0.0, [=](std::int64_t i) { return values[i]; }, Plus{});
    if (team.rank() == 0) drift[experiment] = std::sqrt(total);
  }
};

struct SumGradients {
  Spans spans;
  std::int64_t parameters;
  float* gradients;
  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t experiment = i / parameters;
    const std::int64_t ranks = spans.ranks[experiment];
    if (ranks == 0) return;
    float* values = gradients + spans.first_rank[experiment] * parameters + (i - experiment * parameters);
    float sum = values[0];
    PSL_UNROLL_READS
    for (std::int64_t r = 1; r < ranks; ++r) sum += values[r * parameters];
    values[0] = sum;
  }
};

}  // namespace

template <class Context>
void broadcast_replicas(Context& ctx, View<const float> one, std::int64_t replicas, View<float> parameters) {
  for_each_index(ctx, one.size() * replicas, Broadcast{nullptr, one.data(), replicas, one.size(), parameters.data()});
}

template <class Context>
void average_replicas(Context& ctx, View<const float> parameters, View<const double> weight, View<float> average) {
  for_each_index(ctx, average.size(),
                 Average{nullptr, parameters.data(), weight.data(), weight.size(), average.size(), average.data()});
}

template <class Context>
void note_samples(Context& ctx, const ReplicaMap& map, View<std::int64_t> seen) {
  for_each_index(ctx, Extent{map.max_active, map.active, 1}, NoteSamples{map.replica, map.first, seen.data()});
}

template <class Context>
void round_weights(Context& ctx, const Due& round_end, AverageWeights kind, View<const std::int64_t> held,
                   View<std::int64_t> seen, View<double> weight, View<std::int32_t> average_now) {
  for_each_block(ctx, round_end.experiments,
                 RoundWeights{round_end.of, kind, held.data(), held.size() / round_end.experiments, seen.data(),
                              weight.data(), average_now.data()});
}

template <class Context>
void average_if(Context& ctx, const Due& due, View<const float> parameters, View<const double> weight,
                View<float> average) {
  for_each_index(ctx, Extent{1, due.any, average.size()},
                 Average{due.of, parameters.data(), weight.data(), weight.size() / due.experiments,
                         average.size() / due.experiments, average.data()});
}

template <class Context>
void broadcast_if(Context& ctx, const Due& due, View<const float> one, std::int64_t replicas, View<float> parameters) {
  for_each_index(ctx, Extent{1, due.any, one.size() * replicas},
                 Broadcast{due.of, one.data(), replicas, one.size() / due.experiments, parameters.data()});
}

template <class Context>
void drift_if(Context& ctx, const Due& due, View<const float> parameters, View<const double> weight,
              View<const float> average, std::int64_t trained, View<double> partials, View<double> drift) {
  const std::int64_t chunks = drift_workspace<Context>(trained);
  for_each_block(ctx, Extent{1, due.any, due.experiments * chunks},
                 DriftPartials{due.of, drift_chunk<Context>(), chunks, parameters.data(), weight.data(),
                               weight.size() / due.experiments, average.size() / due.experiments, trained,
                               average.data(), partials.data()});
  for_each_block(ctx, Extent{1, due.any, due.experiments}, Drift{due.of, partials.data(), chunks, drift.data()});
}

template <class Context>
void sum_gradients(Context& ctx, const Spans& spans, std::int64_t parameters, View<float> gradients) {
  for_each_index(ctx, spans.experiments * parameters, SumGradients{spans, parameters, gradients.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                         \
  template void broadcast_replicas(C&, View<const float>, std::int64_t, View<float>);                            \
  template void average_replicas(C&, View<const float>, View<const double>, View<float>);                        \
  template void note_samples(C&, const ReplicaMap&, View<std::int64_t>);                                         \
  template void round_weights(C&, const Due&, AverageWeights, View<const std::int64_t>, View<std::int64_t>,      \
                              View<double>, View<std::int32_t>);                                                 \
  template void average_if(C&, const Due&, View<const float>, View<const double>, View<float>);                  \
  template void broadcast_if(C&, const Due&, View<const float>, std::int64_t, View<float>);                      \
  template void drift_if(C&, const Due&, View<const float>, View<const double>, View<const float>, std::int64_t, \
                         View<double>, View<double>);                                                            \
  template void sum_gradients(C&, const Spans&, std::int64_t, View<float>);

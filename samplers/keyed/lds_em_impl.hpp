#pragma once

#include <algorithm>

#include "kernels/device/profile_range.hpp"
#include "samplers/keyed/client_tiles.hpp"
#include "samplers/keyed/lds_em.hpp"

namespace splitsim {

namespace detail {

using EmTiles = ClientTiles<512>;           // whose terms one team adds up
constexpr std::int32_t kEmStride = 8;       // iterations enqueued between two looks at the device

struct Larger {
  PSL_HD double operator()(double a, double b) const { return a > b ? a : b; }
};

/// Device arrays of one EM run.
struct EmView {
  View<const std::int32_t> histogram;  // [C, K]
  View<const std::int32_t> size;       // [K]
  View<const std::int32_t> observed;   // [C]
  View<const double> prior;            // [K]
  View<double> weight;                 // [K]
  View<double> proposal;               // [K]
  View<double> class_factor;           // [C]
  View<double> partial;                // [C + 1, tiles]
  View<double> total;                  // [2]
  View<std::int32_t> progress;         // [2]
  std::int64_t clients, classes, tiles;

  PSL_HD std::int64_t first(std::int64_t tile) const { return EmTiles::first(tile); }
  PSL_HD std::int64_t count(std::int64_t tile) const { return EmTiles::count(tile, clients); }
  PSL_HD bool converged() const { return progress[1] != 0; }

  /// partial[c][tile] = sum over the tile's clients of pi_k beta_kc; `proposal` holds pi_k / m_k.
  template <class Team>
  PSL_HD void add_classes(Team& team, std::int64_t tile) const {
    const std::int64_t k0 = first(tile);
    for (std::int64_t c = 0; c < classes; ++c) {
      const std::int32_t* row = histogram.data() + c * clients + k0;
      const double* ratio = proposal.data() + k0;
      const double sum = team.template reduce<double>(
          count(tile), 0.0, [&](std::int64_t i) { return ratio[i] * row[i]; }, Plus{});
      if (team.rank() == 0) partial[c * tiles + tile] = sum;
    }
  }
};

struct EmStart {
  EmView em;
  double samples;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t tile = block; tile < em.tiles; tile += teams) start(team, tile);
  }

 private:
  template <class Team>
  PSL_HD void start(Team& team, std::int64_t tile) const {
    const std::int64_t k0 = em.first(tile), n = em.count(tile);
    for (std::int64_t i = team.rank(); i < n; i += team.size()) {
      em.weight[k0 + i] = em.size[k0 + i] / samples;
      em.proposal[k0 + i] = em.size[k0 + i] > 0 ? em.weight[k0 + i] / em.size[k0 + i] : 0.0;
    }
    team.sync();
    const double* prior = em.prior.data() + k0;
    const double sum = team.template reduce<double>(
        n, 0.0, [&](std::int64_t i) { return prior[i]; }, Plus{});
    if (team.rank() == 0) em.partial[em.classes * em.tiles + tile] = sum;
    em.add_classes(team, tile);
  }
};

/// Per class its factor n_c / sum_k pi_k beta_kc; in place of a class more, the total of all responsibilities at the
/// start, then whether the last iteration changed little enough.
struct EmCombine {
  EmView em;
  double tolerance;
  bool start;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t c = block; c <= em.classes; c += teams) {
      const double* row = em.partial.data() + c * em.tiles;
      const auto load = [&](std::int64_t tile) { return row[tile]; };
      if (c < em.classes || start) {
        const double sum = team.template reduce<double>(em.tiles, 0.0, load, Plus{});
        if (team.rank() == 0) c < em.classes ? scale_class(c, sum) : begin(sum);
      } else {
        const double change = team.template reduce<double>(em.tiles, 0.0, load, Larger{});
        if (team.rank() == 0) end_iteration(change);
      }
    }
  }

 private:
  PSL_HD void scale_class(std::int64_t c, double mixture) const {
    em.class_factor[c] = em.observed[c] > 0 ? em.observed[c] / mixture : 0.0;
  }
  PSL_HD void begin(double prior) const {
    std::int64_t observed = 0;
    for (std::int64_t c = 0; c < em.classes; ++c) observed += em.observed[c];
    em.total[0] = prior + static_cast<double>(observed);
    em.progress[0] = em.progress[1] = 0;
  }
  PSL_HD void end_iteration(double change) const {
    if (em.converged()) return;
    em.total[1] = change;
    em.progress[0] += 1;
    em.progress[1] = change <= tolerance ? 1 : 0;
  }
};

struct EmStep {
  EmView em;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (em.converged()) return;
    for (std::int64_t tile = block; tile < em.tiles; tile += teams) step(team, tile);
  }

 private:
  template <class Team>
  PSL_HD void step(Team& team, std::int64_t tile) const {
    const std::int64_t k0 = em.first(tile), n = em.count(tile);
    double* proposal = em.proposal.data() + k0;
    double* weight = em.weight.data() + k0;
    const double* prior = em.prior.data() + k0;
    const std::int32_t* size = em.size.data() + k0;
    // Row by row, so that neighbours read neighbours; every client belongs to one member, hence no synchronisation.
    for (std::int64_t i = team.rank(); i < n; i += team.size()) proposal[i] = 0.0;
    for (std::int64_t c = 0; c < em.classes; ++c) {
      const double factor = em.class_factor[c];
      const std::int32_t* row = em.histogram.data() + c * em.clients + k0;
      for (std::int64_t i = team.rank(); i < n; i += team.size()) proposal[i] += row[i] * factor;
    }
    const double total = em.total[0];
    for (std::int64_t i = team.rank(); i < n; i += team.size()) {
      proposal[i] = size[i] > 0 ? (weight[i] / size[i] * proposal[i] + prior[i]) / total : 0.0;
    }
    team.sync();
    const double change = team.template reduce<double>(
        n, 0.0,
        [&](std::int64_t i) {
          if (!(weight[i] > 0.0)) return 0.0;
          const double difference = proposal[i] - weight[i];
          return (difference < 0.0 ? -difference : difference) / weight[i];
        },
        Larger{});
    if (team.rank() == 0) em.partial[em.classes * em.tiles + tile] = change;
    team.sync();
    for (std::int64_t i = team.rank(); i < n; i += team.size()) {
      weight[i] = proposal[i];
      proposal[i] = size[i] > 0 ? weight[i] / size[i] : 0.0;
    }
    team.sync();
    em.add_classes(team, tile);
  }
};

struct AddResponsibilities {
  EmView em;
  View<const double> base;
  View<double> out;

  PSL_HD void operator()(std::int64_t k) const {
    double sum = 0.0;
    for (std::int64_t c = 0; c < em.classes; ++c) sum += em.histogram[c * em.clients + k] * em.class_factor[c];
    out[k] = base[k] + em.proposal[k] * sum;
  }
};

inline std::vector<std::int32_t> histogram_by_class(const Population& population) {
  const std::int64_t clients = population.clients, classes = population.classes;
  std::vector<std::int32_t> by_class(population.histogram.size());
  for (std::int64_t k = 0; k < clients; ++k) {
    for (std::int64_t c = 0; c < classes; ++c) by_class[c * clients + k] = population.histogram[k * classes + c];
  }
  return by_class;
}

inline std::vector<std::int32_t> client_sizes(const Population& population) {
  std::vector<std::int32_t> sizes;
  for (std::int32_t k = 0; k < population.clients; ++k) sizes.push_back(static_cast<std::int32_t>(population.size(k)));
  return sizes;
}

}  // namespace detail

template <class Context>
MixtureEm<Context>::MixtureEm(Context& ctx, const Population& population)
    : ctx_(&ctx),
      clients_(population.clients),
      classes_(population.classes),
      tiles_(detail::EmTiles::tiles(population.clients)),
      histogram_(ctx, detail::histogram_by_class(population)),
      size_(ctx, detail::client_sizes(population)),
      weight_(ctx, population.clients),
      proposal_(ctx, population.clients),
      class_factor_(ctx, population.classes),
      partial_(ctx, (population.classes + 1) * tiles_),
      total_(ctx, 2),
      progress_(ctx, 2) {}

template <class Context>
detail::EmView MixtureEm<Context>::view(View<const double> prior) {
  return {histogram_.view(),
          size_.view(),
          observed_,
          prior,
          weight_.view(),
          proposal_.view(),
          class_factor_.view(),
          partial_.view(),
          total_.view(),
          progress_.view(),
          clients_,
          classes_,
          tiles_};
}

template <class Context>
void MixtureEm<Context>::reset(const Population& population) {
  histogram_.upload(detail::histogram_by_class(population));
  size_.upload(detail::client_sizes(population));
}

template <class Context>
void MixtureEm<Context>::run(View<const std::int32_t> observed, View<const double> prior, std::int64_t samples,
                             const EmSettings& settings) {
  const Range range("lds: EM");
  Context& ctx = *ctx_;
  observed_ = observed;
  const detail::EmView em = view(prior);
  // A CPU thread is not worth waking for less than some microseconds' work. What a team covers changes no bits.
  const auto teams_for = [](std::int64_t units, std::int64_t work) {
    return Context::kIsDevice ? units : std::clamp<std::int64_t>(work / kSerialBelow, 1, units);
  };
  const std::int64_t teams = teams_for(tiles_, clients_ * (classes_ + 1) / 4);
  const std::int64_t combiners = teams_for(classes_ + 1, tiles_ * (classes_ + 1));
  for_each_block(ctx, teams, detail::EmStart{em, static_cast<double>(samples), teams});
  for_each_block(ctx, combiners, detail::EmCombine{em, settings.tolerance, true, combiners});
  bool converged = false;
  for (std::int32_t i = 0; i < settings.max_iterations && !converged; ++i) {
    for_each_block(ctx, teams, detail::EmStep{em, teams});
    for_each_block(ctx, combiners, detail::EmCombine{em, settings.tolerance, false, combiners});
    if (i % detail::kEmStride != detail::kEmStride - 1 && i + 1 != settings.max_iterations) continue;
    const std::vector<std::int32_t> progress = progress_.download();
    iterations_ = progress[0];
    converged = progress[1] != 0;
  }
  change_ = total_.download()[1];
}

template <class Context>
void MixtureEm<Context>::run(MixtureNewton<Context>& newton, View<const std::int32_t> observed,
                             View<const double> prior, const EmSettings& settings) {
  observed_ = observed;
  newton.run({histogram_.view(), size_.view(), observed, prior, weight_.view(), proposal_.view(), class_factor_.view()},
             settings.tolerance, settings.max_iterations);
}

template <class Context>
void MixtureEm<Context>::add_responsibilities(View<const double> base, View<double> out) {
  for_each_index(*ctx_, clients_, detail::AddResponsibilities{view(base), base, out});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)       \
  template class MixtureEm<C>;

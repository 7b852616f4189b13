// When a step of SteppedSchedule (keyed_steps.hpp) ends: the search for a time until which at least B_t samples leave,
// and exactly so many unless several leave at that very time. Which samples those are does not depend on how the time is
// found, so backends may search in their own ways.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device/math.hpp"
#include "kernels/device/team.hpp"
#include "kernels/device/view.hpp"
#include "samplers/keyed/client_tiles.hpp"

namespace splitsim::detail {

using StepTiles = ClientTiles<1024>;
constexpr int kMostCuts = 15;             // times that are tried at once

struct EarlierTime {
  PSL_HD double operator()(double a, double b) const { return a < b ? a : b; }
};
struct LaterTime {
  PSL_HD double operator()(double a, double b) const { return a > b ? a : b; }
};

/// The device arrays of SteppedSchedule.
struct SteppedView {
  View<const std::int64_t> client_first;  // [K+1]
  View<const std::int32_t> order;         // [N]
  View<const double> threshold;           // [N]
  View<std::int32_t> head, take, offset;  // [K]
  View<double> clock, log_time;           // [K]
  View<double> search;                    // [5] below
  View<std::int32_t> marks;               // [4] below; depleted clients
  View<double> tile_time;                 // [tiles]
  View<std::int32_t> tile_count;          // [kMostCuts, tiles]
  View<std::uint8_t> taken;               // [N]

  PSL_HD std::int64_t clients() const { return head.size(); }
  PSL_HD std::int64_t tiles() const { return tile_time.size(); }
  PSL_HD std::int64_t begin(std::int64_t tile) const { return StepTiles::first(tile); }
  PSL_HD std::int64_t count(std::int64_t tile) const { return StepTiles::count(tile, clients()); }
  PSL_HD std::int64_t size(std::int64_t k) const { return client_first[k + 1] - client_first[k]; }
  PSL_HD bool depleted(std::int64_t k) const { return head[k] == size(k); }

  // All times are logarithms. Fewer than B_t samples leave until low(), at least so many until high(), once found() says
  // that there is one; before that, times from first() on are tried at growing distances.
  PSL_HD double& high() const { return search[0]; }
  PSL_HD double& low() const { return search[1]; }
  PSL_HD double& first() const { return search[2]; }
  PSL_HD double& reach() const { return search[3]; }
  PSL_HD double& end() const { return search[4]; }  ///< when the last sample of the step leaves
  PSL_HD std::int32_t& leaving_at_high() const { return marks[0]; }
  PSL_HD std::int32_t& found() const { return marks[1]; }
  PSL_HD std::int32_t& settled() const { return marks[2]; }  ///< high() is the end of the search

  /// ln of the time from now until client k's sample at `place` of its order leaves. Rounding may leave a threshold at
  /// or behind the clock: then it leaves at once.
  PSL_HD double log_time_of(std::int64_t k, std::int64_t place, double log_rate) const {
    const double rest = threshold[client_first[k] + place] - clock[k];
    return exact_log(rest > 1e-300 ? rest : 1e-300) - log_rate;
  }

  /// Samples of client k that leave until ln(time) = at.
  PSL_HD std::int64_t leaving(std::int64_t k, double at, double log_rate) const {
    if (log_time[k] > at || depleted(k)) return 0;
    const double limit = clock[k] + exact_exp(at + log_rate);
    const double* own = threshold.data() + client_first[k];
    std::int64_t low = head[k] + 1, high = size(k);  // the head leaves; find the first that does not
    while (low < high) {
      const std::int64_t middle = (low + high) / 2;
      if (own[middle] <= limit) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low - head[k];
  }

  /// The distance that is tried after `distance`.
  PSL_HD double further(double distance) const {
    const double magnitude = first() < 0.0 ? -first() : first();
    const double least = magnitude * 0x1p-40 > 0.0625 ? magnitude * 0x1p-40 : 0.0625;
    return distance == 0.0 ? least : 2.0 * distance;
  }
  /// The m-th of `cuts` times to try, ascending.
  PSL_HD double probe(int m, int cuts) const {
    if (found() != 0) return low() + (high() - low()) * ((m + 1.0) / (cuts + 1.0));
    double distance = reach();
    for (int i = 0; i < m; ++i) distance = further(distance);
    return first() + distance;
  }
  /// Whether high() cannot be made earlier, or need not be.
  PSL_HD bool settles(double low, double high, std::int64_t leaving, std::int64_t batch) const {
    const double middle = low + 0.5 * (high - low);
    return leaving == batch || !(middle > low && middle < high);
  }
};

struct NextLeaving {
  SteppedView state;
  View<const double> log_rates;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    for (std::int64_t tile = block; tile < state.tiles(); tile += teams) {
      const std::int64_t k0 = state.begin(tile);
      const double earliest = team.template reduce_exact<double>(
          state.count(tile), HUGE_VAL,
          [&](std::int64_t i) {
            const std::int64_t k = k0 + i;
            return state.log_time[k] = state.depleted(k) ? HUGE_VAL : state.log_time_of(k, state.head[k], log_rates[k]);
          },
          EarlierTime{});
      if (team.rank() == 0) state.tile_time[tile] = earliest;
    }
  }
};

struct BeginSearch {
  SteppedView state;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    const double earliest = team.template reduce_exact<double>(
        state.tiles(), HUGE_VAL, [&](std::int64_t tile) { return state.tile_time[tile]; }, EarlierTime{});
    if (team.rank() != 0) return;
    state.first() = earliest;
    state.high() = HUGE_VAL;
    state.low() = -HUGE_VAL;
    state.reach() = 0.0;
    state.leaving_at_high() = state.found() = state.settled() = 0;
  }
};

/// How many samples leave until each of `cuts` times, a tile of clients each.
struct CountLeaving {
  SteppedView state;
  View<const double> log_rates;
  int cuts;
  std::int64_t teams;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    if (state.settled() != 0) return;
    for (std::int64_t tile = block; tile < state.tiles(); tile += teams) {
      const std::int64_t k0 = state.begin(tile);
      for (int m = 0; m < cuts; ++m) {
        const double at = state.probe(m, cuts);
        const auto leaving = static_cast<std::int32_t>(team.template reduce_exact<std::int64_t>(
            state.count(tile), 0, [&](std::int64_t i) { return state.leaving(k0 + i, at, log_rates[k0 + i]); },
            Plus{}));
        if (team.rank() == 0) state.tile_count[m * state.tiles() + tile] = leaving;
      }
    }
  }
};

/// Closes in on the first of these times that suffices.
struct NarrowSearch {
  SteppedView state;
  std::int64_t batch;
  int cuts;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    if (state.settled() != 0) return;
    double low = state.low();
    for (int m = 0; m < cuts; ++m) {
      const double at = state.probe(m, cuts);
      const std::int32_t* counts = state.tile_count.data() + m * state.tiles();
      const std::int64_t leaving = team.template reduce_exact<std::int64_t>(
          state.tiles(), 0, [&](std::int64_t tile) { return std::int64_t{counts[tile]}; }, Plus{});
      if (leaving >= batch) {
        team.sync();  // all have read the state
        if (team.rank() == 0) keep(low, at, leaving);
        return;
      }
      low = at;
    }
    double distance = state.reach();
    for (int m = 0; m < cuts; ++m) distance = state.further(distance);
    const bool settled = state.found() != 0 && state.settles(low, state.high(), state.leaving_at_high(), batch);
    team.sync();
    if (team.rank() != 0) return;
    state.low() = low;
    state.reach() = distance;
    state.settled() = settled ? 1 : 0;
  }

 private:
  PSL_HD void keep(double low, double high, std::int64_t leaving) const {
    state.low() = low;
    state.high() = high;
    state.leaving_at_high() = static_cast<std::int32_t>(leaving);
    state.found() = 1;
    state.settled() = state.settles(low, high, leaving, batch) ? 1 : 0;
  }
};

/// What is left of the search, by one team: all of it where clients are few, else ties and little.
struct EndSearch {
  SteppedView state;
  View<const double> log_rates;
  std::int64_t batch;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t) const {
    if (state.settled() != 0) return;
    const auto leaving = [&](double at) {
      return team.template reduce_exact<std::int64_t>(
          state.clients(), 0, [&](std::int64_t k) { return state.leaving(k, at, log_rates[k]); }, Plus{});
    };
    double low = state.low(), high = state.high(), distance = state.reach();
    std::int64_t count = state.leaving_at_high();
    if (state.found() == 0) {
      high = state.first() + distance;
      while ((count = leaving(high)) < batch) {
        low = high;
        distance = state.further(distance);
        high = state.first() + distance;
      }
    }
    while (!state.settles(low, high, count, batch)) {
      const double middle = low + 0.5 * (high - low);
      const std::int64_t at_middle = leaving(middle);
      if (at_middle < batch) {
        low = middle;
      } else {
        high = middle;
        count = at_middle;
      }
    }
    team.sync();
    if (team.rank() != 0) return;
    state.high() = high;
    state.low() = low;
    state.leaving_at_high() = static_cast<std::int32_t>(count);
  }
};

}  // namespace splitsim::detail

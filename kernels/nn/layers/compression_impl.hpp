// Bodies of kernels/nn/layers/compression.hpp. A block is a slot.
#pragma once

#include <cmath>

#include "kernels/device/math.hpp"
#include "kernels/device/team.hpp"
#include "kernels/nn/layers/compression.hpp"

namespace splitsim {

namespace detail {

/// Order of magnitudes; what is not a number is the largest.
PSL_HD inline std::uint32_t magnitude(float x) { return word_of(x) & 0x7fffffffu; }

/// The largest of a row's keys: all above `least`, and of those that are equal to it the first features.
struct Largest {
  std::uint32_t least = ~0u;
  std::int32_t before = 0;

  PSL_HD bool has(std::uint32_t key, std::int32_t feature) const {
    return key > least || (key == least && feature < before);
  }
};

/// The k largest of key(place), ties to the first features: the k-th largest key bit by bit, by counts alone.
template <class Team, class Key>
PSL_HD Largest largest_keys(Team& team, const FeaturePlaces& places, std::int32_t k, Key key) {
  Largest largest;
  if (k <= 0) return largest;
  const std::int32_t n = places.shape.size();
  const auto count = [&](auto holds) {
    return team.reduce_exact(
        n, std::int32_t{0}, [&](std::int64_t place) { return holds(static_cast<std::int32_t>(place)) ? 1 : 0; },
        Plus{});
  };
  largest.least = 0;
  for (std::uint32_t bit = 1u << 31; bit != 0; bit >>= 1) {
    const std::uint32_t tried = largest.least | bit;
    if (count([&](std::int32_t place) { return key(place) >= tried; }) >= k) largest.least = tried;
  }
  const std::uint32_t least = largest.least;
  const std::int32_t wanted = k - count([&](std::int32_t place) { return key(place) > least; });
  const std::int32_t ties = count([&](std::int32_t place) { return key(place) == least; });
  largest.before = n;
  for (std::int32_t low = 0; ties > wanted && low < largest.before;) {
    const std::int32_t middle = (low + largest.before) / 2;
    const std::int32_t first =
        count([&](std::int32_t place) { return key(place) == least && places.feature(place) < middle; });
    if (first >= wanted) {
      largest.before = middle;
    } else {
      low = middle + 1;
    }
  }
  return largest;
}

struct CompressRow {
  FeaturePlaces places;
  CompressionRule rule;
  std::int32_t kept;
  std::uint32_t threshold;  ///< random_top_k: bits below it swap a feature
  RowKeys keys;
  float* x;
  float* error;      ///< [N, features], or null
  float* workspace;  ///< [S, features]: random words by place

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int32_t sample = keys.keys.sample[slot];
    if (sample < 0) return;  // nothing is sent
    const std::int32_t n = places.shape.size();
    float* row = x + slot * n;
    float* lost = error == nullptr ? nullptr : error + std::int64_t{sample} * n;
    if (lost != nullptr) {
      for (std::int32_t i = team.rank(); i < n; i += team.size()) row[i] += lost[places.feature(i)];
      team.sync();
    }
    if (rule.kind == Compression::kTopK) {
      const Largest top = largest_keys(team, places, kept, [&](std::int32_t i) { return magnitude(row[i]); });
      team.sync();
      for (std::int32_t i = team.rank(); i < n; i += team.size()) {
        const std::int32_t feature = places.feature(i);
        store(row, lost, i, feature, top.has(magnitude(row[i]), feature) ? row[i] : 0.0f);
      }
    } else if (rule.kind == Compression::kRandomTopK) {
      swap_some(team, slot, row, lost);
    } else {
      round_levels(team, slot, row, lost, rule.kind == Compression::kInt8 ? 255.0f : 15.0f);
    }
  }

 private:
  /// Of four features.
  PSL_HD Bits128 bits(std::int64_t slot, std::int32_t quad) const {
    return random_bits(keys.keys.seed[slot],
                       {keys.purpose, static_cast<std::uint32_t>(keys.keys.sample[slot]),
                        static_cast<std::uint32_t>(quad), static_cast<std::uint32_t>(keys.keys.epoch[slot]), 0});
  }
  /// f(place, feature, random word) for all of a row.
  template <class Team, class F>
  PSL_HD void each_with_word(Team& team, std::int64_t slot, F f) const {
    const std::int32_t n = places.shape.size(), quads = (n + 3) / 4;
    for (std::int32_t quad = team.rank(); quad < quads; quad += team.size()) {
      const Bits128 random = bits(slot, quad);
      const std::uint32_t words[4] = {random.x, random.y, random.z, random.w};
      PSL_UNROLL
      for (std::int32_t i = 0; i < 4; ++i) {
        const std::int32_t feature = 4 * quad + i;
        if (feature < n) f(places.place(feature), feature, words[i]);
      }
    }
  }
  PSL_HD void store(float* row, float* lost, std::int32_t place, std::int32_t feature, float sent) const {
    if (lost != nullptr) lost[feature] = row[place] - sent;
    row[place] = sent;
  }

  /// random_top_k: who of the largest is swapped, and for whom: those of the others with the least words.
  template <class Team>
  PSL_HD void swap_some(Team& team, std::int64_t slot, float* row, float* lost) const {
    const std::int32_t n = places.shape.size();
    float* words = workspace + slot * n;
    each_with_word(team, slot, [&](std::int32_t i, std::int32_t, std::uint32_t word) { words[i] = float_of(word); });
    team.sync();
    const Largest top = largest_keys(team, places, kept, [&](std::int32_t i) { return magnitude(row[i]); });
    const auto in_top = [&](std::int32_t i) { return top.has(magnitude(row[i]), places.feature(i)); };
    const std::int32_t swapped = team.reduce_exact(
        n, std::int32_t{0},
        [&](std::int64_t at) {
          const auto i = static_cast<std::int32_t>(at);
          return in_top(i) && word_of(words[i]) < threshold ? 1 : 0;
        },
        Plus{});
    const std::int32_t others = n - kept;
    const auto rank_of = [&](std::int32_t i) -> std::uint32_t {  // 0 for the largest, who are no candidates
      if (in_top(i)) return 0;
      const std::uint32_t key = ~word_of(words[i]);
      return key == 0 ? 1 : key;
    };
    const Largest instead = largest_keys(team, places, swapped < others ? swapped : others, rank_of);
    team.sync();
    for (std::int32_t i = team.rank(); i < n; i += team.size()) {
      const std::int32_t feature = places.feature(i);
      const bool sent = in_top(i) ? word_of(words[i]) >= threshold : instead.has(rank_of(i), feature);
      store(row, lost, i, feature, sent ? row[i] : 0.0f);
    }
  }

  /// int8, int4. Unbiased: a feature is rounded up with the probability of its place between two levels.
  template <class Team>
  PSL_HD void round_levels(Team& team, std::int64_t slot, float* row, float* lost, float levels) const {
    const std::int32_t n = places.shape.size();
    const auto at = [&](std::int64_t i) { return row[i]; };
    const float low = team.reduce_exact(n, row[0], at, [](float a, float b) { return b < a ? b : a; });
    const float high = team.reduce_exact(n, row[0], at, [](float a, float b) { return b > a ? b : a; });
    const float step = (high - low) / levels;
    team.sync();
    each_with_word(team, slot, [&](std::int32_t i, std::int32_t feature, std::uint32_t word) {
      if (step == 0.0f) {  // all are alike
        store(row, lost, i, feature, row[i]);
        return;
      }
      const float u = static_cast<float>(word >> 8) * 0x1p-24f;
      float level = std::floor((row[i] - low) / step + u);
      level = level > levels ? levels : level;
      store(row, lost, i, feature, low + level * step);
    });
  }
};

struct SquareAt {
  const float* row;
  PSL_HD double operator()(std::int64_t i) const { return static_cast<double>(row[i]) * static_cast<double>(row[i]); }
};

struct LimitRow {
  FeaturePlaces places;
  LimitRule rule;
  SampleKeys keys;
  const float* x;
  float* y;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const std::int32_t n = places.shape.size();
    const std::int32_t sample = keys.sample[slot];
    const float* from = x + slot * n;
    float* to = y + slot * n;
    double factor = 1.0;
    if (rule.norm > 0.0) {
      const double squares = team.reduce(n, 0.0, SquareAt{from}, Plus{});
      if (squares > rule.norm * rule.norm) factor = rule.norm / std::sqrt(squares);
    }
    for (std::int32_t i = team.rank(); i < n; i += team.size()) {
      double value = factor == 1.0 ? static_cast<double>(from[i]) : factor * static_cast<double>(from[i]);
      if (rule.noise > 0.0 && sample >= 0) {
        const Address address{Purpose::kCutNoise, static_cast<std::uint32_t>(sample),
                              static_cast<std::uint32_t>(places.feature(i)),
                              static_cast<std::uint32_t>(keys.epoch[slot])};
        value += rule.noise * exact_normal(keys.seed[slot], address);
      }
      to[i] = static_cast<float>(value);
    }
  }
};

/// With r = norm / |x| < 1: dx = r (dy - x (x . dy) / |x|^2).
struct LimitRowBackward {
  std::int64_t features;
  double norm;
  const float* x;
  float* dy;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const float* from = x + slot * features;
    float* gradient = dy + slot * features;
    const double squares = team.reduce(features, 0.0, SquareAt{from}, Plus{});
    if (!(squares > norm * norm)) return;
    const double along = team.reduce(
        features, 0.0, [=](std::int64_t i) { return static_cast<double>(from[i]) * static_cast<double>(gradient[i]); },
        Plus{});
    const double factor = norm / std::sqrt(squares), share = along / squares;
    team.sync();
    for (std::int64_t i = team.rank(); i < features; i += team.size()) {
      gradient[i] = static_cast<float>(factor * (static_cast<double>(gradient[i]) - share * from[i]));
    }
  }
};

}  // namespace detail

template <class Context>
void compress_rows(Context& ctx, Slots slots, const PlaneShape& shape, const CompressionRule& rule, const RowKeys& keys,
                   View<float> x, View<float> error, View<float> workspace) {
  if (rule.kind == Compression::kNone) return;
  for_each_block(
      ctx, layer_slots<Context>(slots),
      detail::CompressRow{FeaturePlaces(shape), rule, static_cast<std::int32_t>(kept_features(rule, shape.size())),
                          static_cast<std::uint32_t>(rule.random * 0x1p32), keys, x.data(),
                          error.empty() ? nullptr : error.data(), workspace.data()});
}

template <class Context>
void limit_rows(Context& ctx, Slots slots, const PlaneShape& shape, const LimitRule& rule, const SampleKeys& keys,
                View<const float> x, View<float> y) {
  for_each_block(ctx, layer_slots<Context>(slots),
                 detail::LimitRow{FeaturePlaces(shape), rule, keys, x.data(), y.data()});
}

template <class Context>
void limit_rows_backward(Context& ctx, Slots slots, std::int64_t features, const LimitRule& rule, View<const float> x,
                         View<float> dy) {
  if (rule.norm == 0.0) return;
  for_each_block(ctx, layer_slots<Context>(slots), detail::LimitRowBackward{features, rule.norm, x.data(), dy.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                         \
  template void compress_rows(C&, Slots, const PlaneShape&, const CompressionRule&, const RowKeys&, View<float>, \
                              View<float>, View<float>);                                                         \
  template void limit_rows(C&, Slots, const PlaneShape&, const LimitRule&, const SampleKeys&, View<const float>, \
                           View<float>);                                                                         \
  template void limit_rows_backward(C&, Slots, std::int64_t, const LimitRule&, View<const float>, View<float>);

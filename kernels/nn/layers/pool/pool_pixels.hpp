// Pools, channels last: a row is a slot, a column one of its floats, in the order of memory.
#pragma once

#include <cstdint>

#include "kernels/device/fast_div.hpp"
#include "kernels/nn/layers/pool/pool_window.hpp"

namespace splitsim::detail {

template <class Plane>
struct MaxPoolForwardLast {
  Plane plane;
  ChannelsLast outputs;
  const float* x;
  float* y;
  std::uint8_t* argmax;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const ChannelsLast::Place at = outputs(i);
    const typename Plane::Best best = plane.best(x + slot * plane.shape.in_size() + at.channel, at.row, at.column);
    const std::int64_t to = slot * plane.shape.out_size() + i;
    y[to] = best.value;
    argmax[to] = static_cast<std::uint8_t>(best.where);
  }
};
template <class Plane>
struct MaxPoolBackwardLast {
  Plane plane;
  ChannelsLast inputs;
  const float* dy;
  const std::uint8_t* argmax;
  const float* rectified;  ///< x, or null
  float* dx;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const ChannelsLast::Place at = inputs(i);
    const std::int64_t from = slot * plane.shape.out_size() + at.channel, to = slot * plane.shape.in_size() + i;
    const float sum = plane.gradient(dy + from, argmax + from, at.row, at.column);
    dx[to] = rectified == nullptr ? sum : rectify_gradient(rectified[to], sum);
  }
};
struct AvgPoolForwardLast {
  PoolPlane plane;
  ChannelsLast outputs;
  const float* x;
  float* y;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const ChannelsLast::Place at = outputs(i);
    y[slot * plane.shape.out_size() + i] = plane.mean(x + slot * plane.shape.in_size() + at.channel, at.row, at.column);
  }
};
struct AvgPoolBackwardLast {
  PoolPlane plane;
  ChannelsLast inputs;
  const float* dy;
  float* dx;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const ChannelsLast::Place at = inputs(i);
    const float* from = dy + slot * plane.shape.out_size() + at.channel;
    dx[slot * plane.shape.in_size() + i] =
        plane.gradient(from, nullptr, at.row, at.column) / static_cast<float>(plane.shape.window.area());
  }
};
/// A block is a slot.
struct GlobalAvgPoolForwardLast {
  PlaneShape shape;
  const float* x;
  float* y;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    const PlaneShape s = shape;
    const float* in = x + slot * s.size();
    float* out = y + slot * s.channels;
    team.template column_sums<float>(
        s.pixels, s.channels, [=](std::int32_t p, std::int32_t c) { return in[p * s.channels + c]; },
        [=](std::int32_t c, float sum) { out[c] = sum / static_cast<float>(s.pixels); });
  }
};
struct GlobalAvgPoolBackwardLast {
  PlaneShape shape;
  FastDiv channels;
  const float* dy;
  float* dx;
  PSL_HD void operator()(std::int64_t slot, std::int32_t i) const {
    const std::int32_t c = i - channels.quotient(i) * shape.channels;
    dx[slot * shape.size() + i] = dy[slot * shape.channels + c] / static_cast<float>(shape.pixels);
  }
};

inline ChannelsLast pool_inputs(const PoolShape& s) { return ChannelsLast(s.channels, s.in_width); }
inline ChannelsLast pool_outputs(const PoolShape& s) { return ChannelsLast(s.channels, s.out_width()); }

}  // namespace splitsim::detail

#include "kernels/nn/layers/conv/few_channels/plan.hpp"

#include <algorithm>

#include "kernels/nn/layers/conv/few_channels/few_channels.hpp"

namespace splitsim::few_channels {

namespace {

using implicit_gemm::kProcessors;

constexpr std::int64_t kSharedFloats = 12 * 1024;  // 48 KiB, what every kernel may have
constexpr std::int64_t kBusy = kProcessors * 512;  // threads that hide each other's waiting

std::int32_t each_of(std::int32_t outputs) {
  std::int32_t best = 8;
  for (const std::int32_t each : {6, 4}) {
    if ((outputs + each - 1) / each * each < (outputs + best - 1) / best * best) best = each;
  }
  return best;
}

/// Depends on the shape alone, so that every step sums in the same order.
std::int32_t shares_of(std::int32_t channels) { return channels >= 12 ? 4 : channels >= 4 ? 2 : 1; }

Bands forward_bands(const ConvShape& s, std::int32_t pixels) {
  return {s.in_height,
          s.in_width,
          s.in_channels,
          s.out_height(),
          s.out_width(),
          s.out_channels,
          s.padding.height,
          s.padding.width,
          s.kernel.height,
          s.kernel.width,
          pixels,
          each_of(s.out_channels),
          shares_of(s.in_channels),
          s.out_height()};
}
Bands gradient_bands(const ConvShape& s, std::int32_t pixels) {
  return {s.out_height(),
          s.out_width(),
          s.out_channels,
          s.in_height,
          s.in_width,
          s.in_channels,
          s.kernel.height - 1 - s.padding.height,
          s.kernel.width - 1 - s.padding.width,
          s.kernel.height,
          s.kernel.width,
          pixels,
          each_of(s.in_channels),
          shares_of(s.out_channels),
          s.in_height};
}

/// As many rows a band as threads and shared memory hold.
template <class Floats>
void cut(Bands& b, std::int32_t most, const Floats& floats) {
  for (b.rows = std::min(b.rows, most); b.rows > 0 && floats(b) > kSharedFloats;) --b.rows;
  if (b.rows > 0) b.rows = (b.height + b.count() - 1) / b.count();  // of equal heights
}

ImagePlan image_plan(Bands b) {
  const auto floats = [](const Bands& of) {
    return std::max<std::int64_t>(of.planes() + of.channels * of.taps() * of.padded(),
                                  of.shares * of.outputs * of.result_plane());
  };
  cut(b, kThreads / (b.runs() * b.parts() * b.shares), floats);
  const std::int32_t threads = (b.rows * b.runs() * b.parts() * b.shares + 31) / 32 * 32;
  return {b, threads, floats(b) * 4};
}

}  // namespace

ImagePlan image_plan(const ConvShape& s, std::int32_t slots, bool gradient) {
  const auto bands = gradient ? gradient_bands : forward_bands;
  const Bands wide = bands(s, 4);
  const bool busy = std::int64_t{slots} * wide.height * wide.runs() * wide.parts() * wide.shares >= kBusy;
  return image_plan(busy ? wide : bands(s, 2));
}

WeightPlan weight_plan(const ConvShape& s) {
  WeightPlan plan{forward_bands(s, 4), 0, 0, 0, 0};
  Bands& b = plan.bands;
  plan.units = (b.channels * b.kernel_height + 1) * b.parts();
  plan.groups = kThreads / plan.units;
  plan.threads = (plan.groups * plan.units + 31) / 32 * 32;
  const std::int64_t sums = std::int64_t{plan.groups} * plan.units * b.kernel_width * b.each;
  const auto floats = [&](const Bands& of) {
    return std::max<std::int64_t>(sums, of.planes() + of.pitch() + of.rows * of.runs() * 4 * of.padded());
  };
  cut(b, b.height, floats);
  plan.shared_bytes = floats(b) * 4;
  return plan;
}

bool fits(const ConvShape& s) {
  if (s.groups != 1 || s.stride != Size2(1) || std::min(s.in_channels, s.out_channels) > 8) return false;
  if (s.in_channels > 16 || s.out_channels > 32) return false;
  if (s.kernel.width != 3 && s.kernel.width != 5) return false;
  for (const std::int32_t pixels : {2, 4}) {
    if (image_plan(forward_bands(s, pixels)).bands.rows < 1) return false;
    if (image_plan(gradient_bands(s, pixels)).bands.rows < 1) return false;
  }
  const WeightPlan plan = weight_plan(s);
  return plan.groups > 0 && plan.bands.rows > 0 && plan.shared_bytes <= kSharedFloats * 4;
}

std::int32_t weight_parts(const ConvShape& s, std::int32_t max_slots, std::int32_t max_active, std::int64_t most) {
  const std::int64_t ranks = std::max(1, max_active), blocks = (4 * kProcessors + ranks - 1) / ranks;
  return static_cast<std::int32_t>(
      std::max<std::int64_t>(1, std::min({max_slots / ranks * s.out_height(), blocks, most})));
}

}  // namespace splitsim::few_channels

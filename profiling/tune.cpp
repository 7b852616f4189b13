#include "profiling/tune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <vector>

#include "base/report.hpp"
#include "base/stopwatch.hpp"
#include "kernels/device/buffer.hpp"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"
#include "runtime/plan/scene.hpp"
#include "runtime/train/conv_table.hpp"

namespace splitsim::bench {

namespace {

/// Mean microseconds of a call, after one that warms up.
double microseconds(CudaContext& ctx, bool quick, const std::function<void()>& call) {
  call();
  ctx.synchronize();
  const int repeats = quick ? 1 : 50;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) call();
  ctx.synchronize();
  return seconds_since(start) * 1e6 / repeats;
}

/// One replica, all slots its own.
struct Tied {
  Buffer<std::int32_t, CudaContext> numbers, rank;
  ReplicaMap map;
  Tied(CudaContext& ctx, std::int32_t slots)
      : numbers(ctx, std::vector<std::int32_t>{slots, 1, 0, 0, slots}),
        rank(ctx, std::vector<std::int32_t>(static_cast<std::size_t>(slots), 0)),
        map{numbers.data(), numbers.data() + 1, numbers.data() + 2, numbers.data() + 3, rank.data(), slots, 1, 1} {}
};

MeasuredConv measured(CudaContext& ctx, const ConvShape& s, std::int32_t slots, bool quick) {
  const Tied tied(ctx, slots);
  const CudnnPlan plan = cudnn_plan(ctx, s, slots);
  // Zeros: the time does not depend on the values.
  const auto floats = [&](std::int64_t n) {
    return Buffer<float, CudaContext>(ctx, std::vector<float>(static_cast<std::size_t>(n), 0.0f));
  };
  Buffer<float, CudaContext> x = floats(slots * s.in_size()), y = floats(slots * s.out_size()),
                             dx = floats(slots * s.in_size());
  const std::int64_t stride = (s.weights() + s.out_channels + 31) / 32 * 32;
  Buffer<float, CudaContext> p = floats(stride), dp = floats(stride);
  Buffer<float, CudaContext> work = floats(std::max(implicit_gemm_workspace(s, slots, 1), plan.workspace));
  const Parameters parameters{{p.data(), stride}, {p.data() + s.weights(), stride}};
  const Parameters gradients{{dp.data(), stride}, {dp.data() + s.weights(), stride}};
  const Backprop io{x.view(), y.view(), dx.view()};

  MeasuredConv row{s, slots};
  row.own_us = {
      microseconds(ctx, quick,
                   [&] { implicit_gemm_forward(ctx, tied.map, s, {s.precision}, x.view(), parameters, y.view()); }),
      microseconds(ctx, quick,
                   [&] { implicit_gemm_input_gradient(ctx, tied.map, s, s.precision, io, parameters.weight); }),
      microseconds(ctx, quick,
                   [&] { implicit_gemm_weight_gradient(ctx, tied.map, s, s.precision, io, work.view(), gradients); })};
  if (!plan.usable) return row;
  bool can = true;
  const auto library = [&](const std::function<bool()>& call) -> std::optional<double> {
    const double us = microseconds(ctx, quick, [&] { can = can && call(); });
    return can ? std::optional(us) : std::nullopt;
  };
  row.cudnn_us = {
      library([&] { return cudnn_forward(ctx, tied.map, s, x.view(), parameters, work.view(), y.view(), false); }),
      library([&] { return cudnn_input_gradient(ctx, tied.map, s, io, parameters.weight, work.view()); }),
      library([&] { return cudnn_weight_gradient(ctx, tied.map, s, io, work.view(), gradients); })};
  return row;
}

}  // namespace

void tune(CudaContext& ctx, const Config& config, const std::string& path, bool quick) {
  const Scene scene = make_scene(config);
  ConvTable table{ctx.device_name(), {}};
  const auto slots = static_cast<std::int32_t>(config.sampler.batch);
  for (const ConvShape& shape : convolutions_of(scene.network, config.train.precision)) {
    const MeasuredConv row = measured(ctx, shape, slots, quick);
    std::string times;
    for (std::size_t pass = 0; pass < 3; ++pass) {
      times += fmt::format("  {:8.1f} {:>8}", row.own_us[pass],
                           row.cudnn_us[pass] ? fmt::format("{:.1f}", *row.cudnn_us[pass]) : "-");
    }
    report_line(fmt::format("{}x{}x{} -> {}, {}x{}: us, ours and cuDNN's, forward, input, weight:{}", shape.in_channels,
                            shape.in_height, shape.in_width, shape.out_channels, shape.kernel.height,
                            shape.kernel.width, times));
    table.rows.push_back(row);
  }
  write_conv_table(path, table);
}

}  // namespace splitsim::bench

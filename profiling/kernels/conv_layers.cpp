// Times the implicit GEMM (kernels/nn/layers/conv/implicit_gemm.hpp) on the convolutions of the built-in networks:
//
//   conv-layers [resnet18|lenet|cnn] [fp32|tf32|bf16] [slots] [replicas] [layer]
//
// slots: of the step (128); replicas: 1 is a tied side, else the slots are spread evenly over so many; layer: only the
// one whose name begins so. Prints microseconds per direction and the rate of multiply-adds. Inputs are zeros: the time
// does not depend on them.
#include <fmt/core.h>

#include <chrono>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/stopwatch.hpp"
#include "kernels/device/buffer.hpp"
#include "kernels/nn/layers/conv/implicit_gemm.hpp"

namespace splitsim {
namespace {

struct Layer {
  const char *net, *name;
  ConvShape shape;
};
const Layer kLayers[] = {{"resnet18", "stem", {3, 32, 32, 64, 3, 1, 1}},
                         {"resnet18", "1: 32x32x64", {64, 32, 32, 64, 3, 1, 1}},
                         {"resnet18", "2: 16x16x128", {128, 16, 16, 128, 3, 1, 1}},
                         {"resnet18", "3: 8x8x256", {256, 8, 8, 256, 3, 1, 1}},
                         {"resnet18", "4: 4x4x512", {512, 4, 4, 512, 3, 1, 1}},
                         {"resnet18", "down 2: stride 2", {64, 32, 32, 128, 3, 2, 1}},
                         {"resnet18", "short 2: pointwise", {64, 32, 32, 128, 1, 2, 0}},
                         {"lenet", "conv1", {1, 28, 28, 6, 5, 1, 2}},
                         {"lenet", "conv2", {6, 14, 14, 16, 5, 1, 0}},
                         {"lenet", "fc1", {400, 1, 1, 120, 1, 1, 0}},
                         {"lenet", "fc2", {120, 1, 1, 84, 1, 1, 0}},
                         {"lenet", "fc3", {84, 1, 1, 10, 1, 1, 0}},
                         {"cnn", "conv1", {3, 32, 32, 32, 3, 1, 1}},
                         {"cnn", "conv2", {32, 16, 16, 64, 3, 1, 1}},
                         {"cnn", "conv3", {64, 8, 8, 128, 3, 1, 1}}};

/// Slots spread evenly over ranks, in device memory.
struct Ranks {
  Buffer<std::int32_t, CudaContext> counts, replica, first, rank;
  ReplicaMap map;
  Ranks(CudaContext& ctx, std::int32_t slots, std::int32_t ranks) {
    std::vector<std::int32_t> of_rank, firsts, of_slot;
    for (std::int32_t r = 0; r < ranks; ++r) {
      of_rank.push_back(r);
      firsts.push_back(slots * r / ranks);
      of_slot.resize(slots * (r + 1) / ranks, r);
    }
    firsts.push_back(slots);
    counts = Buffer<std::int32_t, CudaContext>(ctx, std::vector<std::int32_t>{slots, ranks});
    replica = Buffer<std::int32_t, CudaContext>(ctx, of_rank);
    first = Buffer<std::int32_t, CudaContext>(ctx, firsts);
    rank = Buffer<std::int32_t, CudaContext>(ctx, of_slot);
    map = {counts.data(), counts.data() + 1, replica.data(), first.data(), rank.data(), slots, ranks, ranks};
  }
};

template <class F>
double microseconds(CudaContext& ctx, int repeats, const F& f) {
  if (repeats > 1) f();
  ctx.synchronize();
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) f();
  ctx.synchronize();
  return seconds_since(start) * 1e6 / repeats;
}

void time_layer(CudaContext& ctx, const Layer& layer, Precision precision, std::int32_t slots, std::int32_t ranks) {
  const ConvShape& s = layer.shape;
  const Ranks with(ctx, slots, ranks);
  const std::int64_t stride = (s.weights() + s.out_channels + 31) / 32 * 32;
  const auto zeros = [&](std::int64_t n) { return Buffer<float, CudaContext>(ctx, std::vector<float>(n, 0.0f)); };
  Buffer<float, CudaContext> x = zeros(slots * s.in_size()), y = zeros(slots * s.out_size());
  Buffer<float, CudaContext> dx = zeros(slots * s.in_size()), p = zeros(ranks * stride), dp = zeros(ranks * stride);
  Buffer<float, CudaContext> work = zeros(implicit_gemm_workspace(s, slots, ranks));
  const Parameters parameters{{p.data(), stride}, {p.data() + s.weights(), stride}};
  const Parameters gradients{{dp.data(), stride}, {dp.data() + s.weights(), stride}};
  const char* repeats = std::getenv("REPEATS");
  const int times = repeats == nullptr ? 50 : std::atoi(repeats);
  const double flop = 2.0 * slots * s.weights() * s.out_height() * s.out_width();
  const double forward = microseconds(ctx, times, [&] {
    implicit_gemm_forward(ctx, with.map, s, ConvMath{precision}, x.view(), parameters, y.view());
  });
  const double input = microseconds(ctx, times, [&] {
    implicit_gemm_input_gradient(ctx, with.map, s, precision, {x.view(), y.view(), dx.view()}, parameters.weight);
  });
  const double weight = microseconds(ctx, times, [&] {
    implicit_gemm_weight_gradient(ctx, with.map, s, precision, Backprop{x.view(), y.view(), {}}, work.view(),
                                  gradients);
  });
  fmt::print("{:10} {:20} {:6.3f} GFLOP | {:9.1f} {:9.1f} {:9.1f} us | {:6.1f} {:6.1f} {:6.1f} TFLOP/s\n", layer.net,
             layer.name, flop / 1e9, forward, input, weight, flop / forward / 1e6, flop / input / 1e6,
             flop / weight / 1e6);
}

int run(const std::vector<std::string>& args) {
  const auto given = [&](std::size_t i, const char* otherwise) { return args.size() > i ? args[i] : otherwise; };
  const std::string precision = given(1, "fp32");
  const Precision math = precision == "bf16"   ? Precision::kBf16
                             : precision == "tf32" ? Precision::kTf32
                                                   : Precision::kFp32;
  CudaContext ctx;
  fmt::print("{}, {}: forward, input gradient, weight gradient\n", ctx.device_name(), precision);
  for (const Layer& layer : kLayers) {
    if (given(0, "resnet18") != layer.net || std::string(layer.name).rfind(given(4, ""), 0) != 0) continue;
    time_layer(ctx, layer, math, std::atoi(given(2, "128").c_str()), std::atoi(given(3, "1").c_str()));
  }
  return 0;
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) { return splitsim::run({argv + 1, argv + argc}); }

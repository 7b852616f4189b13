// Grouped 2-D convolution on a GPU's tensor cores, channels last: matrix products whose patch matrix is never stored
// (implicit GEMM). Tied layers, many replicas and linear layers (height = width = kernel = 1) are the same kernels.
//
// Layouts: activations [S, height, width, channels], weights [G][out_channels][kernel height][kernel width][channels /
// groups] (OHWI). Rank r's slots are a run; its tiles are cut within it, and the weights are its replica's.
//
// Determinism: fixed-order. Every row of y and dx is summed over (tap, channel) in one order, whatever the ranks, so
// equal weights in all replicas give the tied layer's bits. Weight gradients: a rank's rows in order, in parts (with one
// rank by bounds alone, with many equal shares of the rank) whose sums are added in order. No atomics.
#pragma once

#include <cstdint>

#include "kernels/device/context.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/primitives/precision.hpp"

namespace splitsim {

/// How a convolution multiplies, and what it does to its sums.
struct ConvMath {
  Precision precision = Precision::kFp32;
  bool relu = false;  ///< forward: y = max(0, sum + bias)
};

/// Floats of scratch of implicit_gemm_weight_gradient. Depends on its arguments alone.
std::int64_t implicit_gemm_workspace(const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active);

/// y[s] = conv(x[s], weight of s's replica) + bias. x: [S, H, W, C], y: [S, OH, OW, OC]; empty slots' y: zeros, their x
/// is not read. Errors: InputError for shapes beyond 2^31 rows or weights, 2^23 floats an image or padded
/// sides of 2^14.
void implicit_gemm_forward(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, const ConvMath& math,
                           View<const float> x, const Parameters& parameters, View<float> y);

/// dx[s] = the adjoint of s's convolution, applied to dy[s]. dy: [S, OH, OW, OC], dx: [S, H, W, C]; empty slots' dx:
/// zeros. x is read only where it was rectified. A stride's phases are separate products, so that no factor is a zero
/// between pixels. Errors as forward.
void implicit_gemm_input_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, Precision precision,
                                  const Backprop& io, Grouped weight);

/// gradients [max_active ranks]: overwritten for active ranks with the sum over the rank's slots, left alone for
/// others. The bias's gradient is a sum of floats in every precision. workspace: 64-byte aligned. Errors as forward.
void implicit_gemm_weight_gradient(CudaContext& ctx, const ReplicaMap& map, const ConvShape& shape, Precision precision,
                                   const Backprop& io, View<float> workspace, const Parameters& gradients);

}  // namespace splitsim

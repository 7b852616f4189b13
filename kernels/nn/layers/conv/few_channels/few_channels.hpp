// Convolutions of few channels and stride 1 on a GPU, channels last, always in float. A tile of tensor cores would be mostly
// empty (6 of 32 columns), and its patches cost more to gather than to multiply. Here an image's rows are brought into
// shared memory as planes with their padding, and a thread keeps the sums of a few pixels by a few channels.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/conv/implicit_gemm_args.hpp"

namespace splitsim::few_channels {

/// Whether all three directions of a shape can be done here.
bool fits(const ConvShape& shape);
/// Shares of a rank's rows that blocks of their own sum, at most `most`; depends on bounds alone.
std::int32_t weight_parts(const ConvShape& shape, std::int32_t max_slots, std::int32_t max_active, std::int64_t most);

void forward(CudaContext& ctx, const implicit_gemm::ImageArgs& args);
void input_gradient(CudaContext& ctx, const implicit_gemm::ImageArgs& args);
/// args.parts, partial and partials are looked at; a part is a share of the rank's rows.
void weight_gradient(CudaContext& ctx, const implicit_gemm::WeightArgs& args);

}  // namespace splitsim::few_channels

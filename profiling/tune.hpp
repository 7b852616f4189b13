// splitsim-bench --tune: both ways to do a GPU's convolutions, timed on this card.
#pragma once

#include <string>

#include "kernels/device/context.hpp"
#include "runtime/config/config.hpp"

namespace splitsim::bench {

/// Times every convolution of the config's network over sampler.batch slots of one replica, in train.precision, and writes
/// the table that train.conv_table reads. quick: once each.
void tune(CudaContext& ctx, const Config& config, const std::string& path, bool quick);

}  // namespace splitsim::bench

// The exponential variates that order samples, the same ones in every sampler: so urn with odds 1 is ugs, and each
// client's local order in fls and fpls is its order in ugs. Samplers that use a sample several times in an epoch number
// the passes.
#pragma once

#include "kernels/device/math.hpp"

namespace splitsim::detail {

PSL_HD inline double sample_exponential(std::uint64_t seed, std::uint32_t epoch, std::int64_t sample,
                                        std::uint32_t pass = 0) {
  return neg_log_uniform(random_u64(seed, {Purpose::kSampleKey, static_cast<std::uint32_t>(sample), pass, epoch, 0}));
}

}  // namespace splitsim::detail

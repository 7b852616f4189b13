// Division by a number that is fixed before a launch: a product and a shift, where a GPU takes dozens of instructions.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"

namespace splitsim {

/// n / d for n in [0, 2^31), d in [1, 2^31). Determinism: exact.
///
/// With 2^(b-1) < d <= 2^b and m = ceil(2^(31+b) / d): m d = 2^(31+b) + e with e < d <= 2^b, so n m / 2^(31+b) exceeds
/// n / d by n e / (d 2^(31+b)) < 1 / d, which is too little to reach the next integer.
class FastDiv {
 public:
  PSL_HD explicit FastDiv(std::int32_t divisor) : divisor_(divisor), shift_(31) {
    while ((std::uint32_t{1} << (shift_ - 31)) < static_cast<std::uint32_t>(divisor)) ++shift_;
    const std::uint64_t power = std::uint64_t{1} << shift_, d = static_cast<std::uint64_t>(divisor);
    multiplier_ = (power + d - 1) / d;
  }
  PSL_HD std::int32_t divisor() const { return divisor_; }
  PSL_HD std::int32_t quotient(std::int32_t n) const {
    return static_cast<std::int32_t>((static_cast<std::uint64_t>(n) * multiplier_) >> shift_);
  }

 private:
  std::int32_t divisor_, shift_;
  std::uint64_t multiplier_;  // below 2^32
};

}  // namespace splitsim

// What the factors of convolutions and linear layers are rounded to before they are multiplied. Tensors are float
// throughout and products are added in float; norms, losses, optimisers and averages are float in every precision.
#pragma once

#include <cstdint>

#include "base/names.hpp"

namespace splitsim {

enum class Precision : std::uint8_t {
  kFp32,  ///< not rounded. On tensor cores three products of TF32 halves: each within 1.2 * 2^-20 of itself, unbiased
  kTf32,  ///< 11 bits: each factor within 2/3 * 2^-10 of itself. Integers up to 2^11 are exact
  kBf16   ///< 8 bits: within 2^-8. Integers up to 2^8 are exact
};
constexpr auto names_of(Precision) {
  return named_values<Precision>({{"fp32", "as accurate as float"},
                                  {"tf32", "factors of 11 bits, as PyTorch's matmul precision \"high\" (a GPU's)"},
                                  {"bf16", "factors of 8 bits, as its \"medium\" (a GPU's)"}});
}

}  // namespace splitsim

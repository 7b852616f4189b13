// How large rows are on the link.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/nn/layers/compression.hpp"

namespace splitsim {

std::int64_t kept_features(const CompressionRule& rule, std::int64_t features) {
  // Shares are meant as written: 0.07 of 100 are 7.
  const auto kept = static_cast<std::int64_t>(std::ceil(rule.keep * static_cast<double>(features) - 1e-9));
  return std::clamp<std::int64_t>(kept, 1, features);
}

std::int64_t compressed_bytes(const CompressionRule& rule, std::int64_t features) {
  constexpr std::int64_t kFloat = sizeof(float);
  switch (rule.kind) {
    case Compression::kTopK:
    case Compression::kRandomTopK: {
      const std::int64_t kept = kept_features(rule, features);
      const std::int64_t bits = std::bit_width(static_cast<std::uint64_t>(features - 1));  // of a place
      return kept * kFloat + (kept * bits + 7) / 8;
    }
    case Compression::kInt8:
      return features + 2 * kFloat;
    case Compression::kInt4:
      return (features + 1) / 2 + 2 * kFloat;
    case Compression::kNone:
      break;
  }
  return features * kFloat;
}

std::int64_t compression_workspace(const CompressionRule& rule, std::int64_t slots, std::int64_t features) {
  return rule.kind == Compression::kRandomTopK ? slots * features : 0;
}

}  // namespace splitsim

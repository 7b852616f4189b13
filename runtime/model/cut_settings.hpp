// What happens to activations and their gradients on the link at the cut.
#pragma once

#include <cstdint>

#include "kernels/nn/layers/compression.hpp"

namespace splitsim {

/// Keys of [cut].
struct CutSettings {
  Compression up = Compression::kNone, down = Compression::kNone;
  double keep = 0.1;            ///< top_k, random_top_k
  double random = 0.1;          ///< random_top_k
  bool error_feedback = false;  ///< what compression loses of a sample is added to its next row
  double clip_norm = 0.0;       ///< largest norm of a sample's activations; 0: any
  double noise = 0.0;           ///< standard deviation of what is added to each of them

  CompressionRule rule(Compression kind) const { return {kind, keep, random}; }
  LimitRule limit() const { return {clip_norm, noise}; }
  bool compresses() const { return up != Compression::kNone || down != Compression::kNone; }
  /// Whether rows arrive as they were sent.
  bool is_plain() const { return !compresses() && clip_norm == 0.0 && noise == 0.0; }
  friend bool operator==(const CutSettings&, const CutSettings&) = default;
};

}  // namespace splitsim

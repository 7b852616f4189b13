// What happens to rows on the link at the cut: they are limited and blurred (a privacy knob) and made smaller. Ring R1.
// Determinism: exact on one backend; random bits are addressed by (seed, sample id, epoch, feature), so that they do
// not depend on batches, clients or order.
#pragma once

#include <cstdint>

#include "base/names.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/dropout.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"

namespace splitsim {

enum class Compression : std::uint8_t { kNone, kTopK, kRandomTopK, kInt8, kInt4 };
constexpr auto names_of(Compression) {
  return named_values<Compression>(
      {{"none", "fp32"},
       {"top_k", "the share cut.keep of a sample's features, those of largest magnitude (arXiv 1704.05021)"},
       {"random_top_k", "top_k, each with probability cut.random swapped for one of the others (arXiv 2305.18469)"},
       {"int8", "256 levels between a sample's least and largest feature, rounded at random (arXiv 1610.02132)"},
       {"int4", "the same with 16 levels"}});
}

struct CompressionRule {
  Compression kind = Compression::kNone;
  double keep = 0.1;    ///< top_k, random_top_k: share of a row's features, in (0, 1]
  double random = 0.1;  ///< random_top_k: probability, in [0, 1)
};

/// k of top_k and random_top_k: ceil(keep features), at least 1.
std::int64_t kept_features(const CompressionRule& rule, std::int64_t features);
/// Bytes of a row on the link. top_k, random_top_k: k floats and k places of ceil(log2 features) bits; int8, int4: the
/// levels, and two floats for their range; none: the floats.
std::int64_t compressed_bytes(const CompressionRule& rule, std::int64_t features);
/// Floats of workspace for compress_rows.
std::int64_t compression_workspace(const CompressionRule& rule, std::int64_t slots, std::int64_t features);

/// Where the random bits of rows live, and which rows they are: purpose kCutUp or kCutDown.
struct RowKeys {
  SampleKeys keys;
  Purpose purpose;
};

/// Every valid slot's row x becomes what arrives of it: zeros for what is left out, or its levels. With error feedback,
/// error[sample] is added before and becomes what got lost, for the sample's next row; [N, features], channels first
/// whatever the layout; empty: none. No sample may be in two slots then. x: [S, features], in place. A row that is not
/// finite stays so.
template <class Context>
void compress_rows(Context& ctx, Slots slots, const PlaneShape& shape, const CompressionRule& rule, const RowKeys& keys,
                   View<float> x, View<float> error, View<float> workspace);

/// Of every sample's row: its largest norm, and the standard deviation of what is then added to each feature.
struct LimitRule {
  double norm = 0.0;   ///< 0: any
  double noise = 0.0;  ///< 0: none
};

/// y = min(1, norm / |x|) x + noise N(0, 1) for every valid slot's row, independent draws for every (sample, epoch,
/// feature). Accounting of what privacy that gives is the user's. x, y: [S, features].
template <class Context>
void limit_rows(Context& ctx, Slots slots, const PlaneShape& shape, const LimitRule& rule, const SampleKeys& keys,
                View<const float> x, View<float> y);

/// Its gradient: dy becomes dx in place. x: what limit_rows was given.
template <class Context>
void limit_rows_backward(Context& ctx, Slots slots, std::int64_t features, const LimitRule& rule, View<const float> x,
                         View<float> dy);

}  // namespace splitsim

// Bodies of kernels/nn/layers/tokens/attention.hpp. A block is a head of a slot.
#pragma once

#include <cmath>

#include "kernels/nn/layers/tokens/attention.hpp"
#include "kernels/nn/support/scratch.hpp"
#include "kernels/nn/support/team_products.hpp"

namespace splitsim {

namespace detail {
/// Channels of one head of a slot, [channels, tokens] in either layout.
template <Layout kLayout, class T>
struct HeadRows {
  T* data;
  std::int32_t channels, tokens;  ///< of the slot
  /// block: of `heads` heads per slot; first: channels before those of the first head.
  PSL_HD HeadRows(T* all, std::int64_t block, const AttentionShape& s, std::int32_t channels_of, std::int32_t first)
      : channels(channels_of), tokens(s.tokens) {
    const std::int64_t slot = block / s.heads;
    const auto head = static_cast<std::int32_t>(block - slot * s.heads);
    const std::int64_t channel = first + head * s.head_channels();
    data = all + slot * channels * tokens + (kLayout == Layout::kChannelsFirst ? channel * tokens : channel);
  }
  PSL_HD T& operator()(std::int32_t c, std::int32_t t) const {
    return kLayout == Layout::kChannelsFirst ? data[c * tokens + t] : data[t * channels + c];
  }
};

template <Layout kLayout>
struct AttentionForward {
  AttentionShape shape;
  const float* x;
  float* weights;
  float* y;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    using In = HeadRows<kLayout, const float>;
    const std::int32_t width = shape.channels, tokens = shape.tokens, n = shape.head_channels();
    const In q(x, block, shape, 3 * width, 0), k(x, block, shape, 3 * width, width),
        v(x, block, shape, 3 * width, 2 * width);
    const HeadRows<kLayout, float> out(y, block, shape, width, 0);
    float* a = weights + block * shape.head_weights();
    const float scale = 1.0f / std::sqrt(static_cast<float>(n));
    outer_products(
        team, tokens, tokens, n, [=](std::int32_t key, std::int32_t c) { return k(c, key); },
        [=](std::int32_t c, std::int32_t query) { return q(c, query); },
        [=](std::int32_t key, std::int32_t query, float sum) { a[key * tokens + query] = scale * sum; });
    team.sync();
    // A member keeps to its queries; what each needs of the softmax lies for a while where its first output will.
    team_range(team, tokens, [=](std::int32_t query) { out(0, query) = a[query]; });
    for (std::int32_t key = 1; key < tokens; ++key) {
      team_range(team, tokens, [=](std::int32_t query) {
        const float score = a[key * tokens + query];
        out(0, query) = score > out(0, query) || score != score ? score : out(0, query);
      });
    }
    for (std::int32_t key = 0; key < tokens; ++key) {
      team_range(team, tokens, [=](std::int32_t query) {
        a[key * tokens + query] = std::exp(a[key * tokens + query] - out(0, query));
      });
    }
    team_range(team, tokens, [=](std::int32_t query) { out(0, query) = a[query]; });
    for (std::int32_t key = 1; key < tokens; ++key) {
      team_range(team, tokens, [=](std::int32_t query) { out(0, query) += a[key * tokens + query]; });
    }
    for (std::int32_t key = 0; key < tokens; ++key) {
      team_range(team, tokens, [=](std::int32_t query) { a[key * tokens + query] /= out(0, query); });
    }
    team.sync();
    outer_products(
        team, n, tokens, tokens, [=](std::int32_t c, std::int32_t key) { return v(c, key); },
        [=](std::int32_t key, std::int32_t query) { return a[key * tokens + query]; },
        [=](std::int32_t c, std::int32_t query, float sum) { out(c, query) = sum; });
  }
};

// With P the weights, dP = dY V^T: dS = P (dP - r), where r of a query, its sum of P dP, is also that of Y dY; and
// dV = P^T dY, dQ = scale dS K, dK = scale dS^T Q.
template <Layout kLayout>
struct AttentionBackward {
  AttentionShape shape;
  const float* x;
  const float* y;
  const float* dy;
  float* weights;
  float* sums;  ///< [S, heads, tokens] r
  float* dx;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    using In = HeadRows<kLayout, const float>;
    using Out = HeadRows<kLayout, float>;
    const std::int32_t width = shape.channels, tokens = shape.tokens, n = shape.head_channels();
    const In q(x, block, shape, 3 * width, 0), k(x, block, shape, 3 * width, width),
        v(x, block, shape, 3 * width, 2 * width);
    const In given(y, block, shape, width, 0), grad(dy, block, shape, width, 0);
    const Out dq(dx, block, shape, 3 * width, 0), dk(dx, block, shape, 3 * width, width),
        dv(dx, block, shape, 3 * width, 2 * width);
    float *a = weights + block * shape.head_weights(), *r = sums + block * tokens;
    const float scale = 1.0f / std::sqrt(static_cast<float>(n));
    team_range(team, tokens, [=](std::int32_t query) { r[query] = 0.0f; });
    for (std::int32_t c = 0; c < n; ++c) {
      team_range(team, tokens, [=](std::int32_t query) { r[query] += given(c, query) * grad(c, query); });
    }
    inner_products(
        team, n, tokens, tokens, [=](std::int32_t c, std::int32_t query) { return grad(c, query); },
        [=](std::int32_t query, std::int32_t key) { return a[key * tokens + query]; },
        [=](std::int32_t c, std::int32_t key, float sum) { dv(c, key) = sum; });
    team.sync();
    outer_products(
        team, tokens, tokens, n, [=](std::int32_t key, std::int32_t c) { return v(c, key); },
        [=](std::int32_t c, std::int32_t query) { return grad(c, query); },
        [=](std::int32_t key, std::int32_t query, float sum) { a[key * tokens + query] *= scale * (sum - r[query]); });
    team.sync();
    outer_products(
        team, n, tokens, tokens, [=](std::int32_t c, std::int32_t key) { return k(c, key); },
        [=](std::int32_t key, std::int32_t query) { return a[key * tokens + query]; },
        [=](std::int32_t c, std::int32_t query, float sum) { dq(c, query) = sum; });
    inner_products(
        team, n, tokens, tokens, [=](std::int32_t c, std::int32_t query) { return q(c, query); },
        [=](std::int32_t query, std::int32_t key) { return a[key * tokens + query]; },
        [=](std::int32_t c, std::int32_t key, float sum) { dk(c, key) = sum; });
  }
};
}  // namespace detail

template <class Context>
void attention_forward(Context& ctx, Slots slots, const AttentionShape& shape, View<const float> x, View<float> weights,
                       View<float> y) {
  const Extent blocks = layer_slots<Context>(slots, shape.heads);
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      return for_each_block(
          ctx, blocks, detail::AttentionForward<Layout::kChannelsFirst>{shape, x.data(), weights.data(), y.data()});
    }
  }
  for_each_block(ctx, blocks,
                 detail::AttentionForward<Layout::kChannelsLast>{shape, x.data(), weights.data(), y.data()});
}

template <class Context>
std::int64_t attention_workspace(Context&, const AttentionShape& shape, std::int32_t max_slots) {
  return std::int64_t{max_slots} * shape.heads * shape.tokens;
}

template <class Context>
void attention_backward(Context& ctx, Slots slots, const AttentionShape& shape, const Backprop& io, View<float> weights,
                        View<float> workspace) {
  const Extent blocks = layer_slots<Context>(slots, shape.heads);
  const auto run = [&](auto body) { for_each_block(ctx, blocks, body); };
  if constexpr (!Context::kIsDevice) {
    if (shape.layout == Layout::kChannelsFirst) {
      return run(detail::AttentionBackward<Layout::kChannelsFirst>{shape, io.x.data(), io.y.data(), io.dy.data(),
                                                                   weights.data(), workspace.data(), io.dx.data()});
    }
  }
  run(detail::AttentionBackward<Layout::kChannelsLast>{shape, io.x.data(), io.y.data(), io.dy.data(), weights.data(),
                                                       workspace.data(), io.dx.data()});
}

}  // namespace splitsim

// What is made for every backend C.
#define SPLITSIM_UNIT(C)                                                                                          \
  template void attention_forward(C&, Slots, const AttentionShape&, View<const float>, View<float>, View<float>); \
  template std::int64_t attention_workspace(C&, const AttentionShape&, std::int32_t);                             \
  template void attention_backward(C&, Slots, const AttentionShape&, const Backprop&, View<float>, View<float>);

// The loss of one slot.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/device/macros.hpp"
#include "kernels/nn/loss.hpp"

namespace splitsim::detail {

/// -q^g log p of a probability p and q = 1 - p > 0, and what its slope in the logits is times that of -log p.
struct FocalLoss {
  float loss, factor;
};

/// cross_entropy: -log p, which near p = 1 has lost what q still has; near p = 0 it is the other way round.
PSL_HD inline FocalLoss focal_loss(float gamma, float p, float q, float cross_entropy) {
  const float power = p < 0.5f ? std::exp(gamma * std::log1p(-p)) : std::pow(q, gamma);
  const float minus_log_p = q < 0.5f ? -std::log1p(-q) : cross_entropy;
  // q^(g - 1) would be infinite at q = 0 for g < 1; -log p / q goes to 1.
  const float over_q = q > 0.0f ? minus_log_p / q : 1.0f;
  return {power * minus_log_p, power * (1.0f + gamma * p * over_q)};
}

struct SoftmaxCrossEntropy {
  const std::int32_t* slots;
  std::int32_t classes;
  float smoothing, focal_gamma;
  const float* logits;
  const std::int32_t* label;
  const float* weight;
  float* loss;
  std::int32_t* correct;
  std::int32_t* predicted;
  float* dlogits;

  PSL_HD void operator()(std::int64_t slot) const {
    float* gradient = dlogits == nullptr ? nullptr : dlogits + slot * classes;
    if (slot >= *slots) {
      loss[slot] = 0.0f;
      correct[slot] = 0;
      if (predicted != nullptr) predicted[slot] = 0;
      for (std::int32_t c = 0; gradient != nullptr && c < classes; ++c) gradient[c] = 0.0f;
      return;
    }
    const float* z = logits + slot * classes;
    std::int32_t best = 0;
    for (std::int32_t c = 1; c < classes; ++c) best = z[c] > z[best] ? c : best;
    const float top = z[best];
    float sum = 0.0f;
    for (std::int32_t c = 0; c < classes; ++c) {
      const float e = std::exp(z[c] - top);
      if (gradient != nullptr) gradient[c] = e;
      sum += e;
    }
    const std::int32_t truth = label[slot];
    const float log_sum = std::log(sum);
    loss[slot] = log_sum - (z[truth] - top);
    if (smoothing != 0.0f) {
      float mean = 0.0f;  // of -log p
      for (std::int32_t c = 0; c < classes; ++c) mean += log_sum - (z[c] - top);
      loss[slot] = (1.0f - smoothing) * loss[slot] + smoothing * (mean / static_cast<float>(classes));
    }
    float focal = 1.0f;
    if (focal_gamma != 0.0f) {
      float others = 0.0f;  // 1 - p without a difference of near numbers
      for (std::int32_t c = 0; c < classes; ++c) others += c == truth ? 0.0f : std::exp(z[c] - top);
      const FocalLoss of = focal_loss(focal_gamma, std::exp(z[truth] - top) / sum, others / sum, loss[slot]);
      loss[slot] = of.loss;
      focal = of.factor;
    }
    correct[slot] = best == truth ? 1 : 0;
    if (predicted != nullptr) predicted[slot] = best;
    if (gradient == nullptr) return;
    const float w = focal_gamma != 0.0f ? weight[slot] * focal : weight[slot];
    const float others = smoothing / static_cast<float>(classes), own = 1.0f - smoothing + others;
    for (std::int32_t c = 0; c < classes; ++c) gradient[c] = w * (gradient[c] / sum - (c == truth ? own : others));
  }
};

inline SoftmaxCrossEntropy loss_of(Slots slots, const CrossEntropyShape& shape, const CrossEntropyInput& in,
                                   const CrossEntropyOutput& out) {
  return {slots.count,        shape.classes,        shape.smoothing,   shape.focal_gamma,
          in.logits.data(),   in.label.data(),      in.weight.data(),  out.loss.data(),
          out.correct.data(), out.predicted.data(), out.dlogits.data()};
}

}  // namespace splitsim::detail

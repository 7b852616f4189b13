// Softmax cross-entropy and focal loss per slot. Ring R1. Determinism: exact on one backend (the device's expf, logf
// and powf differ from the host's).
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"
#include "kernels/nn/support/grouped.hpp"

namespace splitsim {

struct CrossEntropyShape {
  std::int32_t classes;
  float smoothing = 0.0f;    ///< e in [0, 1]; 0 with a focal loss
  float focal_gamma = 0.0f;  ///< g >= 0; 0: the cross-entropy, bit for bit
};
struct CrossEntropyInput {
  View<const float> logits;        ///< [S, classes]
  View<const std::int32_t> label;  ///< [S]
  View<const float> weight;        ///< [S], of the gradient
};
struct CrossEntropyOutput {
  View<float> loss;              ///< [S]
  View<std::int32_t> correct;    ///< [S]
  View<std::int32_t> predicted;  ///< [S] or empty
  View<float> dlogits;           ///< [S, classes] or empty: evaluation only
};

/// For each valid slot s: loss[s] = -log softmax(logits[s])[label[s]], correct[s] = (argmax == label), and
/// dlogits[s] = weight[s] (softmax - onehot). With smoothing e, as in torch.nn.CrossEntropyLoss, the target is
/// (1 - e) onehot + e / classes in both. With g > 0 it is the focal loss (arXiv 1708.02002): for p = softmax[label] and
/// q = 1 - p, loss[s] = -q^g log p, and dlogits[s] gets the factor q^g (1 - g p log p / q), which is its limit 0 at q =
/// 0: finite for all finite logits and g <= 1000. Empty slots get loss 0, correct 0, dlogits 0 by selection, never by
/// multiplication.
template <class Context>
void softmax_cross_entropy(Context& ctx, Slots slots, const CrossEntropyShape& shape, const CrossEntropyInput& in,
                           const CrossEntropyOutput& out);

}  // namespace splitsim

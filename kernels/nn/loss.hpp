// Softmax cross-entropy per slot. Ring R1. Determinism: exact on one backend (the device's expf/logf differ from the
// host's).
#pragma once

#include <cstdint>

#include "kernels/device/view.hpp"

namespace splitsim {

/// For each valid slot s: loss[s] = -log softmax(logits[s])[label[s]], correct[s] = (argmax == label), and
/// dlogits[s] = weight[s] (softmax - onehot). With smoothing e in [0, 1], as in torch.nn.CrossEntropyLoss, the target
/// is (1 - e) onehot + e / classes in both. Empty slots get loss 0, correct 0, dlogits 0 by selection, never by
/// multiplication. logits, dlogits: [S, classes] (dlogits empty: evaluation only); label, weight, loss, correct: [S];
/// predicted: [S] or empty.
template <class Context>
void softmax_cross_entropy(Context& ctx, const std::int32_t* slots, std::int32_t max_slots, std::int32_t classes,
                           float smoothing, View<const float> logits, View<const std::int32_t> label,
                           View<const float> weight, View<float> loss, View<std::int32_t> correct,
                           View<std::int32_t> predicted, View<float> dlogits);

}  // namespace splitsim

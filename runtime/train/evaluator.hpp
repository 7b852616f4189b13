// Forward passes over a fixed set of images with one replica per side: loss and confusion matrix. Where a side has
// several, that is one of them or their weighted average, BatchNorms' running means and variances averaged like the
// parameters.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "kernels/device/context.hpp"
#include "kernels/nn/evaluation.hpp"
#include "runtime/train/device_dataset.hpp"
#include "runtime/train/layer_stack.hpp"

namespace splitsim {

struct Evaluation {
  double loss = 0.0;                    ///< mean cross-entropy
  std::vector<std::int32_t> confusion;  ///< [classes, classes], row = label, column = prediction
};

enum class EvaluationSet : std::uint8_t { kTest, kValidation };

template <class Context>
class Evaluator {
 public:
  /// Plans only. images: of the test and of the validation set. batch: images per forward pass. client_weights: [G]
  /// weights of the client replicas (n_k / N), used
  /// when a side has more than one replica: evaluation runs on their weighted average. features: as the engine's whose
  /// parameters are evaluated. `network` must outlive the evaluator.
  Evaluator(Context& ctx, const Network& network, std::int32_t batch, const std::int64_t (&images)[2],
            const std::vector<double>& client_weights, std::optional<Layout> features = {});

  const std::vector<MemoryItem>& plan() const { return plan_; }
  /// data: the test images, then those for validation.
  void start(const DeviceImages<Context>& data, const GatherShape& gather);
  static constexpr std::int64_t kAverage = -1;
  /// parameters: an engine's, of each side; replicas: G; which: kAverage, or the replica of sides that have
  /// several. limit > 0: only the first so many images of a random order that depends on the gather's seed alone.
  /// Synchronises.
  Evaluation evaluate(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2],
                      std::int64_t which = kAverage, std::int64_t limit = 0, EvaluationSet set = EvaluationSet::kTest);
  /// The replica that kAverage evaluates, [replica_size] of a side. Synchronises.
  std::vector<float> average(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2], int side);

 private:
  void layout(Arena<Context>& arena);
  TwoSides chosen(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2], std::int64_t which);

  Context& ctx_;
  const Network& network_;
  std::int32_t batch_;
  std::int64_t images_[2], batches_;
  std::vector<double> client_weights_;
  LayerStack<Context> stack_;
  std::vector<MemoryItem> plan_;
  Arena<Context> arena_;
  EvalTables tables_;
  TwoSides average_;
  View<double> weights_, loss_sums_;
  View<float> loss_, unit_;
  View<std::int32_t> ids_, correct_, predicted_, confusion_;
  const DeviceImages<Context>* data_ = nullptr;
  GatherShape gather_{};
};

}  // namespace splitsim

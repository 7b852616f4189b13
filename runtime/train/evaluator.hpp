// Forward passes over a fixed set of images: loss and confusion matrix. Where a side has several replicas, of their weighted
// average (BatchNorms' running means and variances averaged like the parameters) or of each of them; on a GPU many in one
// pass. On a GPU the passes are one captured graph, and the host waits once for all of them.
// Determinism: as the engine's; on the CPU what a replica gets does not depend on which others are tested with it, on a GPU up
// to rounding (the number of slots decides who does a product).
#pragma once

#include <cstdint>
#include <memory>
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

struct EvaluatorSettings {
  std::int32_t batch = 256;                 ///< images per forward pass and replica
  std::int64_t images[2] = {0, 0};          ///< of the test and of the validation set
  std::vector<double> weights[2] = {};      ///< [G] by side, of the average, where it has more than one replica
  bool each[2] = {false, false};            ///< sides whose replicas will be tested by themselves, and many of them
  Precision precision = Precision::kFp32;
  std::optional<Layout> layout = {};  ///< as the engine's whose parameters are evaluated
};

/// What evaluate() shall test.
struct EvaluationRequest {
  std::vector<std::int32_t> replicas = {};  ///< of sides that have several; empty: their average
  std::int64_t limit =
      0;  ///< > 0: only the first so many images of a random order that depends on the gather's seed alone
  EvaluationSet set = EvaluationSet::kTest;
};

template <class Context>
class Evaluator {
 public:
  /// Plans only. `network` must outlive the evaluator.
  Evaluator(Context& ctx, const Network& network, const EvaluatorSettings& settings);

  const std::vector<MemoryItem>& plan() const { return plan_; }
  /// data: the test images, then those for validation.
  void start(const DeviceImages<Context>& data, const GatherShape& gather, const GatherSource& source);
  /// parameters: an engine's, of each side; replicas: G. A result for each replica of the request, or one for the
  /// average. Synchronises.
  std::vector<Evaluation> evaluate(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2],
                                   const EvaluationRequest& request = {});
  /// The average that is evaluated, [replica_size] of a side. Synchronises.
  std::vector<float> average(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2], int side);

 private:
  /// Replicas that are tested before the host reads, and slots of a pass on a GPU where it can be filled with replicas.
  static constexpr std::int64_t kMostTested = 256, kSlotsTogether = 1024;

  void layout(Arena<Context>& arena);
  View<float> average_of(const View<const float> (&parameters)[2], const std::int64_t (&replicas)[2], int side);
  void run(const TwoSides& parameters, const StackMaps& maps, std::int32_t passes);
  void pass(const TwoSides& parameters, const StackMaps& maps);

  Context& ctx_;
  const Network& network_;
  EvaluatorSettings settings_;
  std::int64_t most_tested_, together_, passes_;  // passes: at most, of a request
  LayerStack<Context> stack_;
  std::vector<MemoryItem> plan_;
  Arena<Context> arena_;
  EvalTables tables_;
  EvalResults results_;
  TwoSides average_;
  View<double> weights_[2];
  View<float> loss_, unit_;
  View<std::int32_t> ids_, correct_, predicted_;
  const DeviceImages<Context>* data_ = nullptr;
  GatherShape gather_{};
  View<GatherSource> source_;
  bool warm_ = false;                              // a pass has run
  std::shared_ptr<void> graph_;                    // a captured pass
  const float* captured_[2] = {nullptr, nullptr};  // on which parameters, by side
};

}  // namespace splitsim

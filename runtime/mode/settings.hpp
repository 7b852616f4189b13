// Settings of training and of its tests.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"
#include "kernels/nn/replicas.hpp"
#include "kernels/primitives/precision.hpp"
#include "samplers/schedule/service_order.hpp"

namespace splitsim {

/// How learning rates change.
enum class RateSchedule : std::uint8_t { kConstant, kCosine, kStep, kMultistep };
constexpr auto names_of(RateSchedule) {
  return named_values<RateSchedule>({{"constant", "lr throughout"},
                                     {"cosine", "to 0 at the run's last step, per step"},
                                     {"step", "times gamma after every step_epochs"},
                                     {"multistep", "times gamma after each of the milestones"}});
}

/// client_optimizer and server_optimizer. Names and meanings as in torch.optim.
struct OptimizerSettings : OptimizerNumbers {
  std::string kind = "sgd";  ///< see optimizers()
  double lr = 0.02;
  double clip_norm = 0.0;           ///< largest gradient norm of a replica; 0: any
  RateSchedule schedule = RateSchedule::kCosine;
  std::int64_t step_epochs = 30;    ///< step: times gamma after every so many epochs
  std::vector<std::int64_t> milestones = {};  ///< multistep: times gamma after these epochs
  double gamma = 0.1;
  double warmup_epochs = 0.0;  ///< linear from 0 over this many epochs
};

/// psl: how client gradients combine.
enum class ClientReduce : std::uint8_t { kSum, kMean };
constexpr auto names_of(ClientReduce) {
  return named_values<ClientReduce>({{"sum", "the pooled batch's gradient"},
                                     {"mean", "scaled by 1 / active clients"}});
}

/// Modes whose clients have halves of their own: scale of the cut gradient.
enum class ClientScale : std::uint8_t { kUnion, kOwn };
constexpr auto names_of(ClientScale) {
  return named_values<ClientScale>({{"union", "as in the pooled batch"},
                                    {"own", "as if the client's batch were alone"}});
}

/// psl: how the shared client half is kept.
enum class ClientReplicas : std::uint8_t { kTied, kMaterialised };
constexpr auto names_of(ClientReplicas) {
  return named_values<ClientReplicas>({{"tied", "one client half for all"},
                                       {"materialised", "K equal halves that step alike: the same training"}});
}

/// cpsl: whose the client half is.
enum class ClusterHalf : std::uint8_t { kOwn, kPassed };
constexpr auto names_of(ClusterHalf) {
  return named_values<ClusterHalf>(
      {{"own", "every cluster keeps one"}, {"passed", "one for all, passed from cluster to cluster"}});
}

/// What is minimised over a sample's logits.
enum class LossKind : std::uint8_t { kCrossEntropy, kFocal };
constexpr auto names_of(LossKind) {
  return named_values<LossKind>(
      {{"cross_entropy", "-log p of the label"}, {"focal", "-(1 - p)^focal_gamma log p (arXiv 1708.02002)"}});
}

/// What a sample's gradient is multiplied by, beside the weight of a mean.
enum class SampleWeights : std::uint8_t { kNone, kClassBalanced, kAbsgd };
constexpr auto names_of(SampleWeights) {
  return named_values<SampleWeights>({{"none", "all alike"},
                                      {"class_balanced", "rare classes weigh more (arXiv 1901.05555)"},
                                      {"absgd", "by its loss, at a server with one half (arXiv 2012.06951)"}});
}

/// When a loss is not finite.
enum class OnNonfinite : std::uint8_t { kStop, kContinue };
constexpr auto names_of(OnNonfinite) {
  return named_values<OnNonfinite>({{"stop", "end the run, exit code 4"},
                                    {"continue", "record it and go on"}});
}

/// Keys of [train].
struct TrainSettings {
  std::string mode = "psl";  ///< see mode_infos()
  std::int32_t epochs = 5;
  ClientReduce client_reduce = ClientReduce::kSum;
  ClientScale client_scale = ClientScale::kUnion;
  ClientReplicas replicas = ClientReplicas::kTied;
  ClusterHalf cluster_half = ClusterHalf::kOwn;
  double mix = 1.0;        ///< sglr, epsl: share phi of a client's places whose gradients are averaged over clients
  double align = 0.5;      ///< gapsl: how far gradients are turned to the leader's
  double proximal = 0.01;  ///< fedprox: mu
  std::int64_t upload_every = 1;  ///< cse_fsl, fsl_an: h, smashed data cross in every so many-th step of an epoch
  std::int64_t round =
      0;  ///< steps per round (modes that average, clock.model_sync, clients.participation); 0: an epoch
  AverageWeights fedavg_weights = AverageWeights::kSamples;
  ServiceOrder service_order = ServiceOrder::kCyclic;  ///< sflv2, sl
  Precision precision = Precision::kFp32;  ///< of products, in training and tests
  std::string conv_table;  ///< a GPU's: measured convolutions, of splitsim-bench --tune
  LossKind loss = LossKind::kCrossEntropy;
  double focal_gamma = 2.0;  ///< focal: g
  double label_smoothing = 0.0;
  SampleWeights weights = SampleWeights::kNone;
  double balance = 0.9999;      ///< class_balanced: b in [0, 1]
  double absgd_lambda = 5.0;    ///< absgd: not 0
  double absgd_momentum = 0.1;  ///< absgd: m in (0, 1]
  OnNonfinite on_nonfinite = OnNonfinite::kStop;
  std::int32_t checkpoint_epochs = 1;  ///< a checkpoint after every so many; 0: none
  OptimizerSettings client_optimizer;
  OptimizerSettings server_optimizer;
};

inline const OptimizerSettings& optimizer_of(const TrainSettings& train, int side) {
  return side == 0 ? train.client_optimizer : train.server_optimizer;
}

/// Which halves are tested where clients have their own.
enum class EvalReplicas : std::uint8_t { kAverage, kEach, kOne };
constexpr auto names_of(EvalReplicas) {
  return named_values<EvalReplicas>({{"average", "the halves' average, weighted by n_k"},
                                     {"each", "every client's, the mean of their figures"},
                                     {"one", "one client's"}});
}

/// Keys of [eval].
struct EvalSettings {
  std::int32_t every_epochs = 1;     ///< 0: only after the last epoch
  std::int32_t batch = 256;          ///< test images per forward pass
  std::int32_t every_steps = 0;      ///< also test within epochs, after every so many steps of the run; 0: never
  std::int32_t step_images = 0;      ///< on so many test images, always the same random ones; 0: all
  double stop_at_accuracy = 0.0;     ///< end the run at the first test that reaches it; 0: never
  EvalReplicas replicas = EvalReplicas::kAverage;
  std::int32_t client = 0;           ///< replicas = one: whose
};

}  // namespace splitsim

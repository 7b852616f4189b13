// Keys of [train].
#include <algorithm>

#include "kernels/device/context.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"
#include "runtime/config/keys/key_builders.hpp"
#include "runtime/mode/mode.hpp"

namespace splitsim::key_table {

namespace {

// The rows are the same on every backend.
std::vector<std::string> optimizers_that_read(const std::string& number) {
  std::vector<std::string> names;
  for (const auto& row : optimizers<CpuContext>()) {
    if (std::find(row.reads.begin(), row.reads.end(), number) != row.reads.end()) names.push_back(row.name);
  }
  return names;
}

template <auto Side>
void add_optimizer(std::vector<Key>& keys, const std::string& table) {
  using O = OptimizerSettings;
  const auto readers = [&](const char* number) { return Condition{table + ".kind", optimizers_that_read(number)}; };
  keys.insert(
      keys.end(),
      {listed(table + ".kind", optimizer_at<Side, &O::kind>, choices_of(optimizers<CpuContext>()),
              "optimizer"),
       real(table + ".lr", optimizer_at<Side, &O::lr>, 0.0, kUnbounded, "", "learning rate"),
       real(table + ".momentum", optimizer_at<Side, &O::momentum>, 0.0, kBelowOne, "", "sgd: momentum")
           .when({readers("momentum")}),
       real(table + ".dampening", optimizer_at<Side, &O::dampening>, 0.0, 1.0, "",
            "sgd: of the momentum, but on a replica's first step")
           .when({readers("dampening"), {table + ".momentum", {}}}),
       flag(table + ".nesterov", optimizer_at<Side, &O::nesterov>,
            "sgd: Nesterov momentum (needs momentum > 0, no dampening)")
           .when({readers("nesterov")}),
       real(table + ".beta1", optimizer_at<Side, &O::beta1>, 0.0, kBelowOne, "", "adam, adamw: of the first moment")
           .when({readers("beta1")}),
       real(table + ".beta2", optimizer_at<Side, &O::beta2>, 0.0, kBelowOne, "", "adam, adamw: of the second moment")
           .when({readers("beta2")}),
       positive(table + ".eps", optimizer_at<Side, &O::eps>, "", "adam, adamw: added to the root")
           .when({readers("eps")}),
       real(table + ".weight_decay", optimizer_at<Side, &O::weight_decay>, 0.0, kUnbounded, "",
            "sgd, adam: L2, added to the gradient; adamw: decoupled"),
       real(table + ".clip_norm", optimizer_at<Side, &O::clip_norm>, 0.0, kUnbounded, "",
            "largest norm of a replica's gradient on this side, longer ones are shortened; 0: any"),
       choice(table + ".schedule", optimizer_at<Side, &O::schedule>, "learning-rate schedule"),
       integer(table + ".step_epochs", optimizer_at<Side, &O::step_epochs>, 1, kMaxEpochs, "epochs", "schedule = step")
           .when({{table + ".schedule", {"step"}}}),
       Key{table + ".milestones", IntegersRule{optimizer_at<Side, &O::milestones>, 1, kMaxEpochs}, "epochs",
           "schedule = multistep"}
           .when({{table + ".schedule", {"multistep"}}}),
       real(table + ".gamma", optimizer_at<Side, &O::gamma>, 0.0, kUnbounded, "", "schedule = step, multistep")
           .when({{table + ".schedule", {"step", "multistep"}}}),
       real(table + ".warmup_epochs", optimizer_at<Side, &O::warmup_epochs>, 0.0, static_cast<double>(kMaxEpochs),
            "epochs", "linear warm-up of lr")});
}

}  // namespace

std::vector<Key> train_keys() {
  using S = TrainSettings;
  std::vector<Key> keys = {
      named("train.mode", at<&S::mode>, mode_infos(), "learning mode"),
      integer("train.epochs", at<&S::epochs>, 1, kMaxEpochs, "epochs", "passes over the training set"),
      choice("train.client_reduce", at<&S::client_reduce>, "psl: how client gradients combine")
          .when({{"train.mode", {"psl"}}}),
      choice("train.client_scale", at<&S::client_scale>, "clients with halves of their own: scale of the cut gradient")
          .when({{"train.mode", {"psl_local", "sglr", "epsl", "gapsl", "gcpsl", "minibatch_sfl"}}}),
      choice("train.replicas", at<&S::replicas>, "psl: how the shared client half is kept")
          .when({{"train.mode", {"psl"}}}),
      choice("train.cluster_half", at<&S::cluster_half>, "cpsl: whose the client half is")
          .when({{"train.mode", {"cpsl"}}}),
      real("train.mix", at<&S::mix>, 0.0, 1.0, "",
           "sglr, epsl: share of a client's places whose gradients become their mean over the clients")
          .when({{"train.mode", {"sglr", "epsl"}}}),
      real("train.align", at<&S::align>, 0.0, 1.0, "",
           "gapsl: how far gradients are turned to the leader's; 1: all the way")
          .when({{"train.mode", {"gapsl"}}}),
      real("train.proximal", at<&S::proximal>, 0.0, kUnbounded, "", "fedprox: mu, pull to where the round began")
          .when({{"train.mode", {"fedprox"}}}),
      integer("train.upload_every", at<&S::upload_every>, 1, kMaxInt32, "steps",
              "cse_fsl, fsl_an: smashed data cross in every so many-th step of an epoch")
          .when({{"train.mode", modes_where([](const ModeMap& m) { return m.local_loss; })}}),
      integer("train.round", at<&S::round>, 0, kMaxInt32, "steps",
              "modes that average and clock.model_sync = round: steps per round, an epoch's last may be shorter; 0: an "
              "epoch")
          .when({{"train.mode", modes_where([](const ModeMap& m) { return m.averages(); })}})
          .when({{"clock.model_sync", {"round"}}}),
      choice("train.fedavg_weights", at<&S::fedavg_weights>,
             "modes that average: weights of those that stepped in a round")
          .when({{"train.mode", modes_where([](const ModeMap& m) { return m.averages(); })}}),
      choice("train.service_order", at<&S::service_order>,
             "sflv2, sl, cpsl: in which order the clients, or clusters, of a step take their turns")
          .when({{"train.mode", modes_where([](const ModeMap& m) { return m.deals(); })}}),
      choice("train.precision", at<&S::precision>, "of products, in training and tests; not fp32: a GPU's"),
      path_to("train.conv_table", at<&S::conv_table>,
              "file of splitsim-bench --tune: which convolutions are cuDNN's, which ours; empty: cuDNN's where it can"),
      choice("train.loss", at<&S::loss>, "of a sample; tests report the cross-entropy in any case"),
      real("train.focal_gamma", at<&S::focal_gamma>, 0.0, 1000.0, "", "focal: exponent; 0: the cross-entropy")
          .when({{"train.loss", {"focal"}}}),
      real("train.label_smoothing", at<&S::label_smoothing>, 0.0, 1.0, "",
           "as torch.nn.CrossEntropyLoss; not with loss = focal"),
      choice("train.weights", at<&S::weights>,
             "of samples, in gradients only: what a sample's gradient is multiplied by"),
      real("train.balance", at<&S::balance>, 0.0, 1.0, "",
           "class_balanced: b of (1 - b) / (1 - b^n), n: training samples of the class; 0: none, 1: 1 / n")
          .when({{"train.weights", {"class_balanced"}}}),
      real("train.absgd_lambda", at<&S::absgd_lambda>, -kUnbounded, kUnbounded, "",
           "absgd: weights grow with exp(loss / lambda); negative: hard samples weigh less; not 0")
          .when({{"train.weights", {"absgd"}}}),
      share("train.absgd_momentum", at<&S::absgd_momentum>, "absgd: of a step's mean in the running mean of weights")
          .when({{"train.weights", {"absgd"}}}),
      choice("train.on_nonfinite", at<&S::on_nonfinite>, "when a loss is not finite"),
      integer("train.checkpoint_epochs", at<&S::checkpoint_epochs>, 0, kMaxEpochs, "epochs",
              "checkpoint after every so many, for --resume; 0: none"),
  };
  add_optimizer<&TrainSettings::client_optimizer>(keys, "train.client_optimizer");
  add_optimizer<&TrainSettings::server_optimizer>(keys, "train.server_optimizer");
  return keys;
}

}  // namespace splitsim::key_table

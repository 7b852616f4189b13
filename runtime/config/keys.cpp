#include "runtime/config/keys.hpp"

#include <fmt/format.h>

#include <iterator>
#include <limits>
#include <type_traits>
#include <utility>

#include "runtime/model/models.hpp"
#include "runtime/train/modes.hpp"

namespace splitsim {

namespace {

constexpr std::int64_t kMaxInt32 = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kMaxInt64 = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kMaxEpochs = (std::int64_t{1} << 24) - 1;  // an epoch has 24 bits in a random address
constexpr double kUnbounded = std::numeric_limits<double>::infinity();
constexpr double kBelowOne = 1.0 - 0x1p-53;  // the largest number < 1
constexpr double kMaxServerMs = 1e6;         // a run's sum of nanoseconds stays within 63 bits

// at<&SamplerSettings::batch>: the field of that section in a config.
template <class S, class T>
S section_type(T S::*);
template <class Section>
Section& section(Config& c) {
  if constexpr (std::is_same_v<Section, Config>) return c;
  if constexpr (std::is_same_v<Section, DataSettings>) return c.data;
  if constexpr (std::is_same_v<Section, PartitionSettings>) return c.partition;
  if constexpr (std::is_same_v<Section, SamplerSettings>) return c.sampler;
  if constexpr (std::is_same_v<Section, ModelSettings>) return c.model;
  if constexpr (std::is_same_v<Section, TrainSettings>) return c.train;
  if constexpr (std::is_same_v<Section, EvalSettings>) return c.eval;
  if constexpr (std::is_same_v<Section, LatencySettings>) return c.clock;
}
template <auto Member>
auto& at(Config& c) {
  return section<decltype(section_type(Member))>(c).*Member;
}
template <auto Side, auto Member>
auto& optimizer_at(Config& c) {
  return c.train.*Side.*Member;
}

template <class T>
Key integer(std::string path, T& (*field)(Config&), std::int64_t low, std::int64_t high, std::string unit,
            std::string help) {
  return {std::move(path), IntegerRule{field, low, high}, std::move(unit), std::move(help)};
}
Key real(std::string path, Field<double> field, double low, double high, std::string unit, std::string help) {
  return {std::move(path), RealRule{field, low, high}, std::move(unit), std::move(help)};
}
Key positive(std::string path, Field<double> field, std::string unit, std::string help) {
  return {std::move(path), RealRule{field, 0.0, kUnbounded, true}, std::move(unit), std::move(help)};
}
Key flag(std::string path, Field<bool> field, std::string help) {
  return {std::move(path), FlagRule{field}, "", std::move(help)};
}
Key choice(std::string path, Field<std::string> field, std::vector<Choice> choices, std::string help) {
  return {std::move(path), ChoiceRule{field, std::move(choices), false}, "", std::move(help)};
}
Key text(std::string path, Field<std::string> field, std::string help) {
  return {std::move(path), TextRule{field, false}, "", std::move(help)};
}
Key path_to(std::string path, Field<std::string> field, std::string help) {
  return {std::move(path), TextRule{field, true}, "", std::move(help)};
}
Key draw(std::string path, Field<Distribution> field, DistributionUse use, std::string unit, std::string help) {
  return {std::move(path), DistributionRule{field, use}, std::move(unit), std::move(help)};
}

template <class Infos>
Key named(std::string path, Field<std::string> field, const Infos& registry, std::string help) {
  std::vector<Choice> choices;
  for (const auto& info : registry) choices.push_back({info.name, info.summary});
  return {std::move(path), ChoiceRule{field, std::move(choices), true}, "", std::move(help)};
}

std::vector<Key> data_keys() {
  using S = DataSettings;
  return {
      named("data.name", at<&S::name>, dataset_infos(), "data set"),
      path_to("data.dir", at<&S::dir>, "folder of the data set's files (glyphs needs none)"),
      integer("data.augment.crop_pad", at<&S::crop_pad>, 0, 64, "pixels",
              "zero-pad the image, then crop at random; 0: off"),
      flag("data.augment.flip", at<&S::flip>, "flip horizontally with probability 1/2"),
  };
}

std::vector<Key> partition_keys() {
  using S = PartitionSettings;
  return {
      named("partition.kind", at<&S::kind>, partition_kinds(), "how samples are dealt to clients"),
      integer("partition.clients", at<&S::clients>, 1, kMaxInt32, "clients", "K, at most the number of samples"),
      positive("partition.alpha", at<&S::alpha>, "", "Dirichlet concentration: small is uneven"),
      integer("partition.classes_per_client", at<&S::classes_per_client>, 1, kMaxInt32, "classes",
              "extended_dirichlet: classes that each client holds"),
      choice("partition.rule", at<&S::rule>,
             {{"balanced", "classes drawn so far are drawn less (paper's code)"},
              {"original", "uniform class choice, sizes balanced (arXiv 2302.01633)"}},
             "extended_dirichlet: how classes are chosen"),
      integer("partition.shards_per_client", at<&S::shards_per_client>, 1, kMaxInt32, "shards",
              "shards: label-sorted pieces per client"),
      integer("partition.labels_per_client", at<&S::labels_per_client>, 1, kMaxInt32, "classes",
              "label_count: labels per client"),
      integer("partition.min_samples", at<&S::min_samples>, 0, kMaxInt32, "samples",
              "every client gets at least this many"),
      path_to("partition.file", at<&S::file>, "file: .npy with the client of every sample, int32 [N]"),
  };
}

std::vector<Key> sampler_keys() {
  using S = SamplerSettings;
  return {
      named("sampler.kind", at<&S::kind>, sampler_infos(), "who trains on what, in which step"),
      integer("sampler.batch", at<&S::batch>, 1, kMaxInt32, "samples", "B, the global batch size"),
      choice("sampler.chunks", at<&S::chunks>,
             {{"even", "sizes differ by at most 1"}, {"last_short", "full batches, then the rest"}},
             "keyed samplers: how an epoch is cut into batches"),
      real("sampler.delta", at<&S::delta>, -kUnbounded, kUnbounded, "",
           "urn, lds: weight of the z-scored delay; > 0 draws slow clients first"),
      choice("sampler.delay_signal", at<&S::delay_signal>,
             {{"participation", "the delay per participation"},
              {"typical_step", "delay plus compute and links of a typical local batch"}},
             "which delay the delay-aware samplers see"),
      positive("sampler.concentration", at<&S::concentration>, "", "lds: c, the weight of the prior"),
      integer("sampler.observed", at<&S::observed>, 1, kMaxInt32, "labels",
              "lds: S, labels observed per epoch, at most half of them"),
      choice("sampler.prior", at<&S::prior>,
             {{"mean", "MAP under Dir(alpha + 1) (ours)"}, {"mode", "MAP under Dir(alpha), all alpha >= 1"}},
             "lds: how the prior is read"),
      choice("sampler.estimate", at<&S::estimate>,
             {{"map", "the MAP estimate"},
              {"draw", "a posterior draw for every step (ours)"},
              {"prior", "none: the odds of urn (ours)"}},
             "lds: the shares that a step uses"),
      choice("sampler.depletion", at<&S::depletion>,
             {{"odds", "sequential draws without replacement"},
              {"renormalise", "categorical over the clients that still have data"}},
             "lds: what becomes of the odds of depleted clients"),
      choice("sampler.reestimate", at<&S::reestimate>,
             {{"never", "once per epoch"},
              {"on_depletion", "after a client has run out"},
              {"every_step", "before every step"}},
             "lds: when the shares are estimated anew"),
      path_to("sampler.file", at<&S::file>, "file: a saved schedule, .npy int32 [slots, 3]"),
      integer("sampler.local_epochs", at<&S::local_epochs>, 1, kMaxInt32, "passes",
              "relay: a client's passes over its data at its turn"),
  };
}

std::vector<Key> model_keys() {
  using S = ModelSettings;
  const std::vector<Choice> norms = {{"group", "GroupNorm(gcd(32, channels)), cnn: GroupNorm(8)"},
                                     {"batch", "BatchNorm"},
                                     {"none", "no norm; convolutions keep their bias"}};
  return {
      named("model.name", at<&S::name>, model_infos(), "network"),
      text("model.cut", at<&S::cut>, "the client runs the layers up to and including this one, or this group of them"),
      integer("model.width", at<&S::width>, 0, 65536, "channels",
              "cnn, resnet*, vgg*: of the first stage, the others in proportion; 0: the model's own"),
      choice("model.client_norm", at<&S::client_norm>, norms, "the model's norms on the client"),
      choice("model.server_norm", at<&S::server_norm>, norms, "the model's norms on the server"),
      choice("model.client_norm_statistics", at<&S::client_norm_statistics>,
             {{"client", "each client normalises over its own samples of the step"},
              {"pooled", "over all samples of the step"}},
             "client BatchNorm while training"),
      choice("model.init", at<&S::init>,
             {{"torch", "as torch.nn's layers"}, {"kaiming", "convolutions as torchvision's ResNets, biases 0"}},
             "initial weights"),
      {"model.layers", LayersRule{at<&S::layers>}, "", "layers: a list of tables, see below"},
  };
}

template <auto Side>
void add_optimizer(std::vector<Key>& keys, const std::string& table) {
  using O = OptimizerSettings;
  keys.insert(
      keys.end(),
      {choice(table + ".kind", optimizer_at<Side, &O::kind>,
              {{"sgd", "as torch.optim.SGD"}, {"adam", "as torch.optim.Adam"}, {"adamw", "as torch.optim.AdamW"}},
              "optimizer"),
       real(table + ".lr", optimizer_at<Side, &O::lr>, 0.0, kUnbounded, "", "learning rate"),
       real(table + ".momentum", optimizer_at<Side, &O::momentum>, 0.0, kBelowOne, "", "sgd: momentum"),
       real(table + ".dampening", optimizer_at<Side, &O::dampening>, 0.0, 1.0, "",
            "sgd: of the momentum, but on a replica's first step"),
       flag(table + ".nesterov", optimizer_at<Side, &O::nesterov>,
            "sgd: Nesterov momentum (needs momentum > 0, no dampening)"),
       real(table + ".beta1", optimizer_at<Side, &O::beta1>, 0.0, kBelowOne, "", "adam, adamw: of the first moment"),
       real(table + ".beta2", optimizer_at<Side, &O::beta2>, 0.0, kBelowOne, "", "adam, adamw: of the second moment"),
       positive(table + ".eps", optimizer_at<Side, &O::eps>, "", "adam, adamw: added to the root"),
       real(table + ".weight_decay", optimizer_at<Side, &O::weight_decay>, 0.0, kUnbounded, "",
            "sgd, adam: L2, added to the gradient; adamw: decoupled"),
       real(table + ".clip_norm", optimizer_at<Side, &O::clip_norm>, 0.0, kUnbounded, "",
            "largest norm of a replica's gradient on this side, longer ones are shortened; 0: any"),
       choice(table + ".schedule", optimizer_at<Side, &O::schedule>,
              {{"constant", "lr throughout"},
               {"cosine", "to 0 at the run's last step, per step"},
               {"step", "times gamma after every step_epochs"},
               {"multistep", "times gamma after each of the milestones"}},
              "learning-rate schedule"),
       integer(table + ".step_epochs", optimizer_at<Side, &O::step_epochs>, 1, kMaxEpochs, "epochs", "schedule = step"),
       {table + ".milestones", IntegersRule{optimizer_at<Side, &O::milestones>, 1, kMaxEpochs}, "epochs",
        "schedule = multistep"},
       real(table + ".gamma", optimizer_at<Side, &O::gamma>, 0.0, kUnbounded, "", "schedule = step, multistep"),
       real(table + ".warmup_epochs", optimizer_at<Side, &O::warmup_epochs>, 0.0, static_cast<double>(kMaxEpochs),
            "epochs", "linear warm-up of lr")});
}

std::vector<Key> train_keys() {
  using S = TrainSettings;
  std::vector<Key> keys = {
      named("train.mode", at<&S::mode>, mode_infos(), "learning mode"),
      integer("train.epochs", at<&S::epochs>, 1, kMaxEpochs, "epochs", "passes over the training set"),
      choice("train.client_reduce", at<&S::client_reduce>,
             {{"sum", "the pooled batch's gradient"}, {"mean", "scaled by 1 / active clients"}},
             "psl: how client gradients combine"),
      choice("train.client_scale", at<&S::client_scale>,
             {{"union", "as in the pooled batch"}, {"own", "as if the client's batch were alone"}},
             "psl_local: scale of the cut gradient"),
      choice(
          "train.replicas", at<&S::replicas>,
          {{"tied", "one client half for all"}, {"materialised", "K equal halves that step alike: the same training"}},
          "psl: how the shared client half is kept"),
      integer(
          "train.round", at<&S::round>, 0, kMaxInt32, "steps",
          "sflv1 .. 3 and clock.model_sync = round: steps per round, the last of an epoch may be shorter; 0: an epoch"),
      choice("train.fedavg_weights", at<&S::fedavg_weights>,
             {{"samples", "n_k"}, {"seen", "samples trained in the round"}, {"uniform", "all alike"}},
             "sflv1 .. 3: weights of the clients that stepped in a round"),
      choice("train.service_order", at<&S::service_order>,
             {{"cyclic", "ascending ids"}, {"reverse", "descending ids"}, {"random", "anew in every step"}},
             "sflv2, sl: in which order the clients of a step take their turns"),
      real("train.label_smoothing", at<&S::label_smoothing>, 0.0, 1.0, "", "as torch.nn.CrossEntropyLoss"),
      choice("train.on_nonfinite", at<&S::on_nonfinite>,
             {{"stop", "end the run, exit code 4"}, {"continue", "record it and go on"}}, "when a loss is not finite"),
      integer("train.checkpoint_epochs", at<&S::checkpoint_epochs>, 0, kMaxEpochs, "epochs",
              "checkpoint after every so many, for --resume; 0: none"),
  };
  add_optimizer<&TrainSettings::client_optimizer>(keys, "train.client_optimizer");
  add_optimizer<&TrainSettings::server_optimizer>(keys, "train.server_optimizer");
  return keys;
}

std::vector<Key> clock_keys() {
  using S = LatencySettings;
  using enum DistributionUse;
  return {
      choice(
          "clock.barrier", at<&S::barrier>,
          {{"two", "after the forward and after the backward passes (paper)"},
           {"one", "once per step: a client's passes are one chain"},
           {"run_ahead", "never: clients with halves of their own (psl_local) start their next step at once (ours)"}},
          "where the clients of a step wait for each other"),
      draw("clock.delay_ms", at<&S::delay_ms>, kTime, "ms", "client's delay per participation"),
      draw("clock.compute_ms", at<&S::compute_ms>, kTime, "ms", "client's forward compute per sample"),
      draw("clock.jitter", at<&S::jitter>, kJitter, "", "factor on a client's delay and compute, anew in every step"),
      draw("clock.uplink_mbps", at<&S::uplink_mbps>, kRate, "Mbit/s", "client's link to the server"),
      draw("clock.downlink_mbps", at<&S::downlink_mbps>, kRate, "Mbit/s", "client's link from the server"),
      real("clock.backward_ratio", at<&S::backward_ratio>, 0.0, 1e6, "", "client's backward over forward compute"),
      real("clock.server_ms.fixed", at<&S::server_fixed_ms>, 0.0, kMaxServerMs, "ms", "server's time per step"),
      real("clock.server_ms.per_sample", at<&S::server_per_sample_ms>, 0.0, kMaxServerMs, "ms",
           "server's time per sample"),
      choice("clock.model_sync", at<&S::model_sync>,
             {{"none", "client models stay where they are"},
              {"step", "down and up in every step"},
              {"round", "down and up once a round"}},
             "whether client models cross the links"),
      path_to("clock.trace_file", at<&S::trace_file>,
              "trace: CSV with client, compute_ms_per_sample, up_mbps, down_mbps, delay_ms"),
  };
}

std::vector<Key> all_keys() {
  std::vector<Key> keys = {
      integer("seed", at<&Config::seed>, 0, kMaxInt64, "", "of everything random in the experiment")};
  const auto add = [&keys](std::vector<Key> more) {
    keys.insert(keys.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(data_keys());
  add(partition_keys());
  add(sampler_keys());
  add(model_keys());
  add(train_keys());
  add({integer("eval.every_epochs", at<&EvalSettings::every_epochs>, 0, kMaxEpochs, "epochs",
               "test after every so many; 0: only after the last"),
       integer("eval.batch", at<&EvalSettings::batch>, 1, 65536, "samples", "test images per forward pass"),
       integer("eval.every_steps", at<&EvalSettings::every_steps>, 0, kMaxInt32, "steps",
               "also test within epochs, after every so many steps of the run; 0: never"),
       integer("eval.step_images", at<&EvalSettings::step_images>, 0, kMaxInt32, "images",
               "these tests use so many test images, always the same random ones; 0: all"),
       real("eval.stop_at_accuracy", at<&EvalSettings::stop_at_accuracy>, 0.0, 1.0, "",
            "end the run at the first test that reaches it; 0: never"),
       choice("eval.replicas", at<&EvalSettings::replicas>,
              {{"average", "the halves' average, weighted by n_k"},
               {"each", "every client's, the mean of their figures"},
               {"one", "one client's"}},
              "which halves are tested in modes whose clients have their own"),
       integer("eval.client", at<&EvalSettings::client>, 0, kMaxInt32, "client", "replicas = one: whose")});
  add(clock_keys());
  return keys;
}

}  // namespace

const std::vector<Key>& config_keys() {
  static const std::vector<Key> keys = all_keys();
  return keys;
}

}  // namespace splitsim

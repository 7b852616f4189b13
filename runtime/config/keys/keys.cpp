#include "runtime/config/keys/keys.hpp"

#include <iterator>
#include <utility>

#include "runtime/config/keys/key_builders.hpp"
#include "runtime/model/models.hpp"
#include "samplers/registry.hpp"

namespace splitsim {

namespace {

using namespace key_table;

/// Partitions that are drawn.
std::vector<std::string> dealt_kinds() {
  std::vector<std::string> names;
  for (const PartitionKind& info : partition_kinds()) {
    if (info.name != "file" && info.name != "by_column") names.push_back(info.name);
  }
  return names;
}

/// Data sets that read data.dir.
std::vector<std::string> data_sets_of_files() {
  std::vector<std::string> names;
  for (const DatasetInfo& info : dataset_infos()) {
    if (info.has_files) names.push_back(info.name);
  }
  return names;
}

std::vector<std::string> models_where(bool (*holds)(const ModelInfo&)) {
  std::vector<std::string> names;
  for (const ModelInfo& info : model_infos()) {
    if (holds(info)) names.push_back(info.name);
  }
  return names;
}
bool has_width(const ModelInfo& info) { return info.width > 0; }
bool has_norms(const ModelInfo& info) { return info.norms; }

std::vector<Key> data_keys() {
  using S = DataSettings;
  return {
      named("data.name", at<&S::name>, dataset_infos(), "data set"),
      path_to("data.dir", at<&S::dir>, "folder of the data set's files (embedded data need none)")
          .when({{"data.name", data_sets_of_files()}}),
      listed("data.split", at<&S::split>, choices_of(emnist_splits()), "emnist: which images and classes")
          .when({{"data.name", {"emnist"}}}),
      choice("data.read_as", at<&S::read_as>, "what the data set holds").when({{"data.name", {"npy", "npz", "har"}}}),
      text("data.label_column", at<&S::label_column>, "csv: the column of the classes").when({{"data.name", {"csv"}}}),
      text("data.client_column", at<&S::client_column>, "csv: the column of whom samples come from; empty: none")
          .when({{"data.name", {"csv"}}}),
      seed("data.seed", at<&SeedSettings::data>, "seed of embedded data, augmentation and the images of tests within epochs"),
      integer("data.augment.crop_pad", at<&S::crop_pad>, 0, 64, "pixels",
              "zero-pad the image, then crop at random; 0: off"),
      flag("data.augment.flip", at<&S::flip>, "flip horizontally with probability 1/2"),
      real("data.validation", at<&S::validation>, 0.0, kBelowOne, "",
           "share of the training set, of every class alike, that is held out and tested like the test set; 0: off"),
  };
}

std::vector<Key> partition_keys() {
  using S = PartitionSettings;
  return {
      named("partition.kind", at<&S::kind>, partition_kinds(), "how samples are dealt to clients"),
      integer("partition.clients", at<&S::clients>, 1, kMaxInt32, "clients", "K, at most the number of samples"),
      positive("partition.alpha", at<&S::alpha>, "", "Dirichlet concentration: small is uneven")
          .when({{"partition.kind", {"dirichlet", "client_dirichlet", "extended_dirichlet", "quantity"}}}),
      integer("partition.classes_per_client", at<&S::classes_per_client>, 1, kMaxInt32, "classes",
              "extended_dirichlet: classes that each client holds")
          .when({{"partition.kind", {"extended_dirichlet"}}}),
      choice("partition.rule", at<&S::rule>, "extended_dirichlet: how classes are chosen")
          .when({{"partition.kind", {"extended_dirichlet"}}}),
      integer("partition.shards_per_client", at<&S::shards_per_client>, 1, kMaxInt32, "shards",
              "shards: label-sorted pieces per client")
          .when({{"partition.kind", {"shards"}}}),
      integer("partition.labels_per_client", at<&S::labels_per_client>, 1, kMaxInt32, "classes",
              "label_count: labels per client")
          .when({{"partition.kind", {"label_count"}}}),
      integer("partition.min_samples", at<&S::min_samples>, 0, kMaxInt32, "samples",
              "every client gets at least this many"),
      seed("partition.seed", at<&SeedSettings::partition>, "seed of which client gets which samples")
          .when({{"partition.kind", dealt_kinds()}})
          .when({{"partition.label_noise", {}}})
          .when({{"partition.contrast_sd", {}}})
          .when({{"partition.brightness_sd", {}}})
          .when({{"partition.pixel_noise", {}}})
          .when({{"partition.rotation", {"half", "quarter"}}}),
      real("partition.label_noise", at<&S::label_noise>, 0.0, 1.0, "",
           "share of each client's training labels that are flipped to another class"),
      real("partition.contrast_sd", at<&S::contrast_sd>, 0.0, 10.0, "",
           "feature shift: a client's pixels times exp of a normal draw with this deviation"),
      real("partition.brightness_sd", at<&S::brightness_sd>, 0.0, 10.0, "",
           "feature shift: a client's pixels plus a normal draw, in units of the pixel range"),
      real("partition.pixel_noise", at<&S::pixel_noise>, 0.0, 10.0, "",
           "standard deviation of noise on every training pixel, in units of the pixel range"),
      choice("partition.rotation", at<&S::rotation>, "by how much each client's training pictures are turned"),
      path_to("partition.file", at<&S::file>, "file: .npy with the client of every sample, integers [N]")
          .when({{"partition.kind", {"file"}}}),
  };
}

// central is what a mode was called when it was also a sampler; reading replaces it.
std::vector<SamplerInfo> sampler_names() {
  std::vector<SamplerInfo> names = sampler_infos();
  names.push_back({"central", "old name of ugs with train.mode = \"central\""});
  return names;
}

std::vector<Key> sampler_keys() {
  using S = SamplerSettings;
  return {
      named("sampler.kind", at<&S::kind>, sampler_names(), "who trains on what, in which step"),
      integer("sampler.batch", at<&S::batch>, 1, kMaxInt32, "samples", "B, the global batch size"),
      choice("sampler.chunks", at<&S::chunks>, "keyed samplers: how an epoch is cut into batches")
          .when({{"sampler.kind", {"ugs", "urn", "lds", "lb_greedy", "lb_flow", "pack", "lbpack"}}}),
      real("sampler.delta", at<&S::delta>, -kUnbounded, kUnbounded, "",
           "urn, lds: weight of the z-scored delay; > 0 draws slow clients first")
          .when({{"sampler.kind", {"urn", "lds"}}}),
      choice("sampler.delay_signal", at<&S::delay_signal>, "which delay the delay-aware samplers see")
          .when({{"sampler.kind", {"urn", "lds"}}}),
      positive("sampler.concentration", at<&S::concentration>, "", "lds: c, the weight of the prior")
          .when({{"sampler.kind", {"lds"}}, {"sampler.estimate", {"map", "draw"}}})
          .when({{"sampler.kind", {"lds"}}}),
      integer("sampler.observed", at<&S::observed>, 1, kMaxInt32, "labels",
              "lds: S, labels observed per epoch, at most half of them")
          .when({{"sampler.kind", {"lds"}}, {"sampler.estimate", {"map", "draw"}}}),
      choice("sampler.prior", at<&S::prior>, "lds: how the prior is read")
          .when({{"sampler.kind", {"lds"}}, {"sampler.estimate", {"map", "draw"}}}),
      choice("sampler.em", at<&S::em>, "lds: how far the estimate of the shares is iterated")
          .when({{"sampler.kind", {"lds"}}, {"sampler.estimate", {"map", "draw"}}}),
      choice("sampler.estimate", at<&S::estimate>, "lds: the shares that a step uses"),
      choice("sampler.depletion", at<&S::depletion>, "lds: what becomes of the odds of depleted clients")
          .when({{"sampler.kind", {"lds"}}}),
      choice("sampler.reestimate", at<&S::reestimate>, "lds: when the shares are estimated anew")
          .when({{"sampler.kind", {"lds"}}, {"sampler.estimate", {"map", "draw"}}})
          .when({{"sampler.kind", {"lds"}}, {"sampler.depletion", {"renormalise"}}}),
      integer("sampler.levels", at<&S::levels>, 0, kMaxInt32, "levels",
              "delays are taken as so many at most; fewer: more clients in a step, more time; 0: as they are")
          .when({{"sampler.kind", {"pack", "lbpack", "makespan"}}}),
      real("sampler.budget_time", at<&S::budget_time>, 0.0, kUnbounded, "",
           "pack: at most so much of ugs's time, as little deviation as that allows; 0: none")
          .when({{"sampler.kind", {"pack"}}}),
      real("sampler.budget_deviation", at<&S::budget_deviation>, 0.0, kUnbounded, "",
           "pack: at most so much of ugs's deviation, as little time as that allows; 0: none")
          .when({{"sampler.kind", {"pack"}}}),
      choice("sampler.order", at<&S::order>, "pack, lbpack: where in the epoch slow clients give")
          .when({{"sampler.kind", {"pack", "lbpack"}}}),
      choice("sampler.target", at<&S::target>, "lb_greedy, lb_flow: class counts of the steps")
          .when({{"sampler.kind", {"lb_greedy", "lb_flow"}}}),
      seed("sampler.seed", at<&SeedSettings::sampler>, "seed of schedules: sampling, and the order of turns"),
      path_to("sampler.file", at<&S::file>, "file: a saved schedule, .npy integers [slots, 3]")
          .when({{"sampler.kind", {"file"}}}),
      integer("sampler.local_epochs", at<&S::local_epochs>, 1, kMaxInt32, "passes",
              "relay: a client's passes over its data at its turn")
          .when({{"sampler.kind", {"relay"}}}),
  };
}

std::vector<Key> model_keys() {
  using S = ModelSettings;
  return {
      named("model.name", at<&S::name>, model_infos(), "network"),
      text("model.cut", at<&S::cut>, "the client runs the layers up to and including this one, or this group of them"),
      integer("model.width", at<&S::width>, 0, 65536, "channels",
              "of the first stage (text_cnn, vit: of a token), the others in proportion; 0: the model's own")
          .when({{"model.name", models_where(has_width)}}),
      choice("model.client_norm", at<&S::client_norm>, "the model's norms on the client")
          .when({{"model.name", models_where(has_norms)}}),
      choice("model.server_norm", at<&S::server_norm>, "the model's norms on the server")
          .when({{"model.name", models_where(has_norms)}}),
      choice("model.client_norm_statistics", at<&S::client_norm_statistics>, "client BatchNorm while training")
          .when({{"model.client_norm", {"batch"}}}),
      choice("model.init", at<&S::init>, "initial weights"),
      seed("model.seed", at<&SeedSettings::model>, "seed of the initial weights"),
      path_to("model.file", at<&S::file>,
              "init = file: safetensors of a run (model.safetensors, model_average.safetensors) or of torchvision")
          .when({{"model.init", {"file"}}}),
      Key{"model.layers", LayersRule{at<&S::layers>}, "", "layers: a list of tables, see below"}.when(
          {{"model.name", {"layers"}}}),
  };
}

std::vector<Key> all_keys() {
  std::vector<Key> keys = {integer("seed", at<&Config::seed>, 0, kMaxInt64, "",
                                   "of everything random in the experiment that has no seed of its own")};
  const auto add = [&keys](std::vector<Key> more) {
    keys.insert(keys.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(data_keys());
  add(partition_keys());
  add(sampler_keys());
  add(model_keys());
  add(cut_keys());
  add(train_keys());
  add({integer("eval.every_epochs", at<&EvalSettings::every_epochs>, 0, kMaxEpochs, "epochs",
               "test after every so many; 0: only after the last"),
       integer("eval.batch", at<&EvalSettings::batch>, 1, 65536, "samples", "test images per forward pass"),
       integer("eval.every_steps", at<&EvalSettings::every_steps>, 0, kMaxInt32, "steps",
               "also test within epochs, after every so many steps of the run; 0: never"),
       integer("eval.step_images", at<&EvalSettings::step_images>, 0, kMaxInt32, "images",
               "these tests use so many test images, always the same random ones; 0: all")
           .when({{"eval.every_steps", {}}}),
       real("eval.stop_at_accuracy", at<&EvalSettings::stop_at_accuracy>, 0.0, 1.0, "",
            "end the run at the first test (of the validation set, if there is one) that reaches it; 0: never"),
       choice("eval.replicas", at<&EvalSettings::replicas>,
              "which halves are tested in modes whose clients have their own")
           .when({{"train.mode", modes_where([](const ModeMap& m) { return m.many(); })}})
           .when({{"train.replicas", {"materialised"}}}),
       integer("eval.client", at<&EvalSettings::client>, 0, kMaxInt32, "client", "replicas = one: whose")
           .when({{"eval.replicas", {"one"}}})});
  add(client_keys());
  add(clock_keys());
  add({flag("record.waiting", at<&RecordSettings::waiting>,
            "write waiting.csv: how long each client of each step waited, in virtual time")});
  return keys;
}

}  // namespace

const std::vector<Key>& config_keys() {
  static const std::vector<Key> keys = all_keys();
  return keys;
}

const Key* find_key(const std::string& path) {
  for (const Key& key : config_keys()) {
    if (key.path == path) return &key;
  }
  return nullptr;
}

}  // namespace splitsim

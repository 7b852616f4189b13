// One experiment as a value: what a TOML file, its defaults and `--set key=value` resolve to.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/data/dataset.hpp"
#include "runtime/model/models.hpp"
#include "samplers/partition.hpp"
#include "samplers/profile.hpp"
#include "samplers/sampler.hpp"

namespace splitsim {

/// client_optimizer and server_optimizer. Names and meanings as in torch.optim.
struct OptimizerSettings {
  std::string kind = "sgd";  ///< sgd | adam | adamw
  double lr = 0.02;
  double momentum = 0.9;              ///< sgd
  double dampening = 0.0;             ///< sgd
  bool nesterov = false;              ///< sgd
  double beta1 = 0.9, beta2 = 0.999;  ///< adam, adamw
  double eps = 1e-8;                  ///< adam, adamw
  double weight_decay = 0.0;
  double clip_norm = 0.0;           ///< largest gradient norm of a replica; 0: any
  std::string schedule = "cosine";  ///< constant | cosine (per step, to 0 at the run's last step) | step | multistep
  std::int64_t step_epochs = 30;    ///< step: times gamma after every so many epochs
  std::vector<std::int64_t> milestones = {};  ///< multistep: times gamma after these epochs
  double gamma = 0.1;
  double warmup_epochs = 0.0;  ///< linear from 0 over this many epochs
};

/// Keys of [train].
struct TrainSettings {
  std::string mode = "psl";  ///< see mode_infos()
  std::int32_t epochs = 5;
  std::string client_reduce = "sum";       ///< psl: sum | mean (c = 1/A_t)
  std::string client_scale = "union";      ///< psl_local: union (c = 1) | own (c = B_t / b_k)
  std::string replicas = "tied";           ///< psl: tied | materialised
  std::int64_t round = 0;                  ///< steps per round (sflv1 .. 3, clock.model_sync); 0: an epoch
  std::string fedavg_weights = "samples";  ///< samples (n_k) | seen (in the round) | uniform
  std::string service_order = "cyclic";    ///< sflv2, sl: cyclic | reverse | random
  double label_smoothing = 0.0;
  std::string on_nonfinite = "stop";   ///< stop | continue
  std::int32_t checkpoint_epochs = 1;  ///< a checkpoint after every so many; 0: none
  OptimizerSettings client_optimizer;
  OptimizerSettings server_optimizer;
};

/// Keys of [eval].
struct EvalSettings {
  std::int32_t every_epochs = 1;     ///< 0: only after the last epoch
  std::int32_t batch = 256;          ///< test images per forward pass
  std::int32_t every_steps = 0;      ///< also test within epochs, after every so many steps of the run; 0: never
  std::int32_t step_images = 0;      ///< on so many test images, always the same random ones; 0: all
  double stop_at_accuracy = 0.0;     ///< end the run at the first test that reaches it; 0: never
  std::string replicas = "average";  ///< average | each | one: which halves are tested where clients have their own
  std::int32_t client = 0;           ///< replicas = one: whose
};

/// Keys data.seed, partition.seed, sampler.seed, model.seed, clock.seed; absent: the experiment's seed (seeds.hpp).
struct SeedSettings {
  std::optional<std::uint64_t> data, partition, sampler, model, clock;
};

/// Keys of [record].
struct RecordSettings {
  bool waiting = false;  ///< waiting.csv: how long each client of each step waited
};

struct Config {
  std::uint64_t seed = 1;
  SeedSettings seeds;
  DataSettings data;
  PartitionSettings partition;
  SamplerSettings sampler;
  ModelSettings model;
  TrainSettings train;
  EvalSettings eval;
  LatencySettings clock;
  RecordSettings record;
};

/// Parses TOML text over `base` (the defaults), then applies overrides of the form "sampler.kind=fpls" (the value is a
/// TOML value, a bare word is taken as a string; inline tables work too). Relative paths in the text count from the
/// folder of `source_name`, those in overrides from the working directory; the config has absolute ones. Short keys
/// ("train.lr", short_keys.hpp) set several keys. A key that the chosen kinds do not read has its default in the
/// result. Errors: InputError, one line: unknown key (with the nearest known one), wrong type, value out of range or
/// not in the list, NaN; a key that nothing reads: one of the text neither under the text alone nor under the result,
/// one of the overrides not under the result; two names of one key with different values; syntax errors with line and
/// column of `source_name`.
Config parse_config(const std::string& toml_text, const std::string& source_name,
                    const std::vector<std::string>& overrides, const Config& base = {});

/// Reads a file and parses it. Errors: as parse_config, and a file that cannot be read.
Config load_config(const std::string& path, const std::vector<std::string>& overrides);

struct ConfigText {
  std::string toml;
  std::string source;  ///< its file, for messages and paths
};

/// Overrides of one of several configs, and the option that they came from, for messages.
struct ConfigVariant {
  std::string option;
  std::vector<std::string> overrides;
};

/// Several configs at once, each with further overrides over the same text and overrides. A key of the common ones must
/// be read by at least one config. Errors: as parse_config.
std::vector<Config> parse_variants(const ConfigText& text, const std::vector<std::string>& overrides,
                                   const std::vector<ConfigVariant>& variants);

/// Fully resolved TOML of the keys that are read: parse_config(to_toml(c)) is the same experiment, and the same config
/// if c came from parse_config.
std::string to_toml(const Config& config);

/// SHA-256 of the resolved config without paths and without
/// keys that are not read: the same experiment has the same hash wherever its files lie and however many threads or
/// GPUs run it.
std::string config_sha256(const Config& config);

}  // namespace splitsim

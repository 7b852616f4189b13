#include "runtime/config/continuation.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "runtime/config/keys/keys.hpp"

namespace splitsim {

std::string schedule_bound_to_length(const Config& config) {
  if (config.train.client_optimizer.schedule == RateSchedule::kCosine) return "train.client_optimizer.schedule";
  if (config.train.server_optimizer.schedule == RateSchedule::kCosine) return "train.server_optimizer.schedule";
  return "";
}

std::string continuation_sha256(const Config& config) {
  Config any_length = config;
  if (schedule_bound_to_length(config).empty()) any_length.train.epochs = 1;
  return config_sha256(any_length);
}

void check_continuation(const Config& saved, const Config& wanted) {
  if (continuation_sha256(saved) == continuation_sha256(wanted)) return;
  Config as_long = wanted;
  as_long.train.epochs = saved.train.epochs;
  if (config_sha256(as_long) == config_sha256(saved)) {
    throw InputError(fmt::format(
        "train.epochs = {} with --resume: allowed: {}, since {} = \"cosine\" depends on the run's length (a run with "
        "constant, step or multistep can be extended)",
        wanted.train.epochs, saved.train.epochs, schedule_bound_to_length(wanted)));
  }
  std::vector<std::string> paths;
  for (const Key& key : config_keys()) {
    if (key.is_path()) paths.push_back(key.path);
  }
  throw InputError(fmt::format("--set with --resume: allowed: paths ({}) and train.epochs", joined(paths)));
}

}  // namespace splitsim

#include "runtime/sweep/run_state.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/config/continuation.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/run/checkpoint.hpp"
#include "runtime/run/experiment_plan.hpp"
#include "runtime/run/run_results.hpp"

namespace splitsim {

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// The first key in which two configs of different hashes differ.
std::string first_difference(const Config& there, const Config& wanted) {
  for (const Key& key : config_keys()) {
    if (key.is_path() || same_value(key, there, wanted)) continue;
    return fmt::format("{} = {}, the sweep says {}", key.path, value_toml(key, there), value_toml(key, wanted));
  }
  return "another configuration";
}

std::vector<std::string> overrides_to_resume(const Config& there, const Config& wanted) {
  std::vector<std::string> overrides;
  for (const Key& key : config_keys()) {
    if ((!key.is_path() && key.path != "train.epochs") || same_value(key, there, wanted)) continue;
    overrides.push_back(key.path + "=" + value_toml(key, wanted));
  }
  return overrides;
}

void read_folder(const SweepRun& run, const SweepFiles& files, RunStanding& standing) {
  const std::string dir = files.run(run);
  const Config there = load_config(dir + "/config.toml", {});
  const bool longer = there.train.epochs <= run.config.train.epochs;
  if (continuation_sha256(there) != continuation_sha256(run.config) || !longer) {
    standing.foreign = true;
    throw InputError(fmt::format("{} holds another run: {}", dir, first_difference(there, run.config)));
  }
  standing.resume_overrides = overrides_to_resume(there, run.config);
  if (const std::optional<Summary> summary = finished_run(run.config, dir)) {
    standing.progress = RunProgress::kCompleted;
    standing.epochs = summary->epochs;
    standing.wall_s = summary->wall_time_s;
    return;
  }
  if (exists(dir + "/summary.json")) {
    const Summary summary = read_summary(dir + "/summary.json");
    if (summary.status == name_of(RunStatus::kDiverged) && summary.config_sha256 == run.config_sha256) {
      standing.progress = RunProgress::kDiverged;
      standing.epochs = summary.epochs;
      return;
    }
  }
  standing.progress = RunProgress::kInterrupted;
  if (exists(dir + "/epochs.jsonl")) {
    standing.epochs = static_cast<std::int32_t>(read_epochs(dir + "/epochs.jsonl").size());
  }
}

}  // namespace

RunStanding standing_of(const SweepRun& run, const SweepFiles& files) {
  RunStanding standing;
  try {
    standing.begun = exists(files.run(run) + "/config.toml");
    if (standing.begun) read_folder(run, files, standing);
    if (!standing.is_result() && exists(files.failure(run))) {
      std::string text = read_text_file(files.failure(run));
      while (text.ends_with("\n")) text.pop_back();
      standing.error = one_line(text);
      standing.progress = RunProgress::kFailed;
    }
  } catch (const InputError& error) {
    standing.progress = RunProgress::kFailed;
    standing.error = error.what();
  }
  return standing;
}

std::string InputCheck::changed(const SweepRun& run, const SweepFiles& files) {
  const Config& config = run.config;
  // Everything that inputs depend on. Data sets with files are the same for every seed; what a partition draws is a
  // function of config and labels, so that only one that is read can change.
  std::string set;
  for (const Key& key : config_keys()) {
    const bool matters = key.is_path() || key.path.starts_with("data.") || key.path.starts_with("clients.") ||
                         key.path.starts_with("clock.") || key.path == "sampler.kind" || key.path == "train.mode" ||
                         key.path == "partition.kind" || key.path == "partition.clients" || key.path == "model.init";
    if (matters) set += value_toml(key, config) + "\n";
  }
  const bool reads_files = std::any_of(config_keys().begin(), config_keys().end(), [&](const Key& key) {
    return key.is_path() && is_read(key, config) && !get(std::get<TextRule>(key.rule).field, config).empty();
  });
  if (!reads_files) return "";  // all that it reads is a function of its config
  if (config.data.validation > 0.0) set += fmt::to_string(seeds_of(config).data);
  try {
    auto known = known_.find(set);
    if (known == known_.end()) known = known_.emplace(set, input_hashes(make_scene(config))).first;
    std::map<std::string, std::string> now = known->second;
    const std::map<std::string, std::string> recorded = read_summary(files.run(run) + "/summary.json").inputs;
    for (const char* own : {"partition", "initial_model"}) {
      const bool from_file = std::string(own) == "partition" && config.partition.kind == "file";
      now.erase(own);
      if (recorded.count(own) != 0) now[own] = from_file ? known->second.at(own) : recorded.at(own);
    }
    check_inputs(files.run(run), recorded, now);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

}  // namespace splitsim

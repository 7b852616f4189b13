#include "runtime/run/finished_run.hpp"

#include <filesystem>

#include "base/names.hpp"
#include "runtime/run/run_results.hpp"

namespace splitsim {

std::optional<Summary> finished_run(const Config& config, const std::string& out_dir) {
  const auto file = [&out_dir](const char* name) { return (std::filesystem::path(out_dir) / name).string(); };
  if (!std::filesystem::exists(file("summary.json")) || !std::filesystem::exists(file("epochs.jsonl"))) return {};
  Summary summary = read_summary(file("summary.json"));
  if (summary.status != name_of(RunStatus::kCompleted) || summary.config_sha256 != config_sha256(config)) return {};
  bool reached = false;
  for (const EpochRecord& record : read_epochs(file("epochs.jsonl"))) {
    reached = reached || reaches(config.eval, record);
  }
  if (summary.epochs < config.train.epochs && !reached) return {};
  return summary;
}

}  // namespace splitsim

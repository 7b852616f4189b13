#include "drivers/run_together.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <memory>
#include <sstream>
#include <vector>

#include "base/error.hpp"
#include "base/files.hpp"
#include "base/report.hpp"
#include "drivers/inputs.hpp"
#include "runtime/config/config.hpp"
#include "runtime/run/experiment_group.hpp"
#include "runtime/run/run_directory.hpp"

namespace splitsim {

namespace {

struct Member {
  std::string name, dir;
  bool resumes = false;
  std::unique_ptr<RunDirectory> directory;
  Config config;
};

std::vector<Member> read_list(const std::string& list) {
  std::vector<Member> members;
  std::istringstream lines(read_text_file(list));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (line.empty()) continue;
    const std::size_t tab = line.find('\t');
    if (tab == 0 || tab == std::string::npos || tab + 1 == line.size()) {
      throw InputError(
          fmt::format("{}:{}: '{}': allowed: CONFIG.toml, a tab, and the run's directory", list, number, line));
    }
    const std::string config = line.substr(0, tab);
    Member& member = members.emplace_back();
    member.dir = line.substr(tab + 1);
    member.name = std::filesystem::path(member.dir).filename().string();
    member.config = load_config(config, {});
    const std::string own = (std::filesystem::path(member.dir) / "config.toml").string();
    member.resumes = std::filesystem::exists(own);
    const auto use = member.resumes ? RunDirectoryUse::kResume : RunDirectoryUse::kNew;
    member.directory = std::make_unique<RunDirectory>(member.dir, use, inputs_of(config, member.config));
    if (member.resumes && config_sha256(load_config(own, {})) != config_sha256(member.config)) {
      throw InputError(fmt::format("{}: holds another experiment than {}", member.dir, config));
    }
  }
  if (members.empty()) throw InputError(list + ": names no run");
  return members;
}

template <class Context>
int run(Context& ctx, std::vector<Member>& members) {
  std::vector<Config> configs;
  for (const Member& member : members) configs.push_back(member.config);
  ExperimentGroup<Context> group(ctx, configs);
  check_memory(group.plan(0), Context::kName);
  say("{:<10} {} runs as one, {} in all\n", "together", members.size(), human_bytes(group.plan(0).memory_bytes));
  flush_output();
  std::vector<RunOptions> options(members.size());
  for (std::size_t e = 0; e < members.size(); ++e) {
    Member& member = members[e];
    for (const std::string& text : group.plan(e).silent) warn(member.name + ": " + text);
    member.directory->begin(to_toml(member.config));
    options[e].out_dir = member.dir;
    options[e].resume = member.resumes;
    options[e].interrupt = &catch_interrupts();
    options[e].on_epoch = [&member](const EpochRecord& epoch) {
      say("{}: epoch {}, loss {:.5g}, test {}, virtual {:.6g} s, {:.3g} s\n", member.name, epoch.epoch + 1,
          epoch.train_loss, epoch.test.accuracy ? fmt::format("{:.2f}%", 100.0 * *epoch.test.accuracy) : "-",
          epoch.virtual_time_s, epoch.wall_time_s);
      flush_output();
    };
  }
  const std::vector<Summary> summaries = group.run(options);
  std::string diverged;
  bool interrupted = false;
  for (std::size_t e = 0; e < members.size(); ++e) {
    const Summary& summary = summaries[e];
    say("{}: {} after {} epochs\n", members[e].name, summary.status, summary.epochs);
    if (summary.status == name_of(RunStatus::kDiverged)) diverged += (diverged.empty() ? "" : ", ") + members[e].name;
    interrupted = interrupted || summary.status == name_of(RunStatus::kInterrupted);
  }
  if (interrupted) throw Interrupted("interrupted; the same command goes on");
  if (!diverged.empty()) throw Diverged("diverged: " + diverged);
  return 0;
}

}  // namespace

int run_together(const std::string& list, const DeviceOptions& device) {
  std::vector<Member> members = read_list(list);
  return with_context(device, [&](auto& ctx) { return run(ctx, members); });
}

}  // namespace splitsim

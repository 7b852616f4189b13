#include "runtime/sweep/sweep_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <queue>
#include <set>

#include "base/stopwatch.hpp"
#include "base/text.hpp"
#include "runtime/run/progress.hpp"

namespace splitsim {

namespace {

constexpr std::size_t kProgresses = 5;

std::string line(const char* name, const std::string& text) { return fmt::format("{:<10} {}\n", name, text); }

std::string plural(std::size_t count, const char* one) {
  return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string counts_text(const std::vector<std::size_t>& counts) {
  std::string text;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", counts[i], name_of(static_cast<RunProgress>(i)));
  }
  return text;
}

std::string speed_text(const Speed& speed) {
  return fmt::format("{} of {}", plural(static_cast<std::size_t>(speed.processes), "run"),
                     plural(static_cast<std::size_t>(speed.threads), "thread"));
}

std::int32_t epochs_in(const std::string& run_dir) {
  std::ifstream file(run_dir + "/epochs.jsonl", std::ios::binary);
  return static_cast<std::int32_t>(std::count(std::istreambuf_iterator<char>(file), {}, '\n'));
}

}  // namespace

std::vector<std::size_t> count_standings(const std::vector<RunStanding>& standings) {
  std::vector<std::size_t> counts(kProgresses);
  for (const RunStanding& standing : standings) ++counts[static_cast<std::size_t>(standing.progress)];
  return counts;
}

double makespan(const std::vector<double>& seconds, int jobs) {
  std::priority_queue<double, std::vector<double>, std::greater<>> free;
  for (int i = 0; i < jobs; ++i) free.push(0.0);
  double end = 0.0;
  for (const double each : seconds) {
    if (each <= 0.0) return 0.0;
    const double ends = free.top() + each;
    free.pop();
    free.push(ends);
    end = std::max(end, ends);
  }
  return end;
}

std::string plan_text(const Sweep& sweep, const std::vector<RunStanding>& standings,
                      const std::vector<std::size_t>& todo, const SweepCosts& costs, const MachineUse& use) {
  std::string axes;
  for (const AxisLabels& axis : sweep.axes) {
    axes += fmt::format("{}{} {}", axes.empty() ? "" : " x ", axis.values.size(), axis.name);
  }
  std::string text = line("sweep", fmt::format("{}: {}{}", sweep.source, axes.empty() ? "" : axes + " = ",
                                               plural(sweep.runs.size(), "run")));
  text += line("runs", counts_text(count_standings(standings)));
  if (todo.empty()) return text + line("to do", "nothing");
  std::uint64_t largest = 0;
  std::vector<double> seconds;
  for (const std::size_t run : todo) {
    largest = std::max(largest, costs.memory(sweep.runs[run]));
    seconds.push_back(costs.seconds(sweep.runs[run], standings[run]));
  }
  text += line("to do", plural(todo.size(), "run"));
  if (largest > 0) {
    text +=
        line("memory", fmt::format("{} a run at most (measured), {} available: {} at once would fit",
                                   human_bytes(largest), human_bytes(use.memory_bytes), use.memory_bytes / largest));
  }
  if (!use.measure && use.memory_bytes == 0) return text;  // elsewhere: Slurm says how many at once
  std::string at_once = fmt::format("{} at once, {} each", plural(static_cast<std::size_t>(costs.jobs), "run"),
                                    plural(static_cast<std::size_t>(costs.threads), "thread"));
  if (!use.cuda_devices.empty()) at_once += fmt::format(", on GPUs {}", fmt::join(use.cuda_devices, ", "));
  for (std::size_t i = 1; i < costs.speeds.size() && costs.speeds[i].steps_per_s > 0.0; ++i) {
    at_once += fmt::format("; measured: {} together train {:.2f} times as fast as {}", speed_text(costs.speeds.front()),
                           costs.speeds.front().steps_per_s / costs.speeds[i].steps_per_s, speed_text(costs.speeds[i]));
  }
  text += line("jobs", at_once);
  const double estimate = makespan(seconds, costs.jobs);
  text += line("time", estimate > 0.0 ? fmt::format("about {} (h:mm:ss), of measured steps", duration_text(estimate))
                                      : "unknown until runs have ended");
  for (const std::string& failure : costs.failures) text += line("warning", failure);
  return text;
}

std::string others_text(const Sweep& sweep, const SweepFiles& files) {
  constexpr std::size_t kMostNames = 5;
  std::set<std::string> own, others;
  for (const SweepRun& run : sweep.runs) own.insert(run.name);
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(files.path("runs"), ignored)) {
    const std::string name = entry.path().filename().string();
    if (entry.is_directory(ignored) && own.count(name) == 0) others.insert(name);
  }
  if (others.empty()) return "";
  std::vector<std::string> named(others.begin(), others.end());
  const std::size_t more = named.size() - std::min(named.size(), kMostNames);
  named.resize(named.size() - more);
  return line("others", fmt::format("{} in {} of no run of this sweep, left alone: {}{}",
                                    plural(others.size(), "folder"), files.path("runs"), fmt::join(named, ", "),
                                    more == 0 ? "" : fmt::format(" and {} more", more)));
}

void SweepProgress::started(std::size_t run, double expected_s) {
  running_.push_back({run, expected_s, std::chrono::steady_clock::now()});
}

void SweepProgress::ended(std::size_t run, double seconds) {
  std::erase_if(running_, [run](const Running& one) { return one.run == run; });
  ++done_;
  const RunStanding& standing = standings_[run];
  if (live_ && standing.progress != RunProgress::kFailed) return;
  clear();
  const std::vector<std::size_t> counts = count_standings(standings_);
  const std::size_t settled = sweep_.runs.size() - counts[static_cast<std::size_t>(RunProgress::kInterrupted)] -
                              counts[static_cast<std::size_t>(RunProgress::kWaiting)];
  out_ << fmt::format("[{}/{}] {:<11} {}, {:.1f} s{}\n", settled, sweep_.runs.size(), name_of(standing.progress),
                      sweep_.runs[run].name, seconds, standing.error.empty() ? "" : ": " + standing.error)
       << std::flush;
}

std::string SweepProgress::head(double left_s) const {
  const std::vector<std::size_t> counts = count_standings(standings_);
  const auto of = [&](RunProgress progress) { return counts[static_cast<std::size_t>(progress)]; };
  return fmt::format("{}: {} of {} done, {} failed, {} running; {} left", sweep_.source,
                     of(RunProgress::kCompleted) + of(RunProgress::kDiverged), plural(sweep_.runs.size(), "run"),
                     of(RunProgress::kFailed), running_.size(), left_s > 0.0 ? duration_text(left_s) : "--:--");
}

void SweepProgress::tick(double left_s) {
  if (!live_) return;
  constexpr std::size_t kMostLines = 20;
  const int columns = stderr_columns();
  const std::size_t width = columns > 1 ? static_cast<std::size_t>(columns) - 1 : 79;
  std::vector<std::string> lines = {head(left_s)};
  for (const Running& one : running_) {
    if (lines.size() == kMostLines) {
      lines.back() = "  ...";
      break;
    }
    const SweepRun& run = sweep_.runs[one.run];
    const double spent = seconds_since(one.began);
    lines.push_back(fmt::format("  {:>4}/{:<4} epochs  {:>8}{}  {}", epochs_in(files_.run(run)),
                                run.config.train.epochs, duration_text(spent),
                                one.expected_s > 0.0 ? " of " + duration_text(one.expected_s) : "", run.name));
  }
  std::string text;
  if (lines_ > 0) text += fmt::format("\x1b[{}A", lines_);
  for (const std::string& shown : lines) text += "\r" + shown.substr(0, width) + "\x1b[K\n";
  text += "\x1b[J";  // what a longer table has left behind
  lines_ = lines.size();
  out_ << text << std::flush;
}

void SweepProgress::clear() {
  if (lines_ > 0) out_ << fmt::format("\x1b[{}A\r\x1b[J", lines_) << std::flush;
  lines_ = 0;
}

std::string failures_text(const Sweep& sweep, const std::vector<RunStanding>& standings) {
  std::string text;
  for (std::size_t i = 0; i < standings.size(); ++i) {
    if (standings[i].progress != RunProgress::kFailed) continue;
    text += fmt::format("  {}: {}\n", sweep.runs[i].name, standings[i].error);
  }
  return text;
}

}  // namespace splitsim

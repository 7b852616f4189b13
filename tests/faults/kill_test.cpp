// Runs that are killed again and again, also in the middle of writes, and resumed by a simple supervisor: whatever is
// in the folder is resumed, and a folder without a run is begun. They end with the bytes of a run that nobody killed,
// and never go back behind their last checkpoint.
// SPLITSIM_KILLS: how many kills there are in all, 30 if it is not set.
#include "base/safetensors.hpp"
#include "tests/faults/fault_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

using test::Fault;

int kills() {
  const char* text = std::getenv("SPLITSIM_KILLS");
  return text == nullptr ? 30 : std::max(3, std::atoi(text));
}

/// Epochs that the checkpoint of a run has; 0 without one.
int checkpoint_epochs(const std::string& dir) {
  const std::string path = dir + "/checkpoint/state.safetensors";
  if (!fs::exists(path)) return 0;
  return nlohmann::json::parse(read_safetensors(path).metadata.at("state")).at("epochs").get<int>();
}

/// The first epoch in the table that a run prints, from 1; 0: there is none.
int first_epoch_in(const std::string& out) {
  std::istringstream lines(out);
  bool in_table = false;
  for (std::string line; std::getline(lines, line);) {
    if (in_table) return std::atoi(line.c_str());
    in_table = line.find("epoch") == 0 && line.find("L1 dev") != std::string::npos;
  }
  return 0;
}

class Kills : public test::FaultyProcess, public ::testing::WithParamInterface<std::string> {};

TEST_P(Kills, EndWithTheBytesOfARunThatNobodyKilled) {
  const std::string mode = GetParam();
  std::vector<std::string> settings = {"train.epochs=5", "train.mode=" + mode};
  if (mode == "sflv1") settings.push_back("train.round=3");
  const std::string wanted_dir = in_folder("wanted"), dir = in_folder("run");
  const auto begin = [&](const std::string& where) { return tiny(settings, {"--out", where}); };
  const Faulted whole = execute_under({.under = wanted_dir}, "splitsim-run", begin(wanted_dir));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  const test::Contents wanted = test::contents_of(wanted_dir);

  std::mt19937 random(static_cast<unsigned>(std::hash<std::string>{}(mode)));
  const auto below = [&random](long bound) { return std::uniform_int_distribution<long>(0, bound - 1)(random); };
  int killed = 0, finished = 0, inside_writes = 0, attempts = 0, tables_seen = 0;
  for (int at_checkpoint = 0; killed < kills() / 3 || finished == 0;) {
    ASSERT_LT(++attempts, 20 * kills() + 100) << "no progress";
    Fault fault{.under = dir};
    const bool last = killed >= kills() / 3;  // now it may finish
    const bool by_itself = !last && below(2) == 0;
    if (by_itself) {
      fault.action = below(2) == 0 ? "kill" : "kill_after";
      fault.at = 1 + below(whole.operations);
    } else if (!last) {
      fault.sleep_us = 1500;  // most of the time is spent in or between file operations
    }
    const bool resumes = fs::exists(dir + "/config.toml");
    const pid_t pid = start_under(fault, "splitsim-run",
                                  resumes ? std::vector<std::string>{"--device", "cpu", "--resume", dir} : begin(dir));
    if (!last && !by_itself) {
      std::this_thread::sleep_for(std::chrono::microseconds(below(40000 + 4000 * whole.operations)));
      kill(pid, SIGKILL);
    }
    const Faulted result = finish_in_time(pid);
    const std::string context = mode + ", attempt " + std::to_string(attempts) +
                                (result.hit.empty() ? "" : " (killed at " + result.hit + ")") + ": " + result.err;
    if (result.exit_code == 128 + SIGKILL) {
      ++killed;
      inside_writes += result.hit.rfind("write", 0) == 0;
    } else {
      ASSERT_EQ(result.exit_code, 0) << context;
    }
    const int first = first_epoch_in(result.out);
    tables_seen += first > 0 ? 1 : 0;
    EXPECT_TRUE(first == 0 || first == at_checkpoint + 1)
        << context << ": went on with epoch " << first << ", not after " << at_checkpoint;
    const int now = checkpoint_epochs(dir);  // the file is whole at all times
    EXPECT_GE(now, at_checkpoint) << context << ": a checkpoint was lost";
    at_checkpoint = now;
    if (HasFatalFailure() ||
        ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count() > 5) {
      return;
    }
    if (result.exit_code != 0) continue;
    test::expect_same(test::contents_of(dir), wanted, context);
    ++finished;
    fs::remove_all(dir);
    at_checkpoint = 0;
  }
  EXPECT_GT(tables_seen, killed / 10) << "the table of epochs was not found in what runs print";
  RecordProperty("killed", killed);
  RecordProperty("finished", finished);
  RecordProperty("inside_writes", inside_writes);
}

class FirstKill : public test::FaultyProcess {};

// Whatever a run was doing when it was killed before its first checkpoint, the same command or --resume starts it over.
TEST_F(FirstKill, BeforeTheFirstCheckpointNeverBlocksTheFolder) {
  const std::string wanted_dir = in_folder("wanted"), dir = in_folder("run");
  const auto begin = [&](const std::string& where) { return tiny({"train.epochs=1"}, {"--out", where}); };
  ASSERT_EQ(execute("splitsim-run", begin(wanted_dir)).exit_code, 0);
  const test::Contents wanted = test::contents_of(wanted_dir);
  Fault fault{.under = dir};
  for (fault.at = 1; !HasFailure(); ++fault.at) {
    fault.action = fault.at % 2 == 0 ? "kill" : "kill_after";
    fs::remove_all(dir);
    const Faulted killed = execute_under(fault, "splitsim-run", begin(dir));
    if (checkpoint_epochs(dir) > 0) break;
    const std::string context = "killed at operation " + std::to_string(fault.at) + " (" + killed.hit + ")";
    ASSERT_EQ(killed.exit_code, 128 + SIGKILL) << context << killed.err;
    const Result again = execute("splitsim-run", fs::exists(dir + "/config.toml")
                                                     ? std::vector<std::string>{"--device", "cpu", "--resume", dir}
                                                     : begin(dir));
    ASSERT_EQ(again.exit_code, 0) << context << ", then: " << again.err;
    test::expect_same(test::contents_of(dir), wanted, context);
  }
  EXPECT_GT(fault.at, 15);
}

INSTANTIATE_TEST_SUITE_P(Modes, Kills, ::testing::Values("psl", "sflv1", "sl"),
                         [](const auto& mode) { return mode.param; });

}  // namespace
}  // namespace splitsim

// Every write, sync, rename, open, close, mkdir and removal of a whole small run fails once: one line on stderr, a
// documented exit code, and nothing lost: what was there before is there, or the run can be finished to the same bytes.
// SPLITSIM_LONG_TESTS=1 tries every error for every operation, else each gets one of them.
#include <set>

#include "tests/faults/fault_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

using test::Contents;
using test::Fault;

const std::vector<int> kErrors = {ENOSPC, EIO, EDQUOT, EROFS};

bool long_tests() { return std::getenv("SPLITSIM_LONG_TESTS") != nullptr; }

class FailedWrites : public test::FaultyProcess {
 protected:
  std::vector<std::string> run_arguments(const std::vector<std::string>& more) {
    return tiny({"train.epochs=2", "train.mode=sflv1"}, more);
  }

  // Failure: what is documented for a file that cannot be written, in one line. Success is allowed where the operation
  // did not matter (closing what has been synced).
  void expect_told(const Faulted& result, const std::string& program, const std::string& context) {
    EXPECT_TRUE(result.exit_code == 0 || result.exit_code == 2)
        << context << ": exit " << result.exit_code << " " << result.err;
    EXPECT_EQ(result.error_lines(), result.exit_code == 0 ? 0 : 1) << context << ": " << result.err;
    EXPECT_EQ(result.err.find(program + ": "), result.exit_code == 0 ? std::string::npos : 0u)
        << context << ": " << result.err;
  }

  /// Runs `attempt` under a failure of its first, second, ... operation, until it has fewer; of each `stride`-th one
  /// only in the short test.
  template <class Attempt>
  void at_every_operation(const Fault& common, const Attempt& attempt, long stride = 1) {
    const auto complaints = [] {
      return ::testing::UnitTest::GetInstance()->current_test_info()->result()->total_part_count();
    };
    const int before = complaints();
    for (long at = 1; complaints() < before + 8; at += long_tests() ? 1 : stride) {
      for (std::size_t i = 0; i < kErrors.size(); ++i) {
        for (const bool sticky : {false, true}) {
          const bool its_turn = i == static_cast<std::size_t>(at) % kErrors.size() && sticky == (at % 8 >= 4);
          if (!long_tests() && !its_turn) continue;
          Fault fault = common;
          fault.action = "fail";
          fault.at = at;
          fault.error = kErrors[i];
          fault.sticky = sticky;
          if (attempt(fault)) continue;
          EXPECT_GT(at, 1) << "nothing was ever hit";
          return;
        }
      }
    }
  }

  std::string context_of(const Faulted& result, const Fault& fault) const {
    return fmt::format("operation {} ({}){}: {}", fault.at, result.hit, fault.sticky ? " and later" : "",
                       std::strerror(fault.error));
  }

  /// Of the results; a plan that was shown before something failed claims nothing.
  static std::string hashes_in(const std::string& out) {
    std::string hashes;
    for (std::size_t at = out.find("sha256 ", std::min(out.find("\nstatus "), out.size())); at != std::string::npos;
         at = out.find("sha256 ", at + 1)) {
      hashes += out.substr(at, 72);
    }
    return hashes;
  }

  void copy(const std::string& from, const std::string& to) {
    fs::remove_all(to);
    fs::copy(from, to, fs::copy_options::recursive);
  }
};

TEST_F(FailedWrites, OfANewRun) {
  const std::string wanted = in_folder("wanted"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", wanted})).exit_code, 0);
  const Contents all = test::contents_of(wanted);
  at_every_operation(
      {.under = dir},
      [&](const Fault& fault) {
        fs::remove_all(dir);
        const Faulted result = execute_under(fault, "splitsim-run", run_arguments({"--out", dir}));
        if (result.hit.empty()) return false;
        const std::string context = context_of(result, fault);
        expect_told(result, "splitsim-run", context);
        // A supervisor: go on where there is a run, else begin.
        if (result.exit_code != 0) {
          const Result again = fs::exists(dir + "/config.toml")
                                   ? execute("splitsim-run", {"--device", "cpu", "--resume", dir})
                                   : execute("splitsim-run", run_arguments({"--out", dir}));
          EXPECT_EQ(again.exit_code, 0) << context << ", then: " << again.err;
        }
        test::expect_same(test::contents_of(dir), all, context);
        return true;
      },
      2);
}

TEST_F(FailedWrites, OfAResumedRun) {
  const std::string wanted = in_folder("wanted"), begun = in_folder("begun"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", wanted})).exit_code, 0);
  const Contents all = test::contents_of(wanted);
  // Killed in the second epoch's checkpoint, so that there are records to take back.
  Fault killer{.under = begun, .action = "kill"};
  do {
    ++killer.at;
    fs::remove_all(begun);
  } while (
      execute_under(killer, "splitsim-run", run_arguments({"--out", begun})).hit.find("rename " + begun + "/check") !=
          0 ||
      test::slurp(begun + "/epochs.jsonl").find('\n') + 1 == test::slurp(begun + "/epochs.jsonl").size());
  at_every_operation(
      {.under = dir},
      [&](const Fault& fault) {
        copy(begun, dir);
        const Faulted result = execute_under(fault, "splitsim-run", {"--device", "cpu", "--resume", dir});
        if (result.hit.empty()) return false;
        const std::string context = context_of(result, fault);
        expect_told(result, "splitsim-run", context);
        if (result.exit_code != 0) {
          const Result again = execute("splitsim-run", {"--device", "cpu", "--resume", dir});
          EXPECT_EQ(again.exit_code, 0) << context << ", then: " << again.err;
        }
        test::expect_same(test::contents_of(dir), all, context);
        return true;
      },
      3);
}

TEST_F(FailedWrites, OfAReplacedRun) {
  const std::string wanted = in_folder("wanted"), old = in_folder("old"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", wanted})).exit_code, 0);
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", old, "--set", "seed=2"})).exit_code, 0);
  const Contents all = test::contents_of(wanted), before = test::contents_of(old);
  at_every_operation(
      {.under = dir},
      [&](const Fault& fault) {
        copy(old, dir);
        const Faulted result = execute_under(fault, "splitsim-run", run_arguments({"--out", dir, "--force"}));
        if (result.hit.empty()) return false;
        const std::string context = context_of(result, fault);
        expect_told(result, "splitsim-run", context);
        if (result.exit_code != 0) {
          // As it stands, the folder holds one run or the other or the start of one, never a mixture that goes on.
          copy(dir, in_folder("resumed"));
          const Result resumed = execute("splitsim-run", {"--device", "cpu", "--resume", in_folder("resumed")});
          EXPECT_TRUE(resumed.exit_code == 0 || resumed.exit_code == 2) << context << ": " << resumed.err;
          if (resumed.exit_code == 0) {
            const Contents finished = test::contents_of(in_folder("resumed"));
            const bool is_old = finished.at("config.toml") == before.at("config.toml");
            test::expect_same(finished, is_old ? before : all, context + ", then --resume");
          }
          const Result again = execute("splitsim-run", run_arguments({"--out", dir, "--force"}));
          EXPECT_EQ(again.exit_code, 0) << context << ", then: " << again.err;
        }
        test::expect_same(test::contents_of(dir), all, context);
        return true;
      },
      3);
}

// Files that stand alone are the old ones or the new ones.
TEST_F(FailedWrites, OfSampleAndRetime) {
  const std::string run = in_folder("a-run"), latency = in_folder("slow.toml");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", run})).exit_code, 0);
  std::ofstream(latency) << "[clock]\ndelay_ms = { kind = \"constant\", value = 9.0 }\n";
  struct Case {
    std::string program;
    std::vector<std::string> arguments, old_arguments;
  };
  const std::string dir = in_folder("out-files");
  const auto sample = [&](const std::string& seed) {
    return tiny({"seed=" + seed}, {"--samplers", "ugs", "--out", dir, "--trace", dir + "/trace.json", "--save-schedule",
                                   dir + "/schedule.npy"});
  };
  const std::vector<Case> cases = {{"splitsim-sample", sample("1"), sample("2")},
                                   {"splitsim-retime",
                                    {run, "--latency", latency, "--out", dir},
                                    {run, "--latency", latency, "--out", dir, "--resample"}}};
  for (const Case& one : cases) {
    fs::remove_all(dir);
    ASSERT_EQ(execute(one.program, one.arguments).exit_code, 0);
    const Contents fresh = test::contents_of(dir);
    fs::remove_all(dir);
    ASSERT_EQ(execute(one.program, one.old_arguments).exit_code, 0);
    const Contents old = test::contents_of(dir);
    for (const bool there : {false, true}) {
      at_every_operation({.under = dir}, [&](const Fault& fault) {
        fs::remove_all(dir);
        if (there) execute(one.program, one.old_arguments);
        const Faulted result = execute_under(fault, one.program, one.arguments);
        if (result.hit.empty()) return false;
        const std::string context = one.program + ", " + context_of(result, fault);
        expect_told(result, one.program, context);
        for (const auto& [name, text] : test::contents_of(dir)) {
          const bool is_ours = fresh.contains(name);
          // A removal that fails as well may leave an unfinished file, under a name that says so.
          EXPECT_TRUE(is_ours || (fault.sticky && name.ends_with(".part")))
              << context << ": " << name << " is left over";
          if (!is_ours) continue;
          EXPECT_TRUE(text == fresh.at(name) || (there && text == old.at(name))) << context << ": " << name;
        }
        if (there) {
          for (const auto& [name, text] : old) EXPECT_TRUE(fs::exists(dir + "/" + name)) << context << ": " << name;
        }
        return true;
      });
    }
  }
}

// Writes that do less than they were asked to, and interrupted ones, lose nothing.
TEST_F(FailedWrites, ShortAndInterruptedOnes) {
  const std::string wanted = in_folder("wanted"), dir = in_folder("run");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", wanted})).exit_code, 0);
  const Faulted result =
      execute_under({.under = dir, .short_writes = true}, "splitsim-run", run_arguments({"--out", dir}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_GT(result.operations, 300) << "writes were not cut";
  test::expect_same(test::contents_of(dir), test::contents_of(wanted), "short writes");
}

// Reads that fail half-way: of the data set at the start, of a run on --resume and on retiming.
TEST_F(FailedWrites, ReadsThatFail) {
  const std::string run = in_folder("a-run"), latency = in_folder("slow.toml");
  ASSERT_EQ(execute("splitsim-run", run_arguments({"--out", run})).exit_code, 0);
  std::ofstream(latency) << "[clock]\ndelay_ms = { kind = \"constant\", value = 9.0 }\n";
  const Contents before = test::contents_of(run);
  struct Case {
    std::string program, under;
    std::vector<std::string> arguments;
  };
  const std::vector<Case> cases = {{"splitsim-run", tiny_data(), run_arguments({})},
                                   {"splitsim-sample", tiny_data(), tiny({}, {"--samplers", "ugs"})},
                                   {"splitsim-retime", run, {run, "--latency", latency}},
                                   {"splitsim-retime", latency, {run, "--latency", latency}},
                                   {"splitsim-run", run, {"--device", "cpu", "--resume", run}}};
  for (const Case& one : cases) {
    const Result unharmed = execute(one.program, one.arguments);
    at_every_operation({.under = one.under, .reads = true}, [&](const Fault& fault) {
      Fault eio = fault;
      eio.error = EIO;
      const Faulted result = execute_under(eio, one.program, one.arguments);
      if (result.hit.empty()) return false;
      const std::string context = one.program + ", " + context_of(result, eio);
      expect_told(result, one.program, context);
      // What was tried again and then could be read has done no harm.
      EXPECT_EQ(hashes_in(result.out), result.exit_code == 0 ? hashes_in(unharmed.out) : "") << context;
      test::expect_same(test::contents_of(run), before, context);
      return true;
    });
  }
}

}  // namespace
}  // namespace splitsim

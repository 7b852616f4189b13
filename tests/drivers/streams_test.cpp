// Output that cannot be written, in every executable: the documented exit code, never an abort, and no file of the run
// in the place of a closed stream.
#include "tests/drivers/tiny_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;

class Streams : public test::TinyRun {
 protected:
  // The exit code of `program arguments redirections` in a shell, 128 + signal for a killed process.
  int shell(const std::string& program, const std::vector<std::string>& arguments, const std::string& redirections) {
    std::string command = std::string(test::kBinDir) + "/" + program;
    for (const std::string& argument : arguments) command += " '" + argument + "'";
    const int status = std::system((command + " " + redirections).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  std::string err() const { return test::slurp(in_folder("err")); }
};

constexpr const char* kPrograms[] = {"splitsim-run",    "splitsim-info",  "splitsim-sample",
                                     "splitsim-retime", "splitsim-sweep", "splitsim-bench"};

TEST_F(Streams, ErrorsKeepTheirCodeWhereverTheirMessageGoes) {
  for (const char* program : kPrograms) {
    for (const char* to : {"2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"}) {
      EXPECT_EQ(shell(program, {"--no-such-option"}, to), 2) << program << " " << to;
    }
    EXPECT_EQ(shell(program, {"--no-such-option"}, "2>'" + in_folder("err") + "'"), 2);
    const std::string text = err();
    EXPECT_EQ(text.find(std::string(program) + ": "), 0u) << text;
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << text;
  }
}

TEST_F(Streams, OutputThatCannotBeWrittenIsCode1) {
  for (const char* program : kPrograms) {
    for (const char* to : {">/dev/full", ">&-"}) {
      EXPECT_EQ(shell(program, {"--help"}, std::string(to) + " 2>'" + in_folder("err") + "'"), 1) << program << to;
      EXPECT_NE(err().find("cannot write to standard output"), std::string::npos) << program << to << err();
    }
    EXPECT_EQ(shell(program, {"--help"}, ">/dev/full 2>&1"), 1) << program;
    EXPECT_EQ(shell(program, {"--help"}, ">&- 2>&-"), 1) << program;
    // Nobody reads any more: nobody needs a message either.
    const std::string path = std::string(test::kBinDir) + "/" + program;
    const std::string command = "(sleep 0.1; " + path + " --help 2>'" + in_folder("err") + "'; echo $? >'" +
                                in_folder("code") + "') | true";
    fs::remove(in_folder("code"));
    ASSERT_EQ(std::system(command.c_str()), 0);
    for (int i = 0; i < 400 && test::slurp(in_folder("code")).empty(); ++i) usleep(5000);  // a pipe waits for its end only
    EXPECT_EQ(test::slurp(in_folder("code")), "1\n") << program;
    EXPECT_EQ(err(), "") << program;
  }
}

// A run that learns for hours does not stop because its table cannot be shown.
TEST_F(Streams, ARunThatCannotShowItsTableStillLeavesItsFiles) {
  const std::string whole = in_folder("whole");
  ASSERT_EQ(shell("splitsim-run", tiny({"--out", whole}), ">/dev/null"), 0);
  int number = 0;
  for (const char* to : {">/dev/full", ">&-", "<&- >&- 2>&-", ">/dev/full 2>/dev/full"}) {
    const std::string dir = in_folder("run" + std::to_string(number++));
    EXPECT_EQ(shell("splitsim-run", tiny({"--out", dir}), to), 1) << to;
    EXPECT_EQ(summary_of(dir)["model_sha256"], summary_of(whole)["model_sha256"]) << to;
    EXPECT_EQ(test::slurp(dir + "/steps.csv"), test::slurp(whole + "/steps.csv")) << to;
    EXPECT_EQ(test::slurp(dir + "/partition.npy"), test::slurp(whole + "/partition.npy")) << to;
  }
}

TEST_F(Streams, OtherProgramsLeaveTheirFilesToo) {
  const std::string run = in_folder("run");
  ASSERT_EQ(shell("splitsim-run", tiny({"--out", run}), ">/dev/null"), 0);
  std::ofstream(in_folder("same.toml")) << "[clock]\n";
  EXPECT_EQ(shell("splitsim-retime", {run, "--latency", in_folder("same.toml"), "--out", in_folder("re")}, ">&-"), 1);
  EXPECT_TRUE(fs::exists(in_folder("re/retime.json")));
  EXPECT_EQ(shell("splitsim-sample",
                  {"--synthetic", "200,4", "--set", "partition.kind=iid", "--set", "partition.clients=4", "--set",
                   "sampler.batch=20", "--out", in_folder("samples")},
                  ">/dev/full"),
            1);
  EXPECT_TRUE(fs::exists(in_folder("samples/samplers.json")));
}

}  // namespace
}  // namespace splitsim

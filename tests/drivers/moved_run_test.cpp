// Runs whose place, data or working directory are not what they were, and names that need care.
#include "tests/drivers/resumable_run.hpp"

namespace splitsim {
namespace {

namespace fs = std::filesystem;
using test::slurp;

/// Three epochs of a run, to be continued to five, beside a run that did five at once.
class MovedRun : public test::ResumableRun {
 protected:
  void SetUp() override {
    test::ResumableRun::SetUp();
    std::ofstream(in_folder("same.toml")) << "[clock]\n";
  }
  std::vector<std::string> arguments(const std::string& data, const std::string& out,
                                     const std::vector<std::string>& more = {}) {
    // A later data.dir is the one that counts.
    return joined(tiny({"--out", out, "--set", "data.dir=" + data}), joined(constant_rates(), more));
  }
  void run_three(const std::string& data, const std::string& out) {
    const Result result = execute("splitsim-run", arguments(data, out));
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  void run_five(const std::string& out) {
    const Result result = execute("splitsim-run", arguments(tiny_data(), out, {"--set", "train.epochs=5"}));
    ASSERT_EQ(result.exit_code, 0) << result.err;
  }
  // To five epochs.
  Result go_on(const std::string& dir, const std::vector<std::string>& more = {}) {
    return execute("splitsim-run", resume(dir, joined({"--set", "train.epochs=5"}, more)));
  }
  void expect_five(const std::string& dir, const Result& result) {
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err.find("error"), std::string::npos) << result.err;
    if (!fs::exists(in_folder("five"))) run_five(in_folder("five"));
    expect_same_results(dir, in_folder("five"));
  }
  void expect_refused_untouched(const std::string& dir, const Result& result,
                                const std::map<std::string, std::pair<std::string, fs::file_time_type>>& before,
                                const std::string& part) {
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_EQ(result.error_lines(), 1) << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(state_of(dir), before);
  }
  // The times of the run, computed anew.
  void expect_retimed(const std::string& dir, const std::vector<std::string>& more = {}) {
    const std::string out = in_folder("retimed");
    const Result result = execute(
        "splitsim-retime", joined({dir, "--latency", in_folder("same.toml"), "--device", "cpu", "--out", out}, more));
    ASSERT_EQ(result.exit_code, 0) << result.err;
    const nlohmann::json report = nlohmann::json::parse(slurp(out + "/retime.json"));
    EXPECT_EQ(report["timeline_sha256"], summary_of(in_folder("five"))["timeline_sha256"]);
    fs::remove_all(out);
  }
  // The tiny data with one byte of a file changed.
  std::string other_data(const std::string& file) {
    const std::string dir = in_folder("other-" + file);
    fs::copy(tiny_data(), dir);
    std::string bytes = slurp(dir + "/" + file);
    char& last = bytes[bytes.size() - 8];
    last = last == 1 ? 2 : 1;
    std::ofstream(dir + "/" + file, std::ios::binary) << bytes;
    return dir;
  }
};

TEST_F(MovedRun, RelativePathsCountFromWhereTheRunBeganNotFromWhereItGoesOn) {
  tiny_data("here/sets/tiny");
  fs::create_directories(in_folder("elsewhere/sets/tiny"));  // of the same name, empty
  working_dir_ = in_folder("here");
  run_three("sets/tiny", "runs/a");
  const std::string dir = in_folder("here/runs/a");
  EXPECT_NE(slurp(dir + "/config.toml").find("dir = \"" + in_folder("here/sets/tiny") + "\""), std::string::npos);
  working_dir_ = in_folder("elsewhere");
  const Result result = go_on("../here/runs/a");
  expect_five(dir, result);
  expect_retimed("../here/runs/a");
  EXPECT_TRUE(fs::is_empty(in_folder("elsewhere/sets/tiny")));
  EXPECT_EQ(files_in(in_folder("elsewhere")), std::set<std::string>{"sets"});
}

TEST_F(MovedRun, AConfigBesideItsDataRunsFromAnywhere) {
  tiny_data("study/sets/tiny");
  std::ofstream(in_folder("study/exp.toml"))
      << "data = { name = 'npy', dir = 'sets/tiny' }\nmodel = { name = 'mlp', cut = 'fc1' }\n"
         "partition = { kind = 'iid', clients = 6 }\nsampler.batch = 24\ntrain.epochs = 3\ntrain.schedule = "
         "'constant'\n";
  fs::create_directory(in_folder("elsewhere"));
  working_dir_ = in_folder("elsewhere");
  const Result result = execute("splitsim-run", {"../study/exp.toml", "--device", "cpu", "--out", "run"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  working_dir_ = "/";
  expect_five(in_folder("elsewhere/run"), go_on(in_folder("elsewhere/run")));
}

TEST_F(MovedRun, ARunGoesOnWhereItsFolderIsNow) {
  run_three(tiny_data(), in_folder("runs/a"));
  fs::create_directories(in_folder("archive/2026"));
  fs::rename(in_folder("runs/a"), in_folder("archive/2026/a"));
  fs::remove(in_folder("runs"));
  expect_five(in_folder("archive/2026/a"), go_on(in_folder("archive/2026/a")));
  expect_retimed(in_folder("archive/2026/a"));
  EXPECT_FALSE(fs::exists(in_folder("runs"))) << "the old place was written to";
  // A copy is a run of its own.
  fs::copy(in_folder("archive/2026/a"), in_folder("copy"), fs::copy_options::recursive);
  EXPECT_EQ(execute("splitsim-run", resume(in_folder("copy"))).exit_code, 0);
  const Result gone = go_on(in_folder("runs/a"));
  EXPECT_EQ(gone.exit_code, 2);
  EXPECT_NE(gone.err.find("there is no such folder"), std::string::npos) << gone.err;
  EXPECT_FALSE(fs::exists(in_folder("runs")));
}

TEST_F(MovedRun, MovedDataNeedsItsNewPlaceAndTheSameContent) {
  const std::string dir = in_folder("run"), old_place = tiny_data("old");
  run_three(old_place, dir);
  fs::create_directories(in_folder("disk2"));
  fs::rename(old_place, in_folder("disk2/new"));
  const auto before = state_of(dir);
  expect_refused_untouched(dir, go_on(dir), before,
                           "data.dir = '" + old_place + "': no such folder, so 'x.npy' is missing");
  for (const auto& [file, name] :
       {std::pair{"x.npy", "images"}, {"x_test.npy", "images"}, {"y.npy", "labels"}, {"y_test.npy", "labels"}}) {
    expect_refused_untouched(dir, go_on(dir, {"--set", "data.dir=" + other_data(file)}), before,
                             std::string("its ") + name + " has other content than the run began with");
  }
  working_dir_ = in_folder("disk2");
  expect_five(dir, go_on(dir, {"--set", "data.dir=new"}));
  EXPECT_NE(slurp(dir + "/config.toml").find("dir = \"" + in_folder("disk2/new") + "\""), std::string::npos);
  expect_retimed(dir);  // the run knows the new place now
}

TEST_F(MovedRun, RetimingTakesTheNewPlaceOfItsData) {
  const std::string dir = in_folder("five"), old_place = tiny_data("data");
  run_five(dir);
  fs::rename(old_place, in_folder("moved"));
  const auto before = state_of(dir);
  const auto retime = [&](const std::vector<std::string>& more) {
    return execute(
        "splitsim-retime",
        joined({dir, "--latency", in_folder("same.toml"), "--device", "cpu", "--out", in_folder("out_dir")}, more));
  };
  expect_refused_untouched(dir, retime({}), before, "'x.npy' is missing");
  expect_refused_untouched(dir, retime({"--set", "data.dir=" + other_data("y.npy")}), before, "has changed");
  expect_refused_untouched(dir, retime({"--set", "sampler.batch=12"}), before, "data.dir");
  EXPECT_FALSE(fs::exists(in_folder("out_dir")));
  expect_retimed(dir, {"--set", "data.dir=" + in_folder("moved")});
  EXPECT_EQ(state_of(dir), before) << "retiming leaves the run as it is";
}

TEST_F(MovedRun, BlanksUnicodeAndQuotesInNames) {
  for (const std::string name : {"two words", "\xc3\xbc n\xc3\xaf \xe6\x95\xb0\xe6\x8d\xae \xf0\x9f\x98\x80",
                                 "a\"b\\c'd#e=f", "%s {} $HOME ~", "-x --out", "new\nline\ttab"}) {
    SCOPED_TRACE(name);
    const std::string top = in_folder("top/" + name), data = tiny_data("top/" + name + "/data of " + name);
    const std::string dir = top + "/run";
    run_three(data, dir);
    // From inside, by names that begin as they like.
    working_dir_ = in_folder("top");
    expect_five(dir, go_on("./" + name + "/run"));
    expect_retimed(dir);
    fs::rename(data, top + "/else");
    const auto before = state_of(dir);
    expect_refused_untouched(dir, execute("splitsim-run", resume(dir)), before, "'x.npy' is missing");
    working_dir_.clear();
  }
}

TEST_F(MovedRun, SymbolicLinks) {
  const std::string data = tiny_data("disk/data"), dir = in_folder("disk/run");
  fs::create_directory_symlink(data, in_folder("data-link"));
  fs::create_directory(dir);
  fs::create_directory_symlink(dir, in_folder("run-link"));
  run_three(in_folder("data-link"), in_folder("run-link"));
  EXPECT_NE(slurp(dir + "/config.toml").find(in_folder("data-link")), std::string::npos) << "links stay as named";
  EXPECT_TRUE(fs::is_symlink(in_folder("run-link")));

  const auto before = state_of(dir);
  fs::remove(in_folder("data-link"));
  expect_refused_untouched(dir, go_on(in_folder("run-link")), before, "no such folder");
  fs::create_directory_symlink(other_data("y.npy"), in_folder("data-link"));
  expect_refused_untouched(dir, go_on(in_folder("run-link")), before, "its labels has other content");
  fs::remove(in_folder("data-link"));
  fs::rename(data, in_folder("moved"));
  fs::create_directory_symlink(in_folder("moved"), in_folder("data-link"));
  // ".." of a link leads to where the link leads, as for every other program.
  fs::create_directories(in_folder("disk/deep/er"));
  fs::create_directory_symlink(in_folder("disk/deep/er"), in_folder("deep-link"));
  expect_five(dir, go_on(in_folder("deep-link/../../run")));
  expect_retimed(in_folder("run-link"));

  // Under either name it is one folder.
  const pid_t first =
      start("splitsim-run", resume(in_folder("run-link"), {"--set", "train.epochs=100000"}), in_folder("out1"));
  ASSERT_TRUE(wait_for([&] { return slurp(dir + "/epochs.jsonl").find("\"epoch\":6") != std::string::npos; }));
  const Result second = execute("splitsim-run", resume(dir));
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_NE(second.err.find("in use by process " + std::to_string(first)), std::string::npos) << second.err;
  kill(first, SIGTERM);
  EXPECT_EQ(finish(first).exit_code, 130);
}

TEST_F(MovedRun, ALinkThatLeadsNowhereIsNoRunDirectory) {
  fs::create_directory_symlink(in_folder("nowhere"), in_folder("dangling"));
  const Result result = execute("splitsim-run", tiny({"--out", in_folder("dangling")}));
  EXPECT_EQ(result.exit_code, 2) << result.err;
  EXPECT_EQ(result.error_lines(), 1) << result.err;
  EXPECT_NE(result.err.find("dangling"), std::string::npos) << result.err;
  EXPECT_TRUE(fs::is_symlink(in_folder("dangling")));
}

}  // namespace
}  // namespace splitsim

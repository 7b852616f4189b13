// Memory: what is planned is about what is used, and what does not fit is refused in one line, before it is made.
#include <fmt/format.h>
#include <sys/resource.h>

#include "kernels/device/machine.hpp"
#include "runtime/study/memory_plan.hpp"
#include "tests/drivers/tiny_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

class Memory : public test::TinyRun {
 protected:
  static std::vector<std::string> synthetic(std::int64_t samples, std::int64_t clients, const std::string& samplers) {
    return {"--device", "cpu", "--synthetic", fmt::format("{},10", samples), "--set", "partition.kind=iid", "--set",
            fmt::format("partition.clients={}", clients), "--samplers", samplers};
  }
  // Peak resident bytes of splitsim-sample.
  std::uint64_t peak(const std::vector<std::string>& arguments) {
    const pid_t pid = start("splitsim-sample", arguments, in_folder("out"));
    int status = 0;
    rusage usage{};
    EXPECT_EQ(wait4(pid, &status, 0, &usage), pid);
    EXPECT_EQ(status, 0) << test::slurp(in_folder("err"));
    return static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  }
  int limited(const std::string& limit, const std::string& program, const std::vector<std::string>& arguments) {
    std::string command = "ulimit " + limit + "; exec '" + std::string(test::kBinDir) + "/" + program + "'";
    for (const std::string& argument : arguments) command += " '" + argument + "'";
    const int status = std::system((command + " >'" + in_folder("out") + "' 2>'" + in_folder("err") + "'").c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  void expect_one_line() {
    const std::string err = test::slurp(in_folder("err"));
    EXPECT_EQ(std::count(err.begin(), err.end(), '\n'), 1) << err;
    EXPECT_NE(err.find("memory"), std::string::npos) << err;
  }
};

TEST_F(Memory, SamplesPlanIsWhatTheyUse) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer's memory is not the program's";
  // What the process itself takes, CUDA's libraries among it, varies by tens of megabytes with the pages that the loader
  // touches: the samples are so many that it does not matter.
  const auto process = static_cast<double>(peak(synthetic(1000, 100, "ugs")));
  for (const char* sampler : {"ugs", "fls", "lb_greedy", "pack", "lbpack"}) {
    for (const auto& [samples, clients] : {std::pair{3000000, 100}, {3000000, 100000}}) {
      const SamplingMemory plan = sampling_memory(samples, clients, 10, {sampler});
      const auto planned = static_cast<double>(plan.device + plan.host);
      const double used = static_cast<double>(peak(synthetic(samples, clients, sampler))) - process;
      EXPECT_LT(used, planned) << sampler << " " << clients;
      EXPECT_LT(planned, 3.0 * used) << sampler << " " << clients;
    }
  }
}

TEST_F(Memory, SamplesThatDoNotFitAreRefusedAtOnce) {
  const auto begin = std::chrono::steady_clock::now();
  const Result result = execute("splitsim-sample", synthetic(2147483647, 100, "ugs,fls"));
  if (available_memory() > (std::uint64_t{250} << 30)) GTEST_SKIP() << "this machine has enough memory";
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_EQ(result.error_lines(), 1) << result.err;
  EXPECT_NE(result.err.find("bytes of cpu memory and"), std::string::npos) << result.err;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(Memory, LimitsOfTheProcessCount) {
  if (test::kSanitized) GTEST_SKIP() << "a sanitizer's memory is not the program's";
  // What the process maps before it does anything depends on the build: CUDA's libraries are large.
  const auto least = [&](const std::string& program, const std::vector<std::string>& arguments) {
    int kib = 50000;
    while (kib < 16000000 && limited(fmt::format("-v {}", kib), program, arguments) != 0) kib += std::max(10000, kib / 8);
    return kib;
  };
  const int sample = least("splitsim-sample", synthetic(1000, 100, "ugs")), run = least("splitsim-run", {"--version"});
  EXPECT_EQ(limited(fmt::format("-v {}", sample + 100000), "splitsim-sample", synthetic(8000000, 100, "ugs")), 2);
  expect_one_line();
  EXPECT_EQ(limited(fmt::format("-v {}", sample + 100000), "splitsim-sample", synthetic(100000, 100, "ugs")), 0);
  const auto large = tiny({"--set", "model.name=resnet18", "--set", "model.cut=layer1", "--set", "sampler.batch=120"});
  EXPECT_EQ(limited(fmt::format("-v {}", run + 50000), "splitsim-run", large), 2);
  expect_one_line();
  // Below what the process itself needs: still one line, whichever call fails first.
  for (const int kib : {sample - sample / 10, sample - sample / 5, sample / 2}) {
    const int code = limited(fmt::format("-v {}", kib), "splitsim-sample", synthetic(1000000, 100, "ugs"));
    const std::string err = test::slurp(in_folder("err"));
    if (err.find("shared object") != std::string::npos) continue;  // the loader could not even map the libraries
    EXPECT_EQ(code, 2) << kib << err;
    expect_one_line();
  }
}

// A control group of version 1 as a job of a batch system sees it, made by hand in a mount namespace of its own.
TEST_F(Memory, LimitsOfControlGroupsCount) {
  const std::string groups = in_folder("groups");
  std::filesystem::create_directories(groups + "/memory");
  std::ofstream(groups + "/memory/memory.limit_in_bytes") << "1000000\n";
  const std::string probe = "unshare -m sh -c 'mount --bind " + groups + " /sys/fs/cgroup' 2>/dev/null";
  if (std::system(probe.c_str()) != 0) GTEST_SKIP() << "no mount namespace can be made here (needs root)";
  const std::vector<std::pair<const char*, std::vector<std::string>>> programs = {
      {"splitsim-run", tiny()}, {"splitsim-sample", synthetic(100000, 10, "ugs")}};
  for (const auto& [program, arguments] : programs) {
    std::ofstream script(in_folder("script"));
    script << "mount --bind '" << groups << "' /sys/fs/cgroup && exec '" << test::kBinDir << "/" << program << "'";
    for (const std::string& argument : arguments) script << " '" << argument << "'";
    script.close();
    const int status = std::system(("unshare -m sh '" + in_folder("script") + "' >'" + in_folder("out") + "' 2>'" +
                                    in_folder("err") + "'")
                                       .c_str());
    EXPECT_EQ(WEXITSTATUS(status), 2) << program << test::slurp(in_folder("err"));
    expect_one_line();
  }
}

}  // namespace
}  // namespace splitsim

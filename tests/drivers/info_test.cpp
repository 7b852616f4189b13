// splitsim-info, and what all drivers share.
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "drivers/common.hpp"
#include "runtime/config/version.hpp"
#include "runtime/data/dataset.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/model/models.hpp"
#include "samplers/population/partition.hpp"
#include "samplers/registry.hpp"
#include "tests/drivers/process.hpp"

namespace splitsim {
namespace {

class Info : public test::CommandLine {};

TEST_F(Info, SaysWhatThisBuildIsAndCanDo) {
  const Result info = execute("splitsim-info", {});
  EXPECT_EQ(info.exit_code, 0);
  EXPECT_EQ(info.err, "");
  for (const std::string& part : {"splitsim " + version(), git_commit(), std::string("oneDNN"), std::string("CCCL")}) {
    EXPECT_NE(info.out.find(part), std::string::npos) << part << " is not in\n" << info.out;
  }
  std::string why_not;
  const bool available = cuda_available(&why_not);
  const std::string cuda = available ? CudaContext().device_name() : "not available: " + why_not;
  EXPECT_NE(info.out.find(cuda), std::string::npos) << cuda << " is not in\n" << info.out;
}

TEST_F(Info, JsonListsTheRegistries) {
  const Result info = execute("splitsim-info", {"--json"});
  ASSERT_EQ(info.exit_code, 0);
  const nlohmann::json json = nlohmann::json::parse(info.out);
  EXPECT_EQ(json["splitsim"]["version"], version());
  EXPECT_EQ(json["splitsim"]["git"], git_commit());
  EXPECT_EQ(json["backends"][0]["name"], "cpu");
  EXPECT_GT(json["backends"][0]["memory_bytes"].get<std::uint64_t>(), 0u);
  EXPECT_EQ(json["backends"][1]["available"], cuda_available());
  const auto expect_names = [&json](const char* list, const auto& infos) {
    ASSERT_EQ(json[list].size(), infos.size()) << list;
    for (std::size_t i = 0; i < infos.size(); ++i) EXPECT_EQ(json[list][i]["name"], infos[i].name);
  };
  expect_names("samplers", sampler_infos());
  expect_names("partitions", partition_kinds());
  expect_names("data_sets", dataset_infos());
  expect_names("models", model_infos());
  expect_names("modes", mode_infos());
  expect_names("distributions", distribution_infos());
}

TEST_F(Info, VersionHelpAndMistakes) {
  const Result versions = execute("splitsim-info", {"--version"});
  EXPECT_EQ(versions.exit_code, 0);
  EXPECT_EQ(versions.out, "splitsim-info " + version() + " (" + git_commit() + ")\n");
  const Result help = execute("splitsim-info", {"--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_NE(help.out.find("--json"), std::string::npos);
  const Result wrong = execute("splitsim-info", {"--jsn"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_EQ(wrong.out, "");
  EXPECT_EQ(wrong.error_lines(), 1);
  EXPECT_EQ(wrong.err.find("splitsim-info: "), 0u) << wrong.err;
  EXPECT_NE(wrong.err.find("--jsn"), std::string::npos) << wrong.err;
}

TEST_F(Info, OutputThatCannotBeWrittenIsAnError) {
  if (!std::filesystem::exists("/dev/full")) GTEST_SKIP() << "no /dev/full here";
  const Result full = finish(start("splitsim-info", {}, "/dev/full"));
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_EQ(full.error_lines(), 1) << full.err;
  EXPECT_EQ(full.err.find("splitsim-info: cannot write to "), 0u) << full.err;
  EXPECT_NE(full.err.find("No space left on device"), std::string::npos) << full.err;
}

TEST(Drivers, EveryErrorBecomesItsExitCode) {
  const auto code_of = [](const std::function<int()>& body) {
    ::testing::internal::CaptureStderr();
    const int code = run_driver("prog", body);
    return std::pair(code, ::testing::internal::GetCapturedStderr());
  };
  const auto expect = [&](const std::function<int()>& body, int code, const std::string& message) {
    EXPECT_EQ(code_of(body), std::pair(code, message));
  };
  expect([] { return 0; }, 0, "");
  expect([]() -> int { throw InputError("two\nlines"); }, 2, "prog: two lines\n");
  expect([]() -> int { throw OutOfMemory("m"); }, 2, "prog: m\n");
  expect([]() -> int { throw NoDevice("m"); }, 3, "prog: m\n");
  expect([]() -> int { throw Diverged("m"); }, 4, "prog: m\n");
  expect([]() -> int { throw Interrupted("m"); }, 130, "prog: m\n");
  expect([]() -> int { throw BackendError("m"); }, 1, "prog: m\n");
  expect([]() -> int { throw std::runtime_error("m"); }, 1, "prog: internal error: m\n");
  expect([]() -> int { throw 5; }, 1, "prog: internal error\n");
  expect([]() -> int { throw std::bad_alloc(); }, 2, "prog: out of host memory\n");
}

TEST(Drivers, HumanBytes) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(std::uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(human_bytes(~std::uint64_t{0}), "16.0 EiB");
}

}  // namespace
}  // namespace splitsim

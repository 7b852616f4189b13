// Every target over its corpus, with the ordinary compiler: inputs that once failed stay mended.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "base/error.hpp"
#include "tests/fuzz/targets.hpp"
#include "tests/paths.hpp"

namespace splitsim::fuzz {
namespace {

namespace fs = std::filesystem;

const std::map<std::string, Target> kTargets = {
    {"config", fuzz_config},
    {"idx", fuzz_idx},
    {"cifar", fuzz_cifar},
    {"npy", fuzz_npy},
    {"safetensors", fuzz_safetensors},
    {"trace", fuzz_trace},
    {"schedule", fuzz_schedule},
    {"partition", fuzz_partition},
    {"samples", fuzz_samples},
    {"checkpoint", fuzz_checkpoint},
};

const fs::path kCorpus = fs::path(splitsim::test::kSourceDir) / "tests/fuzz/corpus";

std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

class Corpus : public ::testing::TestWithParam<std::string> {};

// Also with its end cut off and with a bit turned, which a corpus of few files leaves out. Something must be accepted,
// or the corpus has become worthless.
TEST_P(Corpus, OnlyErrorsEscape) {
  int files = 0, accepted = 0;
  for (const auto& entry : fs::directory_iterator(kCorpus / GetParam())) {
    const std::string bytes = slurp(entry.path());
    std::vector<std::string> inputs = {bytes, bytes.substr(0, bytes.size() / 2), bytes.substr(0, bytes.size() - 1)};
    for (std::size_t i = 0; i < 16 && !bytes.empty(); ++i) {
      inputs.push_back(bytes);
      inputs.back()[i * 2654435761u % std::min<std::size_t>(bytes.size(), 256)] ^= static_cast<char>(1 << i % 8);
    }
    ++files;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      try {
        kTargets.at(GetParam())(inputs[i]);
        accepted += i == 0;
      } catch (const Error& error) {
        EXPECT_NO_THROW(require_one_line(error.what())) << entry.path() << " " << i << ": " << error.what();
      } catch (const std::exception& error) {
        ADD_FAILURE() << entry.path() << ", variant " << i << ": " << error.what();
      }
    }
  }
  EXPECT_GT(files, 0);
  EXPECT_GT(accepted, 0);
}

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& [name, target] : kTargets) all.push_back(name);
  return all;
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Corpus, ::testing::ValuesIn(names()), [](const auto& target) { return target.param; });

TEST(CorpusFolder, HasNothingButTargetsAndIsSmall) {
  std::uintmax_t bytes = 0;
  for (const auto& folder : fs::directory_iterator(kCorpus)) {
    EXPECT_TRUE(kTargets.contains(folder.path().filename().string())) << folder.path();
    int files = 0;
    for (const auto& entry : fs::directory_iterator(folder)) {
      ++files;
      bytes += entry.file_size();
    }
    EXPECT_LE(files, 30) << folder.path();
  }
  EXPECT_LT(bytes, 300'000u);
}

}  // namespace
}  // namespace splitsim::fuzz

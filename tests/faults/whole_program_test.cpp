// The whole program under random configurations: see tests/fuzz/whole_program.py. SPLITSIM_CONFIGS: how many, 100 if
// it is not set.
#include <stdio.h>

#include "tests/faults/fault_run.hpp"
#include "tests/paths.hpp"

namespace splitsim {
namespace {

TEST(WholeProgram, TakesRandomConfigurations) {
  const char* count = std::getenv("SPLITSIM_CONFIGS");
  const std::string command = std::string("python3 '") + test::kSourceDir + "/tests/fuzz/whole_program.py' '" +
                              test::kBinDir + "' --seed 1 --count " + (count == nullptr ? "100" : count) + " 2>&1";
  FILE* pipe = popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string out;
  for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) out += static_cast<char>(c);
  EXPECT_EQ(pclose(pipe), 0) << out;
  RecordProperty("summary", out.substr(0, out.find_last_not_of('\n') + 1));
}

}  // namespace
}  // namespace splitsim

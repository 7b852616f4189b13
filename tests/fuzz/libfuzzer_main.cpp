// One target as a libFuzzer executable.
#include "base/error.hpp"
#include "tests/fuzz/targets.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    splitsim::fuzz::SPLITSIM_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  } catch (const splitsim::Error& error) {
    splitsim::fuzz::require_one_line(error.what());
  }
  return 0;
}

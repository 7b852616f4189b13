#include "tests/paths.hpp"

namespace splitsim::test {

const char* const kSourceDir = SPLITSIM_SOURCE_DIR;
const char* const kBinDir = SPLITSIM_BIN_DIR;
const char* const kFailingIo = SPLITSIM_FAILING_IO;
const bool kSanitized = SPLITSIM_SANITIZED;

}  // namespace splitsim::test

// Where the tests were built from and what they run. Constants of one unit, so that objects do not depend on the place of
// the source tree and compiler caches serve every clone.
#pragma once

namespace splitsim::test {

extern const char* const kSourceDir;  ///< the source tree
extern const char* const kBinDir;     ///< the executables
extern const char* const kFailingIo;  ///< the library of tests/faults

}  // namespace splitsim::test

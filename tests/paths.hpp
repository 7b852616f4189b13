// Where the tests were built from and what they run. Constants of one unit, so that objects do not depend on the place of
// the source tree and compiler caches serve every clone.
#pragma once

namespace splitsim::test {

extern const char* const kSourceDir;  ///< the source tree
extern const char* const kBinDir;     ///< the executables
extern const char* const kFailingIo;  ///< the library of tests/faults
/// Whether the executables run under a sanitizer, which maps terabytes and keeps memory that was given back: a limit on
/// memory means nothing there.
extern const bool kSanitized;

}  // namespace splitsim::test

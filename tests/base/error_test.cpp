#include "base/error.hpp"

#include <gtest/gtest.h>

namespace splitsim {
namespace {

// Messages quote files, whose bytes must neither break the line nor reach the terminal.
TEST(Error, IsOneLineWhateverItQuotes) {
  EXPECT_STREQ(InputError("a\nb\r\x1b[31mc\x7f").what(), "a b  [31mc ");
  EXPECT_STREQ(InputError(std::string("a\0b", 3)).what(), "a b");
  EXPECT_STREQ(InputError("\xc3\xa4\t1").what(), "\xc3\xa4 1");
}

}  // namespace
}  // namespace splitsim

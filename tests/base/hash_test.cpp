#include "base/hash.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

namespace splitsim {
namespace {

std::string hash_of(const std::string& text) {
  Sha256 hash;
  hash.add(text);
  return hash.hex();
}

// FIPS 180-2, appendix B, and the empty message.
TEST(Sha256, KnownAnswers) {
  EXPECT_EQ(hash_of(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(hash_of("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(hash_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(hash_of(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, HexStartsAfresh) {
  Sha256 hash;
  hash.add("something");
  hash.hex();
  hash.add("abc");
  EXPECT_EQ(hash.hex(), hash_of("abc"));
}

TEST(Sha256, IntegersAreLittleEndian) {
  Sha256 hash;
  hash.add(std::vector<std::int32_t>{0x04030201, -1});
  EXPECT_EQ(hash.hex(), hash_of("\x01\x02\x03\x04\xff\xff\xff\xff"));
}

RC_GTEST_PROP(Sha256, PiecesHashAsTheWhole, (const std::vector<std::string>& pieces)) {
  Sha256 hash;
  std::string whole;
  for (const std::string& piece : pieces) {
    hash.add(piece);
    whole += piece;
  }
  RC_ASSERT(hash.hex() == hash_of(whole));
}

}  // namespace
}  // namespace splitsim

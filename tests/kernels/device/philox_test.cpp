#include "kernels/device/philox.hpp"

#include <gtest/gtest.h>

#include <set>
#include <tuple>
#include <vector>

#include "kernels/device/buffer.hpp"
#include "tests/contexts.hpp"
#include "tests/kernels/device/substrate_probe.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class Philox : public OnContext<Context> {};
TYPED_TEST_SUITE(Philox, Contexts);

// The published vectors hold for the constexpr twin at compile time (philox.hpp); here it meets cuRAND's function.
TYPED_TEST(Philox, LibraryAndConstexprTwinAgreeOnAMillionInputs) {
  constexpr std::uint32_t kCount = 1'000'000;
  Buffer<std::uint32_t, TypeParam> out(this->ctx(), 4 * std::int64_t{kCount});
  probe_philox(this->ctx(), out.view());
  const auto bits = out.download();
  for (std::uint32_t i = 0; i < kCount; ++i) {
    const Bits128 expected = splitsim::detail::philox_constexpr({i, i * 0x9E3779B1u, i * 0x85EBCA77u, i * 0xC2B2AE3Du},
                                                                i * 0x27D4EB2Fu, ~i * 0x165667B1u);
    const Bits128 actual{bits[4 * i], bits[4 * i + 1], bits[4 * i + 2], bits[4 * i + 3]};
    ASSERT_EQ(actual, expected) << i;
  }
}

TEST(PhiloxHost, KnownAnswersAlsoAtRunTime) {
  volatile std::uint32_t zero = 0;  // keeps the call out of constant evaluation
  EXPECT_EQ(philox4x32_10({zero, 0, 0, 0}, 0, 0), (Bits128{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(philox4x32_10({0x243f6a88u + zero, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u),
            (Bits128{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

// Each field of an address reaches its own part of the counter: no two of these addresses meet.
TEST(PhiloxHost, EveryFieldOfAnAddressMatters) {
  std::vector<Address> addresses;
  for (const std::uint32_t shift : {0u, 1u, 7u, 8u, 23u, 31u}) {
    const std::uint32_t bit = 1u << shift;
    addresses.push_back({Purpose::kTest, bit, 0, 0, 0});
    addresses.push_back({Purpose::kTest, 0, bit, 0, 0});
    if (shift < 24) addresses.push_back({Purpose::kTest, 0, 0, bit, 0});
    addresses.push_back({Purpose::kTest, 0, 0, 0, bit});
  }
  addresses.push_back({Purpose::kTest});
  addresses.push_back({Purpose::kJitter});
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t>> seen;
  for (const std::uint64_t seed :
       {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 32, std::uint64_t{1} << 63}) {
    for (const Address& at : addresses) {
      const Bits128 bits = random_bits(seed, at);
      EXPECT_TRUE(seen.insert({bits.x, bits.y, bits.z, bits.w}).second);
      EXPECT_EQ(random_u64(seed, at), (std::uint64_t{bits.y} << 32) | bits.x);
    }
  }
  EXPECT_EQ(seen.size(), 4 * addresses.size());
}

}  // namespace
}  // namespace splitsim::test

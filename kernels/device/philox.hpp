// Addressed randomness: the same (seed, address) gives the same 128 bits on every backend, for any number of threads,
// in any order. Philox4x32-10 (Salmon et al., SC 2011). Determinism: exact.
//
// The bits come from cuRAND's device API, whose counter function compiles for host and device alike. A constexpr twin
// serves constant evaluation, where it is held to the published Random123 vectors below; a test compares the two.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"

#if !defined(__CUDACC__)
#include <vector_types.h>  // uint2, uint4
#endif
#pragma push_macro("QUALIFIERS")
#undef QUALIFIERS
#define QUALIFIERS [[maybe_unused]] static inline PSL_HD
#include <curand_philox4x32_x.h>
#undef QUALIFIERS
#pragma pop_macro("QUALIFIERS")

namespace splitsim {

/// What a random number is for. Values are part of every result: never reuse or renumber one.
enum class Purpose : std::uint8_t {
  kSampleKey = 1,         ///< sampler keys, element = sample id
  kPartition = 2,         ///< class proportions and class choices, element = client or class
  kPartitionShuffle = 3,  ///< order of samples within a partition, element = sample id
  kProfile = 4,           ///< per-client latency draws, element = client, step = quantity
  kJitter = 5,            ///< per (step, client) factor, element = client
  kInit = 6,              ///< parameter initialisation, element = index within the tensor, step = tensor
  kAugment = 7,           ///< augmentation, element = sample id
  kGlyphs = 8,            ///< the embedded data sets, element = sample id, step = part (runtime/data/draws.hpp)
  kLdsLabels = 9,         ///< lds: observed labels, element = sample id
  kLdsDraw = 10,          ///< lds: Dirichlet draws, element = client
  kServiceOrder = 11,     ///< random service orders, element = client
  kEvaluation = 12,       ///< evaluation subsets, element = sample id
  kValidation = 14,       ///< validation split, element = sample id
  kDropout = 15,          ///< dropped features, element = sample id, step = layer, attempt = feature / 4
  kGroups = 16,           ///< order of clients for random groups, element = client
  kParticipation = 17,    ///< who takes part in a round, element = client, step = round
  kAvailability = 18,     ///< who is there in a step, element = client, step and epoch = step of the run
  kLabelNoise = 19,       ///< flipped labels, element = sample id
  kFeatureShift = 20,     ///< a client's contrast and brightness, element = client, step = which
  kPixelNoise = 21,       ///< element = sample id, step = pixel
  kCutUp = 22,            ///< compression of activations at the cut, element = sample id, step = feature / 4
  kCutDown = 23,          ///< and of their gradients
  kCutNoise = 24,         ///< noise on activations at the cut, element = sample id, step = feature
  kPackOffset = 25,       ///< pack: where a class's samples lie between two places, element = class
  kStepOrder = 26,        ///< pack, stratified targets: order of an epoch's steps, element = step
  kTest = 255,            ///< tests only
};

struct Bits128 {
  std::uint32_t x, y, z, w;
  friend constexpr bool operator==(const Bits128&, const Bits128&) = default;
};

/// Where a draw lives. Counter words: [element][step][epoch 24 | purpose 8][attempt].
struct Address {
  Purpose purpose;
  std::uint32_t element = 0;
  std::uint32_t step = 0;
  std::uint32_t epoch = 0;  ///< 24 bits
  std::uint32_t attempt = 0;
};

/// Where the factor on a client's delay and compute in one step lives.
PSL_HD constexpr Address jitter_address(std::int64_t client, std::int64_t step, std::uint32_t epoch) {
  return {Purpose::kJitter, static_cast<std::uint32_t>(client), static_cast<std::uint32_t>(step), epoch, 0};
}

namespace detail {
PSL_HD constexpr Bits128 philox_constexpr(Bits128 c, std::uint32_t k0, std::uint32_t k1) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53u} * c.x;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57u} * c.z;
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c.y ^ k0, static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c.w ^ k1, static_cast<std::uint32_t>(p0)};
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return c;
}
}  // namespace detail

/// The raw counter function: 128 random bits for a 128-bit counter and a 64-bit key.
PSL_HD constexpr Bits128 philox4x32_10(Bits128 counter, std::uint32_t key0, std::uint32_t key1) {
  if (__builtin_is_constant_evaluated()) return detail::philox_constexpr(counter, key0, key1);
  const uint4 out = curand_Philox4x32_10(uint4{counter.x, counter.y, counter.z, counter.w}, uint2{key0, key1});
  return {out.x, out.y, out.z, out.w};
}

/// 128 random bits at an address.
PSL_HD constexpr Bits128 random_bits(std::uint64_t seed, const Address& at) {
  const Bits128 counter{at.element, at.step, (at.epoch << 8) | static_cast<std::uint32_t>(at.purpose), at.attempt};
  return philox4x32_10(counter, static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32));
}

/// 64 random bits at an address.
PSL_HD constexpr std::uint64_t random_u64(std::uint64_t seed, const Address& at) {
  const Bits128 bits = random_bits(seed, at);
  return (std::uint64_t{bits.y} << 32) | bits.x;
}

// Known answers published with Random123 (philox4x32, 10 rounds).
static_assert(philox4x32_10({0, 0, 0, 0}, 0, 0) == Bits128{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u});
static_assert(philox4x32_10({0xffffffffu, 0xffffffffu, 0xffffffffu, 0xffffffffu}, 0xffffffffu, 0xffffffffu) ==
              Bits128{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu});
static_assert(philox4x32_10({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u}, 0xa4093822u, 0x299f31d0u) ==
              Bits128{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u});

}  // namespace splitsim

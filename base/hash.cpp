#include "base/hash.hpp"

#include <nettle/md5.h>
#include <nettle/sha2.h>

#include <bit>
#include <cstddef>

namespace splitsim {

static_assert(std::endian::native == std::endian::little, "fingerprints hash integers as they lie in memory");

namespace {

std::string hex_of(const std::uint8_t* digest, std::size_t bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (std::size_t i = 0; i < bytes; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

}  // namespace

struct Sha256::State {
  sha256_ctx context;
};

Sha256::Sha256() : state_(std::make_unique<State>()) { sha256_init(&state_->context); }
Sha256::~Sha256() = default;

void Sha256::add(const void* data, std::size_t bytes) {
  if (bytes > 0) sha256_update(&state_->context, bytes, static_cast<const std::uint8_t*>(data));
}

std::string Sha256::hex() {
  std::uint8_t digest[SHA256_DIGEST_SIZE];
  sha256_digest(&state_->context, sizeof digest, digest);  // also starts afresh
  return hex_of(digest, sizeof digest);
}

std::string md5_hex(const void* data, std::size_t bytes) {
  md5_ctx context;
  md5_init(&context);
  md5_update(&context, bytes, static_cast<const std::uint8_t*>(data));
  std::uint8_t digest[MD5_DIGEST_SIZE];
  md5_digest(&context, sizeof digest, digest);
  return hex_of(digest, sizeof digest);
}

}  // namespace splitsim

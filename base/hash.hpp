// SHA-256 (nettle) of values, for the fingerprints that make runs comparable. Determinism: exact.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace splitsim {

/// Streams bytes into one digest. Integers are hashed little-endian, as they lie in memory.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(const void* data, std::size_t bytes);
  void add(const std::string& text) { add(text.data(), text.size()); }
  template <class T>
  void add(const std::vector<T>& values) {
    add(values.data(), values.size() * sizeof(T));
  }
  std::string hex();  ///< 64 hex digits; resets the state

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// MD5 in 32 hex digits: only to compare with the checksums that data sets are published with.
std::string md5_hex(const void* data, std::size_t bytes);

}  // namespace splitsim

// Fuzz targets: each takes any bytes, and may end in nothing but a splitsim::Error. A breach of a promise is thrown as
// std::logic_error. With libFuzzer each is an executable, else a test runs them over tests/fuzz/corpus/<target>.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace splitsim::fuzz {

using Target = void (*)(std::string_view bytes);

void fuzz_config(std::string_view bytes);
void fuzz_idx(std::string_view bytes);
void fuzz_cifar(std::string_view bytes);
void fuzz_npy(std::string_view bytes);
void fuzz_safetensors(std::string_view bytes);
void fuzz_checkpoint(std::string_view bytes);
void fuzz_trace(std::string_view bytes);
void fuzz_schedule(std::string_view bytes);
void fuzz_partition(std::string_view bytes);
void fuzz_samples(std::string_view bytes);

inline void require(bool holds, const char* promise) {
  if (!holds) throw std::logic_error(std::string("broken promise: ") + promise);
}

/// What users see of an error: one line.
inline void require_one_line(std::string_view message) {
  require(!message.empty(), "an error says something");
  for (const char c : message) {
    require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "an error is one line, without control characters");
  }
}

/// A folder of this process in memory, gone with it.
const std::string& scratch_folder();

/// Writes a file and gives its path.
std::string scratch_file(const std::string& name, std::string_view bytes);

/// Cuts bytes into `parts` files: each but the last is led by its length, two bytes, little-endian, at most what is
/// left.
std::vector<std::string_view> cut(std::string_view bytes, std::size_t parts);

}  // namespace splitsim::fuzz

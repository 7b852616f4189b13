// What the tests of the loaders share: small files of every format, digests.
#pragma once

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>
#include <vector>

#include "base/hash.hpp"
#include "runtime/data/dataset.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim::test {

std::string digest(const auto& values) {
  Sha256 hash;
  hash.add(values);
  return hash.hex();
}

inline Dataset load(const std::string& name, const std::string& dir, std::uint64_t seed = 1) {
  DataSettings settings;
  settings.name = name;
  settings.dir = dir;
  return load_dataset(settings, seed);
}

inline std::string text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

inline std::string big_endian(std::uint32_t word) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((word >> shift) & 255);
  return bytes;
}

inline std::string idx_images(std::uint32_t count, std::uint32_t height, std::uint32_t width, const std::string& pixels) {
  return big_endian(0x803) + big_endian(count) + big_endian(height) + big_endian(width) + pixels;
}
inline std::string idx_labels(const std::string& labels) {
  return big_endian(0x801) + big_endian(static_cast<std::uint32_t>(labels.size())) + labels;
}

inline std::string gzip(const std::string& bytes) {
  TempDir dir;
  const gzFile file = gzopen((dir / "z.gz").c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  gzclose(file);
  return slurp(dir / "z.gz");
}

/// Bytes that look random, so that gzip cannot shrink them to nothing.
inline std::string noise(std::size_t count, std::uint32_t state) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    bytes += static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace splitsim::test

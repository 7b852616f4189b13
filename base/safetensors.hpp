// Named float tensors in the safetensors format: 8 bytes header length (little-endian), a JSON header, the values.
// https://github.com/huggingface/safetensors (format section of its README). Determinism: exact; the same tensors give
// the same file. Errors: InputError naming the file and what is wrong with it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace splitsim {

/// A tensor to write. values: product of the shape, last index fastest.
struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape;
  std::span<const float> values;
};

/// A tensor that was read.
struct Tensor {
  std::string name;
  std::vector<std::int64_t> shape;  ///< empty for a single number
  std::vector<float> values;
};

struct TensorFile {
  std::vector<Tensor> tensors;  ///< in the order of their values in the file
  std::map<std::string, std::string> metadata;

  /// Errors: a name that is not there, or is there with another shape.
  const Tensor& at(const std::string& name, const std::vector<std::int64_t>& shape) const;

  std::string path;  ///< for messages
};

/// Writes the file atomically, all tensors as F32 in the given order. Names must be unique, not empty and not
/// "__metadata__", and shapes must fit the values.
void write_safetensors(const std::string& path, const std::vector<TensorView>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Reads and checks the whole file: header, types (F32 only), shapes, offsets without gaps, overlaps or left-over
/// bytes. Tensors whose names end with `skip` (not empty) may be of any type and are left out.
TensorFile read_safetensors(const std::string& path, std::string_view skip = {});

}  // namespace splitsim

// A file of tensors: what was read is written and read back.
#include <cstring>

#include "base/safetensors.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_safetensors(std::string_view bytes) {
  const TensorFile file = read_safetensors(scratch_file("model.safetensors", bytes));
  std::vector<TensorView> views;
  for (const Tensor& tensor : file.tensors) {
    std::int64_t count = 1;
    for (const std::int64_t extent : tensor.shape) count *= extent;
    require(count == static_cast<std::int64_t>(tensor.values.size()), "values fill the shape");
    views.push_back({tensor.name, tensor.shape, tensor.values});
  }
  const std::string copy = scratch_folder() + "/copy.safetensors";
  write_safetensors(copy, views, file.metadata);
  const TensorFile again = read_safetensors(copy);
  require(again.metadata == file.metadata, "metadata are kept");
  require(again.tensors.size() == file.tensors.size(), "tensors are kept");
  for (const Tensor& tensor : file.tensors) {
    const Tensor& other = again.at(tensor.name, tensor.shape);
    require(tensor.values.empty() ||
                std::memcmp(other.values.data(), tensor.values.data(), tensor.values.size() * sizeof(float)) == 0,
            "values are kept");
  }
}

}  // namespace splitsim::fuzz

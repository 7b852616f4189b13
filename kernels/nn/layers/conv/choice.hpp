// Who does the passes of a GPU's convolutions with one replica: cuDNN, where it is at hand and can, or our own kernels.
// What is faster depends on card and shape; splitsim-bench --tune measures it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/names.hpp"
#include "kernels/device/context.hpp"
#include "kernels/nn/layers/conv/conv2d.hpp"

namespace splitsim {

enum class ConvPass : std::uint8_t { kForward, kInputGradient, kWeightGradient };
constexpr auto names_of(ConvPass) {
  return named_values<ConvPass>({{"forward", ""}, {"input_gradient", ""}, {"weight_gradient", ""}});
}

class ConvChoices {
 public:
  void set(const ConvShape& shape, std::int32_t slots, ConvPass pass, bool cudnn) {
    rows_.push_back({shape, slots, pass, cudnn});
  }
  /// As set last for this shape and precision with the nearest number of slots, by ratio; cuDNN where nothing was set.
  bool cudnn(const ConvShape& shape, std::int32_t slots, ConvPass pass) const {
    const Row* nearest = nullptr;
    for (const Row& row : rows_) {
      if (row.pass != pass || row.shape != shape) continue;
      if (nearest == nullptr || apart(row.slots, slots) <= apart(nearest->slots, slots)) nearest = &row;
    }
    return nearest == nullptr || nearest->cudnn;
  }

 private:
  struct Row {
    ConvShape shape;
    std::int32_t slots;
    ConvPass pass;
    bool cudnn;
  };
  static double apart(std::int32_t a, std::int32_t b) {
    return static_cast<double>(std::max(a, b)) / std::max(1, std::min(a, b));
  }

  std::vector<Row> rows_;
};

/// For all convolutions of a context, before it plans any. Empty: as if never called.
void choose_convolutions(CudaContext& ctx, ConvChoices choices);

}  // namespace splitsim

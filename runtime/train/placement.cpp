#include "runtime/train/placement.hpp"

#include <algorithm>
#include <utility>

namespace splitsim {

namespace {
constexpr std::int64_t kAlignment = 32;  // floats
}

Placement::Placement(const Network& network, Layout layout) : same_(layout == Layout::kChannelsFirst) {
  for (int side = 0; side < 2; ++side) {
    trained_in_order_[side] = network.parameters[side];
    size_in_order_[side] = network.replica_size(side);
  }
  for (const Layer& layer : network.layers) offsets_.emplace_back(layer.tensors.size());
  for (const bool trained : {true, false}) {
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const int side = network.side(i);
      std::int64_t& end = size_[side];
      for (std::size_t t = 0; t < network.layers[i].tensors.size(); ++t) {
        const LayerTensor& tensor = network.layers[i].tensors[t];
        if (tensor.trained != trained) continue;
        offsets_[i][t] = same_ ? tensor.offset : end;
        const std::int64_t moved = tensor.channels * tensor.pixels;
        moves_[side].push_back({tensor.offset, offsets_[i][t], tensor.size() / moved, tensor.channels, tensor.pixels});
        end = same_ ? end + tensor.size() : (end + tensor.size() + kAlignment - 1) / kAlignment * kAlignment;
      }
    }
    if (trained) {
      for (int side = 0; side < 2; ++side) trained_[side] = size_[side];
    }
  }
}

std::vector<float> Placement::placed(int side, bool with_statistics, std::vector<float> rows) const {
  return moved(side, with_statistics, std::move(rows), true);
}
std::vector<float> Placement::in_order(int side, bool with_statistics, std::vector<float> rows) const {
  return moved(side, with_statistics, std::move(rows), false);
}

std::vector<float> Placement::moved(int side, bool with_statistics, std::vector<float> rows, bool to_memory) const {
  if (same_ || rows.empty()) return rows;
  const std::int64_t ordered = with_statistics ? size_in_order_[side] : trained_in_order_[side];
  const std::int64_t placed = with_statistics ? size_[side] : trained_[side];
  const std::int64_t from_stride = to_memory ? ordered : placed, to_stride = to_memory ? placed : ordered;
  const std::int64_t n = static_cast<std::int64_t>(rows.size()) / from_stride;
  std::vector<float> result(static_cast<std::size_t>(n * to_stride));
  for (std::int64_t row = 0; row < n; ++row) {
    const float* from = rows.data() + row * from_stride;
    float* to = result.data() + row * to_stride;
    for (const Move& move : moves_[side]) {
      if (move.from >= ordered) continue;  // a running statistic
      if (move.channels == 1 || move.pixels == 1) {  // the same order
        const std::int64_t source = to_memory ? move.from : move.to, target = to_memory ? move.to : move.from;
        std::copy_n(from + source, move.rows * move.channels * move.pixels, to + target);
        continue;
      }
      for (std::int64_t r = 0; r < move.rows; ++r) {
        const std::int64_t first = r * move.channels * move.pixels;
        for (std::int64_t c = 0; c < move.channels; ++c) {
          for (std::int64_t p = 0; p < move.pixels; ++p) {
            const std::int64_t in_order = move.from + first + c * move.pixels + p;
            const std::int64_t in_memory = move.to + first + p * move.channels + c;
            to[to_memory ? in_memory : in_order] = from[to_memory ? in_order : in_memory];
          }
        }
      }
    }
  }
  return result;
}

}  // namespace splitsim

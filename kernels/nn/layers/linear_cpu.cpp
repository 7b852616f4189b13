// CPU fully connected layer: one product per (slots of a rank, block of outputs), cut by the shapes and the map alone.
#include <algorithm>
#include <cstdint>

#include "kernels/device/context.hpp"
#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/support/pieces_cpu.hpp"
#include "kernels/nn/support/scratch.hpp"
#include "kernels/primitives/gemm_cpu.hpp"

namespace splitsim {

namespace {

// Blocks small enough for 16 threads to share a layer of a hundred units, large enough to cost one thread under a
// tenth.
constexpr std::int32_t kForwardSlots = 64, kBackwardSlots = 32;
constexpr std::int32_t kOutputs = 32;
constexpr std::int32_t kInputs = 256;

std::int32_t blocks(std::int32_t n, std::int32_t block) { return (n + block - 1) / block; }

}  // namespace

template <>
std::int64_t linear_workspace(CpuContext&, const LinearShape&, std::int32_t max_slots, std::int32_t) {
  Scratch scratch;
  scratch.take<Piece>(max_slots);
  return scratch.floats();
}

template <>
void linear_forward(CpuContext& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                    const Parameters& parameters, View<float> workspace, View<float> y, bool relu) {
  const Grouped weight = parameters.weight, bias = parameters.bias;
  Piece* pieces = Scratch(workspace.data()).take<Piece>(map.max_slots);
  const std::int32_t piece_count = cut_pieces(map, kForwardSlots, false, pieces);
  const std::int32_t column_blocks = blocks(shape.out, kOutputs);
  parallel_items(ctx, piece_count * column_blocks, *map.slots * shape.weights(), [&](std::int64_t item, int) {
    const Piece piece = pieces[item / column_blocks];
    const std::int32_t column = static_cast<std::int32_t>(item % column_blocks) * kOutputs;
    const std::int32_t columns = std::min(kOutputs, shape.out - column);
    const std::int32_t replica = map.replica[piece.rank];
    float* out = y.data() + std::int64_t{piece.first} * shape.out + column;
    const std::int32_t rows = piece.last - piece.first;
    for (std::int32_t row = 0; bias.data != nullptr && row < rows; ++row) {
      std::copy_n(bias.at(replica) + column, columns, out + std::int64_t{row} * shape.out);
    }
    gemm_on_this_thread({.transpose_b = true,
                         .m = rows,
                         .n = columns,
                         .k = shape.in,
                         .lda = shape.in,
                         .ldb = shape.in,
                         .ldc = shape.out,
                         .beta = bias.data == nullptr ? 0.0f : 1.0f},
                        x.data() + std::int64_t{piece.first} * shape.in,
                        weight.at(replica) + std::int64_t{column} * shape.in, out);
    for (std::int32_t row = 0; relu && row < rows; ++row) {
      for (std::int32_t i = 0; i < columns; ++i) out[row * shape.out + i] = rectify(out[row * shape.out + i]);
    }
  });
}

template <>
void linear_backward(CpuContext& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                     Grouped weight, View<float> workspace, const Parameters& gradients) {
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx;
  const Grouped dweight = gradients.weight, dbias = gradients.bias;
  Piece* pieces = Scratch(workspace.data()).take<Piece>(map.max_slots);
  const std::int64_t work = *map.slots * shape.weights();

  // Weight gradients: (rank, block of outputs, block of inputs), all slots of the rank in one product.
  const std::int32_t row_blocks = blocks(shape.out, kOutputs), column_blocks = blocks(shape.in, kInputs);
  const std::int64_t tiles = std::int64_t{row_blocks} * column_blocks;
  parallel_items(ctx, *map.active * tiles, work, [&](std::int64_t item, int) {
    const std::int64_t rank = item / tiles, tile = item % tiles;
    const std::int32_t row = static_cast<std::int32_t>(tile / column_blocks) * kOutputs;
    const std::int32_t column = static_cast<std::int32_t>(tile % column_blocks) * kInputs;
    const std::int32_t rows = std::min(kOutputs, shape.out - row), columns = std::min(kInputs, shape.in - column);
    const std::int32_t first = map.first[rank], last = map.first[rank + 1];
    const float* slot_dy = dy.data() + std::int64_t{first} * shape.out + row;
    gemm_on_this_thread({.transpose_a = true,
                         .m = rows,
                         .n = columns,
                         .k = last - first,
                         .lda = shape.out,
                         .ldb = shape.in,
                         .ldc = shape.in},
                        slot_dy, x.data() + std::int64_t{first} * shape.in + column,
                        dweight.at(rank) + std::int64_t{row} * shape.in + column);
    if (dbias.data == nullptr || column != 0) return;
    float* db = dbias.at(rank) + row;
    std::copy_n(slot_dy, rows, db);
    for (std::int32_t slot = first + 1; slot < last; ++slot) {
      slot_dy += shape.out;
      for (std::int32_t i = 0; i < rows; ++i) db[i] += slot_dy[i];
    }
  });

  if (dx.empty()) return;
  const std::int32_t piece_count = cut_pieces(map, kBackwardSlots, false, pieces);
  const std::int32_t input_blocks = blocks(shape.in, kInputs);
  parallel_items(ctx, piece_count * input_blocks, work, [&](std::int64_t item, int) {
    const Piece piece = pieces[item / input_blocks];
    const std::int32_t column = static_cast<std::int32_t>(item % input_blocks) * kInputs;
    const std::int32_t columns = std::min(kInputs, shape.in - column);
    gemm_on_this_thread({.m = piece.last - piece.first,
                         .n = columns,
                         .k = shape.out,
                         .lda = shape.out,
                         .ldb = shape.in,
                         .ldc = shape.in},
                        dy.data() + std::int64_t{piece.first} * shape.out, weight.at(map.replica[piece.rank]) + column,
                        dx.data() + std::int64_t{piece.first} * shape.in + column);
    for (std::int64_t slot = piece.first; io.rectified && slot < piece.last; ++slot) {
      for (std::int64_t i = slot * shape.in + column, end = i + columns; i < end; ++i) {
        dx.data()[i] = rectify_gradient(x.data()[i], dx.data()[i]);
      }
    }
  });
}

}  // namespace splitsim

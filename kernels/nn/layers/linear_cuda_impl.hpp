// Fully connected layer by one product (a tied side) or one per slot (many replicas). Included by linear_cuda.cu, and
// by a test that runs the same code on the CPU.
#pragma once

#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/support/batched.hpp"
#include "kernels/nn/support/scratch.hpp"

namespace splitsim {

namespace detail {

/// Zeros in the rows of empty slots of x and dy: a product over all slots must not see what they held. A block is a
/// slot.
struct ClearEmptyRows {
  const std::int32_t* slots;
  LinearShape shape;
  float* x;
  float* dy;
  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t slot) const {
    if (slot < *slots) return;
    for (std::int64_t i = team.rank(); i < shape.in; i += team.size()) x[slot * shape.in + i] = 0.0f;
    for (std::int64_t i = team.rank(); i < shape.out; i += team.size()) dy[slot * shape.out + i] = 0.0f;
  }
};

/// dweight[rank][o, i] = sum over the rank's slots of dy[slot, o] x[slot, i].
struct OuterProducts {
  const std::int32_t* first;
  LinearShape shape;
  const float* x;
  const float* dy;
  Grouped dweight;

  PSL_HD void operator()(std::int64_t index) const {
    const std::int64_t weights = shape.weights(), rank = index / weights, w = index - rank * weights;
    const std::int64_t o = w / shape.in, i = w - o * shape.in;
    float sum = 0.0f;
    for (std::int64_t slot = first[rank]; slot < first[rank + 1]; ++slot) {
      sum += dy[slot * shape.out + o] * x[slot * shape.in + i];
    }
    dweight.at(rank)[w] = sum;
  }
};

struct BatchedLinearWorkspace {
  Scratch scratch;
  PointerTable table;

  BatchedLinearWorkspace(std::int32_t max_slots, Scratch base) : scratch(base) {
    table.a = scratch.take<float*>(max_slots);
    table.b = scratch.take<float*>(max_slots);
    table.c = scratch.take<float*>(max_slots);
  }
};

/// One product over all slots, or one row each on the slot's own replica.
template <class Context>
void linear_product(Context& ctx, const ReplicaMap& map, GemmShape shape, const float* rows, Grouped weight, float* out,
                    const PointerTable& table) {
  if (map.tied()) {
    shape.m = map.max_slots;
    gemm(ctx, shape, rows, weight.data, out);
  } else {
    shape.m = 1;
    gemm_per_slot(ctx, map, 0, map.max_slots, shape,
                  {per_slot(rows, shape.lda), per_replica(weight), per_slot(out, shape.ldc)}, table);
  }
}

}  // namespace detail

inline std::int64_t batched_linear_workspace(std::int32_t max_slots) {
  return detail::BatchedLinearWorkspace(max_slots, Scratch()).scratch.floats();
}

template <class Context>
void batched_linear_forward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                            const Parameters& parameters, View<float> workspace, View<float> y) {
  const Grouped weight = parameters.weight, bias = parameters.bias;
  const detail::BatchedLinearWorkspace work(map.max_slots, Scratch(workspace.data()));
  GemmShape product{
      .transpose_b = true, .n = shape.out, .k = shape.in, .lda = shape.in, .ldb = shape.in, .ldc = shape.out};
  if (bias.data != nullptr && map.tied()) {
    product.m = map.max_slots;
    gemm_bias(ctx, product, x.data(), weight.data, bias.data, y.data());
    return;
  }
  if (bias.data != nullptr) {
    for_each_index(ctx, std::int64_t{map.max_slots} * shape.out,
                   detail::FillBias{map, 0, shape.out, 1, bias, y.data()});
    product.beta = 1.0f;
  }
  detail::linear_product(ctx, map, product, x.data(), weight, y.data(), work.table);
}

template <class Context>
void batched_linear_backward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                             Grouped weight, View<float> workspace, const Parameters& gradients) {
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx;
  const Grouped dweight = gradients.weight, dbias = gradients.bias;
  const detail::BatchedLinearWorkspace work(map.max_slots, Scratch(workspace.data()));
  if (map.tied()) {
    // What empty slots hold is nobody's, so it may be written over.
    for_each_block(
        ctx, map.max_slots,
        detail::ClearEmptyRows{map.slots, shape, const_cast<float*>(x.data()), const_cast<float*>(dy.data())});
    const GemmShape product{.transpose_a = true,
                            .m = shape.out,
                            .n = shape.in,
                            .k = map.max_slots,
                            .lda = shape.out,
                            .ldb = shape.in,
                            .ldc = shape.in};
    if (dbias.data != nullptr) {
      gemm_row_sums(ctx, product, dy.data(), x.data(), dbias.data, dweight.data);
    } else {
      gemm(ctx, product, dy.data(), x.data(), dweight.data);
    }
  } else {
    for_each_index(ctx, Extent{map.max_active, map.active, shape.weights()},
                   detail::OuterProducts{map.first, shape, x.data(), dy.data(), dweight});
    if (dbias.data != nullptr) {
      for_each_block(ctx, Extent{map.max_active, map.active, shape.out},
                     detail::SumRanks{map.first, shape.out, dy.data(), dbias});
    }
  }
  if (dx.empty()) return;
  detail::linear_product(ctx, map, {.n = shape.in, .k = shape.out, .lda = shape.out, .ldb = shape.in, .ldc = shape.in},
                         dy.data(), weight, dx.data(), work.table);
}

}  // namespace splitsim

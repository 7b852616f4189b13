// Fully connected layer by one product (a tied side) or one per slot (many replicas). Included by linear_cuda.cu, and
// by a test that runs the same code on the CPU.
#pragma once

#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/support/batched.hpp"
#include "kernels/nn/support/scratch.hpp"

namespace splitsim {

namespace detail {

/// Valid slots' rows, zeros for the empty ones: a product over all slots must not see what those hold.
struct CopyValidRows {
  const std::int32_t* slots;
  std::int64_t features;
  const float* from;
  float* to;
  PSL_HD void operator()(std::int64_t i) const { to[i] = i / features < *slots ? from[i] : 0.0f; }
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
  float* x;   ///< [S, in]
  float* dy;  ///< [S, out]

  BatchedLinearWorkspace(const LinearShape& shape, std::int32_t max_slots, Scratch base) : scratch(base) {
    table.a = scratch.take<float*>(max_slots);
    table.b = scratch.take<float*>(max_slots);
    table.c = scratch.take<float*>(max_slots);
    x = scratch.take<float>(std::int64_t{max_slots} * shape.in);
    dy = scratch.take<float>(std::int64_t{max_slots} * shape.out);
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

inline std::int64_t batched_linear_workspace(const LinearShape& shape, std::int32_t max_slots) {
  return detail::BatchedLinearWorkspace(shape, max_slots, Scratch()).scratch.floats();
}

template <class Context>
void batched_linear_forward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, View<const float> x,
                            const Parameters& parameters, View<float> workspace, View<float> y) {
  const Grouped weight = parameters.weight, bias = parameters.bias;
  const detail::BatchedLinearWorkspace work(shape, map.max_slots, Scratch(workspace.data()));
  if (bias.data != nullptr) {
    for_each_index(ctx, std::int64_t{map.max_slots} * shape.out,
                   detail::FillBias{map, 0, shape.out, 1, bias, y.data()});
  }
  detail::linear_product(ctx, map,
                         {.transpose_b = true,
                          .n = shape.out,
                          .k = shape.in,
                          .lda = shape.in,
                          .ldb = shape.in,
                          .ldc = shape.out,
                          .beta = bias.data == nullptr ? 0.0f : 1.0f},
                         x.data(), weight, y.data(), work.table);
}

template <class Context>
void batched_linear_backward(Context& ctx, const ReplicaMap& map, const LinearShape& shape, const Backprop& io,
                             Grouped weight, View<float> workspace, const Parameters& gradients) {
  const View<const float> x = io.x, dy = io.dy;
  const View<float> dx = io.dx;
  const Grouped dweight = gradients.weight, dbias = gradients.bias;
  const detail::BatchedLinearWorkspace work(shape, map.max_slots, Scratch(workspace.data()));
  if (map.tied()) {
    for_each_index(ctx, std::int64_t{map.max_slots} * shape.in,
                   detail::CopyValidRows{map.slots, shape.in, x.data(), work.x});
    for_each_index(ctx, std::int64_t{map.max_slots} * shape.out,
                   detail::CopyValidRows{map.slots, shape.out, dy.data(), work.dy});
    gemm(ctx,
         {.transpose_a = true,
          .m = shape.out,
          .n = shape.in,
          .k = map.max_slots,
          .lda = shape.out,
          .ldb = shape.in,
          .ldc = shape.in},
         work.dy, work.x, dweight.data);
  } else {
    for_each_index(ctx, Extent{map.max_active, map.active, shape.weights()},
                   detail::OuterProducts{map.first, shape, x.data(), dy.data(), dweight});
  }
  if (dbias.data != nullptr) {
    for_each_block(ctx, Extent{map.max_active, map.active, shape.out},
                   detail::SumRanks{map.first, shape.out, dy.data(), dbias});
  }
  if (dx.empty()) return;
  detail::linear_product(ctx, map, {.n = shape.in, .k = shape.out, .lda = shape.out, .ldb = shape.in, .ldc = shape.in},
                         dy.data(), weight, dx.data(), work.table);
}

}  // namespace splitsim

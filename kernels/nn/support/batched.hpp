// Shared by the layers that use batched products on device-filled pointers (the CUDA backend; tests also run them on
// the CPU). Launches are static in shape: empty slots are recognised on the device, and what a product makes of them is
// never used.
#pragma once

#include <cstdint>

#include "kernels/device/launch.hpp"
#include "kernels/device/macros.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/team_sums.hpp"
#include "kernels/primitives/gemm.hpp"

namespace splitsim {

/// Where the matrices of one operand of a batched product lie: at base + stride times the entry, or times its replica,
/// and from there at group_stride times the group.
struct Operand {
  float* base;
  std::int64_t stride;
  bool by_replica = false;
  std::int64_t group_stride = 0;
};
/// The factors and the result of a batched product.
struct Operands {
  Operand a, b, c;
  std::int32_t groups = 1;  ///< products per entry
};
inline Operand per_slot(const float* base, std::int64_t stride, std::int64_t group_stride = 0) {
  return {const_cast<float*>(base), stride, false, group_stride};
}
inline Operand per_replica(const Grouped& weight, std::int64_t group_stride = 0) {
  return {weight.data, weight.stride, true, group_stride};
}

/// Device arrays of `count` pointers each.
struct PointerTable {
  float** a;
  float** b;
  float** c;
};

namespace detail {
struct FillPointers {
  ReplicaMap map;
  std::int32_t first_slot;
  Operands operands;
  PointerTable table;

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t entry = i / operands.groups, group = i - entry * operands.groups, slot = first_slot + entry;
    const std::int32_t replica = slot < *map.slots ? map.replica[map.rank[slot]] : 0;
    table.a[i] = at(operands.a, entry, replica, group);
    table.b[i] = at(operands.b, entry, replica, group);
    table.c[i] = at(operands.c, entry, replica, group);
  }
  PSL_HD static float* at(const Operand& operand, std::int64_t entry, std::int32_t replica, std::int64_t group) {
    return operand.base + (operand.by_replica ? replica : entry) * operand.stride + group * operand.group_stride;
  }
};

/// out[slot, c, i] = bias of the slot's replica, for the product to add to.
struct FillBias {
  ReplicaMap map;
  std::int32_t first_slot;
  std::int64_t channels, length;
  Grouped bias;
  float* out;  ///< of first_slot

  PSL_HD void operator()(std::int64_t i) const {
    const std::int64_t row = i / length, slot = first_slot + row / channels;
    if (slot < *map.slots) out[i] = bias.at(map.replica[map.rank[slot]])[row % channels];
  }
};

/// out[rank][c] = sum over the rank's slots of rows[slot, c]. A block is one (rank, c).
struct SumRanks {
  const std::int32_t* first;
  std::int64_t channels;
  const float* rows;
  Grouped out;

  template <class Team>
  PSL_HD void operator()(Team& team, std::int64_t block) const {
    const std::int64_t rank = block / channels, c = block - rank * channels;
    const std::int32_t begin = first[rank];
    const float* column = rows + begin * channels + c;
    const std::int64_t stride = channels;
    const float sum = team.reduce(
        first[rank + 1] - begin, 0.0f, [=](std::int64_t i) { return column[i * stride]; }, Plus{});
    if (team.rank() == 0) out.at(rank)[c] = sum;
  }
};
}  // namespace detail

/// One product per slot (and group) in [first_slot, first_slot + count). With one replica the host knows where all
/// matrices lie; with more, the device fills a table of pointers.
template <class Context>
void gemm_per_slot(Context& ctx, const ReplicaMap& map, std::int32_t first_slot, std::int32_t count,
                   const GemmShape& shape, const Operands& operands, const PointerTable& table) {
  if (map.tied() && operands.groups == 1) {
    const auto stride = [](const Operand& operand) { return operand.by_replica ? 0 : operand.stride; };
    gemm_strided(ctx, shape, {count, stride(operands.a), stride(operands.b), stride(operands.c)}, operands.a.base,
                 operands.b.base, operands.c.base);
    return;
  }
  const std::int32_t products = count * operands.groups;
  for_each_index(ctx, products, detail::FillPointers{map, first_slot, operands, table});
  gemm_batched(ctx, shape, products, table.a, table.b, table.c);
}

}  // namespace splitsim

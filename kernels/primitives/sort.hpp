// The sorts and scans behind the samplers. Thrust's on the CPU, CUB's (the engine of Thrust's CUDA sorts, which take
// their storage from the caller) on the GPU. Integer keys only, stable, hence exact: the same order on every backend
// and for any number of threads. Workspaces are allocated in constructors.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/device/buffer.hpp"

namespace splitsim {

/// n pairs (u64 key, i32 value) and the memory to sort them, 24 n bytes and a little. Fill keys() and values(), sort(),
/// read them back; sort() may move the views.
template <class Context>
class PairSort {
 public:
  PairSort(Context& ctx, std::int64_t size);

  View<std::uint64_t> keys() { return keys_[now_].view(); }
  View<std::int32_t> values() { return values_[now_].view(); }
  /// Stable ascending sort by key. Keys must be below 2^key_bits: fewer bits are fewer passes.
  void sort(int key_bits = 64);

 private:
  Context* ctx_;
  Buffer<std::uint64_t, Context> keys_[2];
  Buffer<std::int32_t, Context> values_[2];
  int now_ = 0;                             // which half holds the pairs
  Buffer<unsigned char, Context> scratch_;  // CUDA: CUB's storage
};

/// Exclusive prefix sums of up to n int32 (their total must fit), in place.
template <class Context>
class PrefixSum {
 public:
  PrefixSum(Context& ctx, std::int64_t max_size);
  void exclusive(View<std::int32_t> values);

 private:
  Context* ctx_;
  Buffer<unsigned char, Context> scratch_;  // CUDA: CUB's storage
};

/// Deals an epoch's samples, given in step order, to slots sorted by client within each step; samples of one client
/// keep their order. The sample ids come in pairs.values()[0, slots) and the pairs' contents are lost. step_first:
/// [T+1] on the device, max_batch >= every step's length, owner: [N], outputs sample, client: [slots].
template <class Context>
void group_by_client(Context& ctx, PairSort<Context>& pairs, View<const std::int32_t> step_first,
                     std::int64_t max_batch, View<const std::int32_t> owner, std::int32_t clients,
                     View<std::int32_t> sample, View<std::int32_t> client);

}  // namespace splitsim

#include <cub/device/device_radix_sort.cuh>
#include <cub/device/device_scan.cuh>

#include "kernels/device/launch_cuda.cuh"
#include "kernels/primitives/sort_impl.hpp"

namespace splitsim {

namespace {
cudaError_t radix_sort(void* scratch, std::size_t& bytes, cub::DoubleBuffer<std::uint64_t>& keys,
                       cub::DoubleBuffer<std::int32_t>& values, std::int64_t n, int key_bits, cudaStream_t stream) {
  return cub::DeviceRadixSort::SortPairs(scratch, bytes, keys, values, static_cast<int>(n), 0, key_bits, stream);
}
cudaError_t scan(void* scratch, std::size_t& bytes, std::int32_t* values, std::int64_t n, cudaStream_t stream) {
  return cub::DeviceScan::ExclusiveSum(scratch, bytes, values, static_cast<int>(n), stream);
}
}  // namespace

template <>
PairSort<CudaContext>::PairSort(CudaContext& ctx, std::int64_t size)
    : ctx_(&ctx), keys_{{ctx, size}, {ctx, size}}, values_{{ctx, size}, {ctx, size}} {
  cub::DoubleBuffer<std::uint64_t> keys(keys_[0].data(), keys_[1].data());
  cub::DoubleBuffer<std::int32_t> values(values_[0].data(), values_[1].data());
  std::size_t bytes = 0;
  cuda_check(radix_sort(nullptr, bytes, keys, values, size, 64, ctx.impl().stream), "storage of a radix sort");
  scratch_ = Buffer<unsigned char, CudaContext>(ctx, static_cast<std::int64_t>(bytes));
}

template <>
void PairSort<CudaContext>::sort(int key_bits) {
  if (keys_[0].size() < 2 || key_bits == 0) return;
  cub::DoubleBuffer<std::uint64_t> keys(keys_[now_].data(), keys_[1 - now_].data());
  cub::DoubleBuffer<std::int32_t> values(values_[now_].data(), values_[1 - now_].data());
  std::size_t bytes = scratch_.bytes();
  cuda_check(radix_sort(scratch_.data(), bytes, keys, values, keys_[0].size(), key_bits, ctx_->impl().stream),
             "radix sort");
  if (keys.Current() != keys_[now_].data()) now_ = 1 - now_;  // both double buffers turn together
}

template <>
PrefixSum<CudaContext>::PrefixSum(CudaContext& ctx, std::int64_t max_size) : ctx_(&ctx) {
  std::size_t bytes = 0;
  cuda_check(scan(nullptr, bytes, nullptr, max_size, ctx.impl().stream), "storage of a scan");
  scratch_ = Buffer<unsigned char, CudaContext>(ctx, static_cast<std::int64_t>(bytes));
}

template <>
void PrefixSum<CudaContext>::exclusive(View<std::int32_t> values) {
  std::size_t bytes = scratch_.bytes();
  cuda_check(scan(scratch_.data(), bytes, values.data(), values.size(), ctx_->impl().stream), "scan");
}

template <>
void group_by_client(CudaContext& ctx, PairSort<CudaContext>& pairs, View<const std::int32_t> step_first, std::int64_t,
                     View<const std::int32_t> owner, std::int32_t clients, View<std::int32_t> sample,
                     View<std::int32_t> client) {
  detail::group_by_client_globally(ctx, pairs, step_first, owner, clients, sample, client);
}

}  // namespace splitsim

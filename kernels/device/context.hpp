// The two backends. A context owns the device's resources (threads or a stream and library handles), hands out memory
// and counts what a training step must not do: allocate, synchronise, or let the host read device memory.
//
// Resources come first in every argument list, functions keep no state, views do not own. All work is ordered by the
// context's stream: a buffer may be freed as soon as the host no longer needs it, since the free is ordered behind the
// work. Contexts are not thread-safe; use one per host thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace splitsim {

/// What a context did since it was made. `bytes_*` are device memory, in bytes.
struct ContextCounters {
  std::uint64_t allocations = 0;
  std::uint64_t synchronizations = 0;
  std::uint64_t host_reads = 0;
  std::uint64_t bytes_in_use = 0;
  std::uint64_t bytes_peak = 0;
};

/// OpenMP threads of this machine; "device memory" is host memory. Errors: OutOfMemory from allocate().
class CpuContext {
 public:
  static constexpr const char* kName = "cpu";
  static constexpr bool kIsDevice = false;

  /// threads: asked for; 0 takes default_threads(). threads() says how many there are: limits of OpenMP or of the system
  /// make it fewer (kernels/device/machine.hpp).
  explicit CpuContext(int threads = 0);
  CpuContext(const CpuContext&) = delete;
  CpuContext& operator=(const CpuContext&) = delete;
  ~CpuContext();

  void* allocate(std::size_t bytes);  ///< 64-byte aligned; never null for bytes > 0
  void deallocate(void* p, std::size_t bytes) noexcept;
  /// Memory that the device writes and the host may read at any time without a synchronisation (a pinned ring).
  void* allocate_shared(std::size_t bytes);
  void deallocate_shared(void* p, std::size_t bytes) noexcept;
  void upload(void* device, const void* host, std::size_t bytes);
  void download(void* host, const void* device, std::size_t bytes);  ///< counts one host read
  void copy(void* to, const void* from, std::size_t bytes);  ///< between memory of the device, or shared with it
  void fill_zero(void* device, std::size_t bytes);
  void synchronize();
  void check() const {}  ///< throws BackendError if earlier asynchronous work failed; no wait

  int threads() const { return threads_; }
  std::string device_name() const;     ///< processor model
  std::uint64_t memory_bytes() const;  ///< available_memory(), bytes
  const ContextCounters& counters() const { return counters_; }

 private:
  int threads_;
  ContextCounters counters_;
};

/// One NVIDIA GPU, one stream. Errors: NoDevice from the constructor (also in a build without CUDA), OutOfMemory from
/// allocate(), BackendError from everything else.
class CudaContext {
 public:
  static constexpr const char* kName = "cuda";
  static constexpr bool kIsDevice = true;

  /// products: whether linear algebra will be done in it, for which cuBLAS wants 32 MiB.
  explicit CudaContext(bool products = true);
  CudaContext(const CudaContext&) = delete;
  CudaContext& operator=(const CudaContext&) = delete;
  ~CudaContext();

  void* allocate(std::size_t bytes);
  void deallocate(void* p, std::size_t bytes) noexcept;
  void* allocate_shared(std::size_t bytes);
  void deallocate_shared(void* p, std::size_t bytes) noexcept;
  /// Through pinned memory: `host` may be changed as soon as this returns. Waits only for earlier uploads, if many of
  /// them are under way.
  void upload(void* device, const void* host, std::size_t bytes);
  void download(void* host, const void* device, std::size_t bytes);
  void copy(void* to, const void* from, std::size_t bytes);
  void fill_zero(void* device, std::size_t bytes);
  void synchronize();
  void check() const;
  /// Work enqueued here from now on runs behind what `other` has been given so far. The host does not wait.
  void wait_for(const CudaContext& other);

  /// Work captured once and replayed: everything that `work` enqueues, which must not allocate, synchronise or read. If
  /// it throws, the capture is dropped and the context goes on. The graph must not outlive the context.
  using Graph = std::shared_ptr<void>;
  Graph capture(const std::function<void()>& work);
  void launch(const Graph& graph);

  int threads() const { return 1; }
  std::string device_name() const;
  std::uint64_t memory_bytes() const;  ///< free device memory, bytes
  const ContextCounters& counters() const { return counters_; }

  struct Impl;  ///< stream, cuBLAS handle, events: kernels/device/cuda_impl.cuh
  Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
  ContextCounters counters_;
};

/// Whether this binary was built with a CUDA compiler.
bool built_with_cuda();
/// Whether a GPU can be used here and now; probes once, never throws. `why_not` gets one line if the answer is no.
bool cuda_available(std::string* why_not = nullptr);

}  // namespace splitsim

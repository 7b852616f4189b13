#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels/device/cuda_impl.cuh"

namespace splitsim {

bool built_with_cuda() { return true; }

bool cuda_available(std::string* why_not) {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaSuccess && count > 0) return true;
  cudaGetLastError();  // clear it: later errors must be their own
  if (why_not != nullptr) {
    *why_not = status == cudaSuccess ? "no CUDA device is visible" : cudaGetErrorString(status);
  }
  return false;
}

CudaContext::CudaContext(bool products) : impl_(std::make_unique<Impl>()) {
  std::string why_not;
  if (!cuda_available(&why_not)) throw NoDevice("no usable GPU: " + why_not);
  cuda_check(cudaSetDevice(impl_->device), "cudaSetDevice");
  cuda_check(cudaDeviceGetAttribute(&impl_->multiprocessors, cudaDevAttrMultiProcessorCount, impl_->device),
             "cudaDeviceGetAttribute");
  int capability = 0;
  cuda_check(cudaDeviceGetAttribute(&capability, cudaDevAttrComputeCapabilityMajor, impl_->device),
             "cudaDeviceGetAttribute");
  const char* early = std::getenv("SPLITSIM_EARLY_LAUNCH");
  impl_->launches_early = capability >= 9 && (early == nullptr || std::string(early) != "0");
  std::size_t free_memory = 0;
  cuda_check(cudaMemGetInfo(&free_memory, &impl_->total_memory), "cudaMemGetInfo");
  // What is freed stays with the process: else every synchronisation would hand it back, and the next epoch map it anew.
  cudaMemPool_t pool = nullptr;
  std::uint64_t keep_all = UINT64_MAX;
  cuda_check(cudaDeviceGetDefaultMemPool(&pool, impl_->device), "cudaDeviceGetDefaultMemPool");
  cuda_check(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &keep_all), "cudaMemPoolSetAttribute");
  cuda_check(cudaStreamCreateWithFlags(&impl_->stream, cudaStreamNonBlocking), "cudaStreamCreate");
  Staging& staging = impl_->staging;
  cuda_check(cudaHostAlloc(reinterpret_cast<void**>(&staging.memory), 2 * Staging::kHalf, cudaHostAllocDefault),
             "cudaHostAlloc");
  for (cudaEvent_t& event : staging.emptied) {
    cuda_check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreate");
  }
  cuda_check(cudaEventCreateWithFlags(&impl_->here, cudaEventDisableTiming), "cudaEventCreate");
  if (!products) return;
  cublas_check(cublasCreate(&impl_->cublas), "cublasCreate");
  cublas_check(cublasLtCreate(&impl_->cublas_lt), "cublasLtCreate");
  cublas_check(cublasSetStream(impl_->cublas, impl_->stream), "cublasSetStream");
  // fp32 means fp32: the default mode has no TF32, and sums of halves stay in fp32.
  constexpr auto kMath =
      static_cast<cublasMath_t>(CUBLAS_DEFAULT_MATH | CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
  cublas_check(cublasSetMathMode(impl_->cublas, kMath), "cublasSetMathMode");
  impl_->cublas_workspace = allocate(Impl::kWorkspaceBytes);
  cublas_check(cublasSetWorkspace(impl_->cublas, impl_->cublas_workspace, Impl::kWorkspaceBytes), "cublasSetWorkspace");
}

CudaContext::~CudaContext() {
  cudaStreamSynchronize(impl_->stream);
  impl_->cudnn.reset();
  if (impl_->cublas != nullptr) {
    cublasDestroy(impl_->cublas);
    cublasLtDestroy(impl_->cublas_lt);
    deallocate(impl_->cublas_workspace, Impl::kWorkspaceBytes);
  }
  cudaEventDestroy(impl_->here);
  for (cudaEvent_t event : impl_->staging.emptied) cudaEventDestroy(event);
  cudaFreeHost(impl_->staging.memory);
  cudaStreamDestroy(impl_->stream);
}

void* CudaContext::allocate(std::size_t bytes) {
  void* p = nullptr;
  // More than there is at all: drivers differ in what they call that.
  const cudaError_t status =
      bytes > impl_->total_memory ? cudaErrorMemoryAllocation : cudaMallocAsync(&p, bytes, impl_->stream);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    throw OutOfMemory("could not allocate " + std::to_string(bytes) + " bytes of GPU memory");
  }
  cuda_check(status, "cudaMallocAsync");
  counters_.allocations += 1;
  counters_.bytes_in_use += bytes;
  if (counters_.bytes_in_use > counters_.bytes_peak) counters_.bytes_peak = counters_.bytes_in_use;
  return p;
}
void CudaContext::deallocate(void* p, std::size_t bytes) noexcept {
  counters_.bytes_in_use -= bytes;
  cudaFreeAsync(p, impl_->stream);
}
void* CudaContext::allocate_shared(std::size_t bytes) {
  void* p = nullptr;
  cuda_check(cudaHostAlloc(&p, bytes, cudaHostAllocMapped), "cudaHostAlloc");
  counters_.allocations += 1;
  std::memset(p, 0, bytes);
  return p;  // unified addressing: the same pointer serves both sides
}
void CudaContext::deallocate_shared(void* p, std::size_t) noexcept {
  cudaStreamSynchronize(impl_->stream);
  cudaFreeHost(p);
}
void CudaContext::upload(void* device, const void* host, std::size_t bytes) {
  // An asynchronous copy from pageable memory may read it later.
  Staging& staging = impl_->staging;
  for (std::size_t at = 0; at < bytes;) {
    if (staging.used == Staging::kHalf) {
      cuda_check(cudaEventRecord(staging.emptied[staging.half], impl_->stream), "cudaEventRecord");
      staging.half = 1 - staging.half;
      staging.used = 0;
      cuda_check(cudaEventSynchronize(staging.emptied[staging.half]), "cudaEventSynchronize");
    }
    const std::size_t part = std::min(bytes - at, Staging::kHalf - staging.used);
    unsigned char* pinned = staging.memory + staging.half * Staging::kHalf + staging.used;
    std::memcpy(pinned, static_cast<const unsigned char*>(host) + at, part);
    cuda_check(
        cudaMemcpyAsync(static_cast<unsigned char*>(device) + at, pinned, part, cudaMemcpyHostToDevice, impl_->stream),
        "upload");
    at += part;
    staging.used = std::min(Staging::kHalf, (staging.used + part + 15) / 16 * 16);
  }
}
void CudaContext::download(void* host, const void* device, std::size_t bytes) {
  counters_.host_reads += 1;
  cuda_check(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, impl_->stream), "download");
  synchronize();
}
void CudaContext::copy(void* to, const void* from, std::size_t bytes) {
  cuda_check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, impl_->stream), "copy");
}
void CudaContext::fill_zero(void* device, std::size_t bytes) {
  cuda_check(cudaMemsetAsync(device, 0, bytes, impl_->stream), "fill");
}
void CudaContext::synchronize() {
  counters_.synchronizations += 1;
  cuda_check(cudaStreamSynchronize(impl_->stream), "synchronize");
}
void CudaContext::check() const {
  const cudaError_t status = cudaStreamQuery(impl_->stream);
  if (status != cudaErrorNotReady) cuda_check(status, "earlier asynchronous work");
}
void CudaContext::wait_for(const CudaContext& other) {
  cuda_check(cudaEventRecord(other.impl_->here, other.impl_->stream), "cudaEventRecord");
  cuda_check(cudaStreamWaitEvent(impl_->stream, other.impl_->here, 0), "cudaStreamWaitEvent");
}

CudaContext::Graph CudaContext::capture(const std::function<void()>& work) {
  cuda_check(cudaStreamBeginCapture(impl_->stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  cudaGraph_t graph = nullptr;
  try {
    work();
  } catch (...) {
    cudaStreamEndCapture(impl_->stream, &graph);
    if (graph != nullptr) cudaGraphDestroy(graph);
    cudaGetLastError();  // of a capture that was invalidated: the first error is the one to report
    throw;
  }
  cuda_check(cudaStreamEndCapture(impl_->stream, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  cuda_check(status, "cudaGraphInstantiate");
  return {executable, [](void* p) { cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(p)); }};
}
void CudaContext::launch(const Graph& graph) {
  cuda_check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph.get()), impl_->stream), "cudaGraphLaunch");
}

std::string CudaContext::device_name() const {
  cudaDeviceProp properties;
  cuda_check(cudaGetDeviceProperties(&properties, impl_->device), "cudaGetDeviceProperties");
  return properties.name;
}
std::uint64_t CudaContext::memory_bytes() const {
  std::size_t free_bytes = 0, total_bytes = 0;
  cuda_check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  return free_bytes;
}

}  // namespace splitsim

// Stands in for context_cuda.cu in a build without a CUDA compiler: everything links, and using it says so.
#include "base/error.hpp"
#include "kernels/device/context.hpp"

namespace splitsim {

namespace {
constexpr const char* kMessage = "this build has no CUDA backend (it was configured without a CUDA compiler)";
[[noreturn]] void refuse() { throw NoDevice(kMessage); }
}  // namespace

struct CudaContext::Impl {};

bool built_with_cuda() { return false; }
bool cuda_available(std::string* why_not) {
  if (why_not != nullptr) *why_not = kMessage;
  return false;
}

CudaContext::CudaContext(bool) { refuse(); }
CudaContext::~CudaContext() = default;
void* CudaContext::allocate(std::size_t) { refuse(); }
void CudaContext::deallocate(void*, std::size_t) noexcept {}
void* CudaContext::allocate_shared(std::size_t) { refuse(); }
void CudaContext::deallocate_shared(void*, std::size_t) noexcept {}
void CudaContext::upload(void*, const void*, std::size_t) { refuse(); }
void CudaContext::download(void*, const void*, std::size_t) { refuse(); }
void CudaContext::copy(void*, const void*, std::size_t) { refuse(); }
void CudaContext::fill_zero(void*, std::size_t) { refuse(); }
void CudaContext::synchronize() { refuse(); }
void CudaContext::check() const { refuse(); }
void CudaContext::wait_for(const CudaContext&) { refuse(); }
CudaContext::Graph CudaContext::capture(const std::function<void()>&) { refuse(); }
void CudaContext::launch(const Graph&) { refuse(); }
std::string CudaContext::device_name() const { refuse(); }
std::uint64_t CudaContext::memory_bytes() const { refuse(); }

}  // namespace splitsim

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <new>

#include "base/error.hpp"
#include "kernels/device/context.hpp"
#include "kernels/device/machine.hpp"

namespace splitsim {

namespace {
constexpr std::size_t kAlignment = 64;
}  // namespace

CpuContext::CpuContext(int threads) : threads_(claim_threads(threads)) {}
CpuContext::~CpuContext() = default;

void* CpuContext::allocate(std::size_t bytes) {
  void* p = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (p == nullptr) throw OutOfMemory("could not allocate " + std::to_string(bytes) + " bytes of host memory");
  counters_.allocations += 1;
  counters_.bytes_in_use += bytes;
  counters_.bytes_peak = std::max(counters_.bytes_peak, counters_.bytes_in_use);
  return p;
}
void CpuContext::deallocate(void* p, std::size_t bytes) noexcept {
  counters_.bytes_in_use -= bytes;
  std::free(p);
}
void* CpuContext::allocate_shared(std::size_t bytes) { return allocate(bytes); }
void CpuContext::deallocate_shared(void* p, std::size_t bytes) noexcept { deallocate(p, bytes); }
void CpuContext::upload(void* device, const void* host, std::size_t bytes) { std::memcpy(device, host, bytes); }
void CpuContext::download(void* host, const void* device, std::size_t bytes) {
  counters_.host_reads += 1;
  std::memcpy(host, device, bytes);
}
void CpuContext::copy(void* to, const void* from, std::size_t bytes) { std::memcpy(to, from, bytes); }
void CpuContext::fill_zero(void* device, std::size_t bytes) { std::memset(device, 0, bytes); }
void CpuContext::synchronize() { counters_.synchronizations += 1; }

std::string CpuContext::device_name() const {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::uint64_t CpuContext::memory_bytes() const { return available_memory(); }

}  // namespace splitsim

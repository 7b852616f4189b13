// Sharing out library calls over threads on the CPU. Only *_cpu.cpp units include this.
#pragma once

#include <dnnl.h>
#include <omp.h>

#include <cstdint>

#include "kernels/device/context.hpp"
#include "kernels/primitives/gemm.hpp"

namespace splitsim {

/// One product on the calling thread. Must be called from parallel_items, which keeps oneDNN to one thread: its results
/// would otherwise depend on the number of threads.
inline void gemm_on_this_thread(const GemmShape& s, const float* a, const float* b, float* c) {
  dnnl_sgemm(s.transpose_a ? 'T' : 'N', s.transpose_b ? 'T' : 'N', s.m, s.n, s.k, 1.0f, a, s.lda, b, s.ldb, s.beta, c,
             s.ldc);
}

/// Below this much work (multiply-adds, or about as long) the calling thread does it alone: waking a team costs more.
constexpr std::int64_t kSerialWork = 400'000;

/// Keeps what the calling thread asks of OpenMP, here oneDNN's products, to one thread.
class OnOneThread {
 public:
  OnOneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  OnOneThread(const OnOneThread&) = delete;
  OnOneThread& operator=(const OnOneThread&) = delete;
  ~OnOneThread() { omp_set_num_threads(before_); }

 private:
  int before_;
};

/// f(item, thread) for item in [0, items), each on one thread; items must not depend on the number of threads, so that
/// results do not either. `work` estimates the multiply-adds of all items together.
template <class F>
void parallel_items(CpuContext& ctx, std::int64_t items, std::int64_t work, const F& f) {
  if (items < 2 || work < kSerialWork || ctx.threads() == 1) {
    const OnOneThread alone;
    for (std::int64_t item = 0; item < items; ++item) f(item, 0);
    return;
  }
#pragma omp parallel num_threads(ctx.threads())
  {
    // A region may get a team of one, within which OpenMP would gladly open another.
    const OnOneThread alone;
#pragma omp for schedule(dynamic)
    for (std::int64_t item = 0; item < items; ++item) f(item, omp_get_thread_num());
  }
}

}  // namespace splitsim

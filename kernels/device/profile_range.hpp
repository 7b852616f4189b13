// Named ranges on a profiler's time line (NVTX domain "splitsim"). Free when no profiler is attached; works without a
// GPU.
#pragma once

namespace splitsim {

/// Pushes a range for its lifetime. `name` must outlive it.
class Range {
 public:
  explicit Range(const char* name);
  ~Range();
  Range(const Range&) = delete;
  Range& operator=(const Range&) = delete;
};

}  // namespace splitsim

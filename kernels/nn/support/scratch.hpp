// Carves typed, 64-byte aligned pieces out of a layer's float workspace; without memory it only measures. A layer lays
// out its workspace in one function that is run both ways, so the size asked for and the size used cannot differ.
#pragma once

#include <cstdint>

namespace splitsim {

class Scratch {
 public:
  Scratch() = default;                            ///< measures
  explicit Scratch(float* base) : base_(base) {}  ///< base: 64-byte aligned

  template <class T>
  T* take(std::int64_t count) {
    const std::int64_t at = used_;
    const std::int64_t bytes = count * static_cast<std::int64_t>(sizeof(T));
    used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
    if (base_ == nullptr) return nullptr;
    return reinterpret_cast<T*>(reinterpret_cast<unsigned char*>(base_) + at);
  }
  std::int64_t floats() const { return used_ / static_cast<std::int64_t>(sizeof(float)); }

 private:
  static constexpr std::int64_t kAlignment = 64;
  float* base_ = nullptr;
  std::int64_t used_ = 0;
};

}  // namespace splitsim

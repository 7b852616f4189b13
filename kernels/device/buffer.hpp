// Owning memory: a move-only buffer, and an arena that carves one block into views. Copies are explicit.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "kernels/device/view.hpp"

namespace splitsim {

/// Zeros in the memory that a view shows.
template <class Context, class T>
void fill_zero(Context& ctx, View<T> view) {
  if (!view.empty()) ctx.fill_zero(view.data(), static_cast<std::size_t>(view.size()) * sizeof(T));
}

/// `size` elements of T in the memory of `Context`, uninitialised. The context must outlive it.
template <class T, class Context>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Context& ctx, std::int64_t size) : ctx_(&ctx), size_(size) {
    if (size_ > 0) data_ = static_cast<T*>(ctx.allocate(bytes()));
  }
  Buffer(Context& ctx, const std::vector<T>& host) : Buffer(ctx, static_cast<std::int64_t>(host.size())) {
    upload(host);
  }
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer(std::move(other)).swap(*this);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) ctx_->deallocate(data_, bytes());
  }

  View<T> view() { return {data_, size_}; }
  View<const T> view() const { return {data_, size_}; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::int64_t size() const { return size_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }

  /// Copies host[0, host.size()) to the front; host must not be longer than the buffer.
  void upload(const std::vector<T>& host) {
    if (!host.empty()) ctx_->upload(data_, host.data(), host.size() * sizeof(T));
  }
  /// The first `count` elements (all when negative). Synchronises: a host read.
  std::vector<T> download(std::int64_t count = -1) const {
    std::vector<T> host(static_cast<std::size_t>(count < 0 ? size_ : count));
    if (!host.empty()) ctx_->download(host.data(), data_, host.size() * sizeof(T));
    return host;
  }
  void fill_zero() {
    if (size_ > 0) splitsim::fill_zero(*ctx_, view());
  }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(ctx_, other.ctx_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  Context* ctx_ = nullptr;
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// Like Buffer, but in memory that the host may read at any time without a synchronisation (what it sees of running
/// work is complete only after one). Zeroed.
template <class T, class Context>
class SharedBuffer {
 public:
  SharedBuffer() = default;
  SharedBuffer(Context& ctx, std::int64_t size) : ctx_(&ctx), size_(size) {
    if (size_ == 0) return;
    data_ = static_cast<T*>(ctx.allocate_shared(bytes()));
    std::memset(static_cast<void*>(data_), 0, bytes());
  }
  SharedBuffer(SharedBuffer&& other) noexcept { swap(other); }
  SharedBuffer& operator=(SharedBuffer&& other) noexcept {
    SharedBuffer(std::move(other)).swap(*this);
    return *this;
  }
  ~SharedBuffer() {
    if (data_ != nullptr) ctx_->deallocate_shared(data_, bytes());
  }

  View<T> view() { return {data_, size_}; }
  T* data() { return data_; }
  const T* data() const { return data_; }
  std::size_t bytes() const { return static_cast<std::size_t>(size_) * sizeof(T); }

 private:
  void swap(SharedBuffer& other) noexcept {
    std::swap(ctx_, other.ctx_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
  }

  Context* ctx_ = nullptr;
  T* data_ = nullptr;
  std::int64_t size_ = 0;
};

/// One named part of a memory plan.
struct MemoryItem {
  std::string name;
  std::uint64_t bytes = 0;
};

/// Carves views out of one allocation. A layout function is run twice: on a measuring arena (no memory; it records the
/// plan that `--dry-run` prints), then on an arena of the measured size, so the plan and the allocation cannot differ.
template <class Context>
class Arena {
 public:
  static constexpr std::uint64_t kAlignment = 256;

  Arena() = default;  ///< measuring: take() returns null views
  /// Uninitialised memory. In builds with AddressSanitizer every float in it is NaN: who reads what nobody wrote sees it.
  Arena(Context& ctx, std::uint64_t bytes) : storage_(ctx, static_cast<std::int64_t>(bytes)), measuring_(false) {
#if defined(__SANITIZE_ADDRESS__)
    if (!Context::kIsDevice && bytes > 0) std::memset(storage_.data(), 0xff, bytes);
#endif
  }

  template <class T>
  View<T> take(std::int64_t count, const char* name) {
    const std::uint64_t bytes = static_cast<std::uint64_t>(count) * sizeof(T);
    const std::uint64_t padded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
    const std::uint64_t at = used_;
    used_ += padded;
    if (measuring_) {
      add_to_plan(name, padded);
      return {nullptr, count};
    }
    return {reinterpret_cast<T*>(storage_.data() + at), count};
  }

  std::uint64_t used_bytes() const { return used_; }
  const std::vector<MemoryItem>& plan() const { return plan_; }

 private:
  void add_to_plan(const char* name, std::uint64_t bytes) {
    for (MemoryItem& item : plan_) {
      if (item.name == name) {
        item.bytes += bytes;
        return;
      }
    }
    plan_.push_back({name, bytes});
  }

  Buffer<unsigned char, Context> storage_;
  std::uint64_t used_ = 0;
  bool measuring_ = true;
  std::vector<MemoryItem> plan_;
};

}  // namespace splitsim

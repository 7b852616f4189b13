// What every test shares: the list of backends for typed tests, and where real data may be.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include "kernels/device/context.hpp"
#include "kernels/nn/support/layout.hpp"
#include "tests/paths.hpp"

namespace splitsim::test {

#if SPLITSIM_WITH_CUDA
using Contexts = ::testing::Types<CpuContext, CudaContext>;
#else
using Contexts = ::testing::Types<CpuContext>;
#endif

/// SPLITSIM_REQUIRE_GPU=1: this machine is meant to have a GPU, a device test that cannot run fails.
inline bool requires_gpu() {
  const char* set = std::getenv("SPLITSIM_REQUIRE_GPU");
  return set != nullptr && *set != '\0' && std::string(set) != "0";
}

/// Fixture for typed tests: `this->ctx()` is the backend; tests on CudaContext skip where there is no GPU, unless it is
/// required.
template <class Context>
class OnContext : public ::testing::Test {
 protected:
  void SetUp() override {
    if constexpr (Context::kIsDevice) {
      std::string why_not;
      if (!cuda_available(&why_not)) {
        if (requires_gpu()) FAIL() << "no GPU, and SPLITSIM_REQUIRE_GPU is set: " << why_not;
        GTEST_SKIP() << "no GPU: " << why_not;
      }
    }
    ctx_.emplace();
  }
  Context& ctx() { return *ctx_; }

 private:
  std::optional<Context> ctx_;
};

/// A backend and the layout that its layers work in. The CPU's channels last run what a GPU runs.
template <class C, Layout kOf>
struct Backend {
  using Context = C;
  static constexpr Layout kLayout = kOf;
};
using CpuPlanes = Backend<CpuContext, Layout::kChannelsFirst>;
using CpuPixels = Backend<CpuContext, Layout::kChannelsLast>;
#if SPLITSIM_WITH_CUDA
using Backends = ::testing::Types<CpuPlanes, Backend<CudaContext, Layout::kChannelsLast>, CpuPixels>;
#else
using Backends = ::testing::Types<CpuPlanes, CpuPixels>;
#endif
template <class B>
class OnBackend : public OnContext<typename B::Context> {
 protected:
  using Context = typename B::Context;
  static constexpr Layout kLayout = B::kLayout;
};

/// The folder that holds tests/fixtures: $SPLITSIM_SOURCE (a bundle on another machine), else the source tree built from.
inline std::string source_dir() {
  const char* dir = std::getenv("SPLITSIM_SOURCE");
  return dir != nullptr && *dir != '\0' ? dir : kSourceDir;
}

/// The folder with fashion-mnist/ and cifar10-subset/: $SPLITSIM_DATA, else ../shared/data beside the source tree; empty if
/// neither exists (tests then skip and say so).
inline std::string data_dir() {
  namespace fs = std::filesystem;
  if (const char* dir = std::getenv("SPLITSIM_DATA"); dir != nullptr && *dir != '\0') return dir;
  const fs::path beside = fs::path(kSourceDir).parent_path() / "shared" / "data";
  return fs::exists(beside) ? beside.string() : std::string();
}

}  // namespace splitsim::test

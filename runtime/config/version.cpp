#include "runtime/config/version.hpp"

#include <fmt/core.h>
#include <nettle/version.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <toml++/impl/version.h>
#include <zlib.h>

#include <nlohmann/json.hpp>

// Written by runtime/config/version.cmake.
#include "build_info.hpp"
#include "git_commit.hpp"
#include "samplers/pack/front_program.hpp"

namespace splitsim {

std::string version() { return PSL_VERSION; }
std::string git_commit() { return PSL_GIT_COMMIT; }

BuildInfo build_info() {
  const dnnl_version_t* dnnl = dnnl_version();
  const auto dotted = [](int major, int minor, int patch) { return fmt::format("{}.{}.{}", major, minor, patch); };
  return {
      PSL_BUILD_TYPE,
      PSL_COMPILER,
      PSL_CUDA_COMPILER,
      PSL_ARCHITECTURE,
      {{"oneDNN", dotted(dnnl->major, dnnl->minor, dnnl->patch)},
       {"OpenMP", std::to_string(_OPENMP)},
       {"CCCL (Thrust)",
        dotted(PSL_THRUST_VERSION / 100000, PSL_THRUST_VERSION / 100 % 1000, PSL_THRUST_VERSION % 100)},
       {"fmt", dotted(FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100)},
       {"toml++", dotted(TOML_LIB_MAJOR, TOML_LIB_MINOR, TOML_LIB_PATCH)},
       {"nlohmann-json", dotted(NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH)},
       {"zlib", zlibVersion()},
       {"nettle", fmt::format("{}.{}", nettle_version_major(), nettle_version_minor())},
       {"Clp", front_solver_version()}}};
}

}  // namespace splitsim

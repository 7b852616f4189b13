#if SPLITSIM_WITH_CUDNN
#include <dlfcn.h>

#include <cstdlib>

#include "kernels/nn/layers/conv/cudnn_library.cuh"

namespace splitsim {

namespace {

CudnnLibrary load() {
  CudnnLibrary library;
  const char* wanted = std::getenv("SPLITSIM_CUDNN");
  if (wanted != nullptr && std::string(wanted) == "0") {
    library.why_not = "SPLITSIM_CUDNN=0";
    return library;
  }
  void* file = nullptr;
  // Where the build found it, then wherever the system looks.
  for (const char* name : {SPLITSIM_CUDNN_LIBRARY, "libcudnn.so.9"}) {
    if (file == nullptr && *name != '\0') file = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  }
  if (file == nullptr) {
    library.why_not = "libcudnn.so.9 is not found";
    return library;
  }
  bool complete = true;
  const auto find = [&](auto& pointer, const char* name) {
    pointer = reinterpret_cast<std::remove_reference_t<decltype(pointer)>>(dlsym(file, name));
    complete = complete && pointer != nullptr;
  };
#define SPLITSIM_CUDNN_FIND(name) find(library.name, "cudnn" #name);
  SPLITSIM_CUDNN_FUNCTIONS(SPLITSIM_CUDNN_FIND)
#undef SPLITSIM_CUDNN_FIND
  decltype(&cudnnGetVersion) version = nullptr;
  find(version, "cudnnGetVersion");
  if (!complete) {
    library.why_not = "the cuDNN that is found lacks functions of cuDNN 9";
    return library;
  }
  const std::size_t number = version();  // as 91900
  library.version =
      std::to_string(number / 10000) + "." + std::to_string(number / 100 % 100) + "." + std::to_string(number % 100);
  return library;
}

}  // namespace

const CudnnLibrary& cudnn_library() {
  static const CudnnLibrary library = load();
  return library;
}

}  // namespace splitsim

#endif

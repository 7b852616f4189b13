// The optimisers by name.
#include "base/error.hpp"
#include "kernels/device/context.hpp"
#include "kernels/nn/optimizers/optimizer.hpp"

namespace splitsim {

template <class Context>
Optimizer<Context> sgd();
template <class Context>
Optimizer<Context> adam();
template <class Context>
Optimizer<Context> adamw();

template <class Context>
const std::vector<Optimizer<Context>>& optimizers() {
  static const std::vector<Optimizer<Context>> rows = {sgd<Context>(), adam<Context>(), adamw<Context>()};
  return rows;
}

template <class Context>
const Optimizer<Context>& optimizer_named(const std::string& name) {
  std::string names;
  for (const Optimizer<Context>& row : optimizers<Context>()) {
    if (name == row.name) return row;
    names += (names.empty() ? "" : ", ") + std::string(row.name);
  }
  throw InputError("optimizer \"" + name + "\": allowed: " + names);
}

template const std::vector<Optimizer<CpuContext>>& optimizers();
template const Optimizer<CpuContext>& optimizer_named(const std::string&);
#if SPLITSIM_WITH_CUDA
template const std::vector<Optimizer<CudaContext>>& optimizers();
template const Optimizer<CudaContext>& optimizer_named(const std::string&);
#endif

}  // namespace splitsim

// What an engine hands out and takes in, in the network's order (runtime/train/placement.hpp).
#include <string>
#include <type_traits>
#include <utility>

#include "base/error.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim {

namespace {

template <class Context, class T>
std::vector<std::remove_const_t<T>> downloaded(Context& ctx, View<T> from) {
  std::vector<std::remove_const_t<T>> to(static_cast<std::size_t>(from.size()));
  if (!to.empty()) ctx.download(to.data(), from.data(), to.size() * sizeof(T));
  return to;
}

}  // namespace

template <class Context>
double Engine<Context>::drift(int side) const {
  double value = 0.0;
  if (!drift_[side].empty()) ctx_.download(&value, drift_[side].data(), sizeof value);
  return value;
}

template <class Context>
std::vector<float> Engine<Context>::gradients(int side) const {
  return stack_.placement().in_order(side, false, downloaded(ctx_, gradients_.side[side]));
}

template <class Context>
DeviceState Engine<Context>::device_state() const {
  DeviceState state;
  for (int side = 0; side < 2; ++side) {
    state.parameters[side] = parameters_.side[side];
    for (int moment = 0; moment < 2; ++moment) state.moments[side][moment] = moments_[moment].side[side];
    state.taken[side] = taken_[side];
  }
  state.kept = kept_;
  return state;
}

template <class Context>
TrainingState Engine<Context>::in_order(TrainingState state) const {
  const Placement& placement = stack_.placement();
  for (int side = 0; side < 2; ++side) {
    state.parameters[side] = placement.in_order(side, true, std::move(state.parameters[side]));
    for (std::vector<float>& moment : state.moments[side]) moment = placement.in_order(side, false, std::move(moment));
  }
  return state;
}

template <class Context>
TrainingState Engine<Context>::download() const {
  const DeviceState from = device_state();
  TrainingState state;
  for (int side = 0; side < 2; ++side) {
    state.parameters[side] = downloaded(ctx_, from.parameters[side]);
    for (int moment = 0; moment < 2; ++moment) {
      state.moments[side][moment] = downloaded(ctx_, from.moments[side][moment]);
    }
    state.taken[side] = downloaded(ctx_, from.taken[side]);
  }
  state.kept = downloaded(ctx_, from.kept);
  return in_order(std::move(state));
}

template <class Context>
void Engine<Context>::upload(const TrainingState& state) {
  const Placement& placement = stack_.placement();
  const auto put = [&](const auto& from, auto to, const char* what) {
    if (static_cast<std::int64_t>(from.size()) != to.size()) {
      throw InputError(std::string("checkpoint: ") + what + " do not have the size of this experiment's");
    }
    if (!from.empty()) ctx_.upload(to.data(), from.data(), from.size() * sizeof(from[0]));
  };
  for (int side = 0; side < 2; ++side) {
    put(placement.placed(side, true, state.parameters[side]), parameters_.side[side], "parameters");
    for (int moment = 0; moment < 2; ++moment) {
      put(placement.placed(side, false, state.moments[side][moment]), moments_[moment].side[side], "optimiser states");
    }
    put(state.taken[side], taken_[side], "step counts");
  }
  put(state.kept, kept_, "what steps remember");
  start_rounds();
}

#define SPLITSIM_MEMBERS(C)                                        \
  template double Engine<C>::drift(int) const;                     \
  template std::vector<float> Engine<C>::gradients(int) const;     \
  template DeviceState Engine<C>::device_state() const;            \
  template TrainingState Engine<C>::in_order(TrainingState) const; \
  template TrainingState Engine<C>::download() const;              \
  template void Engine<C>::upload(const TrainingState&);
SPLITSIM_MEMBERS(CpuContext)
#if SPLITSIM_WITH_CUDA
SPLITSIM_MEMBERS(CudaContext)
#endif

}  // namespace splitsim

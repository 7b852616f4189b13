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
double Engine<Context>::drift(int side, std::size_t experiment) const {
  double value = 0.0;
  if (!drift_[side].empty()) ctx_.download(&value, drift_[side].data() + experiment, sizeof value);
  return value;
}

template <class Context>
std::vector<float> Engine<Context>::gradients(int side) const {
  return stack_.placement().in_order(side, false, downloaded(ctx_, gradients_.side[side]));
}

template <class Context>
DeviceState Engine<Context>::device_state(std::size_t experiment) const {
  DeviceState state;
  for (int side = 0; side < 2; ++side) {
    state.parameters[side] = part(parameters_.side[side], experiment);
    for (int moment = 0; moment < 2; ++moment)
      state.moments[side][moment] = part(moments_[moment].side[side], experiment);
    state.taken[side] = part(taken_[side], experiment);
  }
  state.kept = part(kept_, experiment);
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
TrainingState Engine<Context>::download(std::size_t experiment) const {
  const DeviceState from = device_state(experiment);
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
void Engine<Context>::upload(const TrainingState& state, std::size_t experiment) {
  const Placement& placement = stack_.placement();
  const DeviceState mine = device_state(experiment);
  const auto put = [&](const auto& from, auto to, const char* what) {
    if (static_cast<std::int64_t>(from.size()) != to.size()) {
      throw InputError(std::string("checkpoint: ") + what + " do not have the size of this experiment's");
    }
    // The engine's own, which it hands out to be read.
    using Value = std::remove_const_t<std::remove_pointer_t<decltype(to.data())>>;
    if (!from.empty()) ctx_.upload(const_cast<Value*>(to.data()), from.data(), from.size() * sizeof(from[0]));
  };
  for (int side = 0; side < 2; ++side) {
    put(placement.placed(side, true, state.parameters[side]), mine.parameters[side], "parameters");
    for (int moment = 0; moment < 2; ++moment) {
      put(placement.placed(side, false, state.moments[side][moment]), mine.moments[side][moment], "optimiser states");
    }
    put(state.taken[side], mine.taken[side], "step counts");
  }
  put(state.kept, mine.kept, "what steps remember");
  start_rounds(experiment);
}

#define SPLITSIM_MEMBERS(C)                                        \
  template double Engine<C>::drift(int, std::size_t) const;        \
  template std::vector<float> Engine<C>::gradients(int) const;     \
  template DeviceState Engine<C>::device_state(std::size_t) const; \
  template TrainingState Engine<C>::in_order(TrainingState) const; \
  template TrainingState Engine<C>::download(std::size_t) const;   \
  template void Engine<C>::upload(const TrainingState&, std::size_t);
SPLITSIM_MEMBERS(CpuContext)
#if SPLITSIM_WITH_CUDA
SPLITSIM_MEMBERS(CudaContext)
#endif

}  // namespace splitsim

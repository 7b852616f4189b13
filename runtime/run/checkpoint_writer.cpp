#include "runtime/run/checkpoint_writer.hpp"

#include <cstring>
#include <utility>

#include "runtime/plan/second_context.hpp"

namespace splitsim {

namespace {

/// Every array of a state beside its place on the device, in one order.
template <class Visit>
void for_each_array(const DeviceState& device, TrainingState& host, const Visit& visit) {
  for (int side = 0; side < 2; ++side) {
    visit(device.parameters[side], host.parameters[side]);
    for (int moment = 0; moment < 2; ++moment) visit(device.moments[side][moment], host.moments[side][moment]);
    visit(device.taken[side], host.taken[side]);
  }
  visit(device.kept, host.kept);
}

std::size_t bytes_of(const DeviceState& device) {
  std::size_t bytes = 0;
  TrainingState none;
  for_each_array(device, none,
                 [&](const auto& from, auto&) { bytes += static_cast<std::size_t>(from.size()) * sizeof from[0]; });
  return bytes;
}

[[maybe_unused]] TrainingState state_in(const unsigned char* memory, const DeviceState& device) {
  TrainingState state;
  for_each_array(device, state, [&](const auto& from, auto& to) {
    to.resize(static_cast<std::size_t>(from.size()));
    const std::size_t bytes = to.size() * sizeof to[0];
    if (bytes > 0) std::memcpy(to.data(), memory, bytes);
    memory += bytes;
  });
  return state;
}

}  // namespace

template <class Context>
CheckpointWriter<Context>::CheckpointWriter(Context& ctx, const Engine<Context>& engine, std::string dir,
                                            RunIdentity identity, std::size_t experiment)
    : ctx_(ctx),
      engine_(engine),
      dir_(std::move(dir)),
      identity_(std::move(identity)),
      experiment_(experiment),
      behind_(second_context<Context>()) {}

template <class Context>
CheckpointWriter<Context>::~CheckpointWriter() {
  if (under_way_.valid()) under_way_.wait();
}

template <class Context>
void CheckpointWriter<Context>::finish() {
  if (under_way_.valid()) under_way_.get();
}

template <class Context>
void CheckpointWriter<Context>::save(RunState state) {
  finish();
  if constexpr (Context::kIsDevice) {
    const DeviceState device = engine_.device_state(experiment_);
    const std::size_t bytes = bytes_of(device);
    if (copy_.bytes() != bytes) copy_ = SharedBuffer<unsigned char, Context>(ctx_, static_cast<std::int64_t>(bytes));
    unsigned char* at = copy_.data();
    TrainingState none;
    for_each_array(device, none, [&](const auto& from, auto&) {
      const std::size_t part = static_cast<std::size_t>(from.size()) * sizeof from[0];
      if (part > 0) ctx_.copy(at, from.data(), part);
      at += part;
    });
    behind_->wait_for(ctx_);
    under_way_ = std::async(std::launch::async, [this, device, state = std::move(state)]() mutable {
      behind_->synchronize();
      state.training = engine_.in_order(state_in(copy_.data(), device));
      save_checkpoint(dir_, identity_, state);
    });
  } else {
    state.training = engine_.download(experiment_);
    save_checkpoint(dir_, identity_, state);
  }
}

template class CheckpointWriter<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class CheckpointWriter<CudaContext>;
#endif

}  // namespace splitsim

#include "runtime/train/layer_stack.hpp"

#include <algorithm>

#include "kernels/nn/gradient_rows.hpp"
#include "kernels/nn/layers/pointwise.hpp"

namespace splitsim {

namespace {

std::size_t first_trained(const Network& network) {
  std::size_t first = 0;
  while (first + 1 < network.layers.size() && !network.layers[first].has_parameters()) ++first;
  return first;
}

}  // namespace

template <class Context>
LayerStack<Context>::LayerStack(const Network& network, const StackBounds& bounds, bool training)
    : network_(network),
      bounds_(bounds),
      training_(training),
      plan_(plan_buffers(network, training, first_trained(network))),
      placement_(network, bounds.layout),
      relu_behind_(network.layers.size()),
      forward_done_(network.layers.size()),
      gradient_behind_(network.layers.size()),
      gradient_before_(network.layers.size()) {
  if (bounds.layout == Layout::kChannelsLast) join_relus();
}

template <class Context>
void LayerStack<Context>::join_relus() {
  const auto at = [](std::int32_t place) { return static_cast<std::size_t>(place); };
  std::vector<std::vector<std::size_t>> readers(network_.layers.size());
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    if (layer.input >= 0) readers[at(layer.input)].push_back(i);
    if (layer.other >= 0) readers[at(layer.other)].push_back(i);
  }
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    if (!layer.spec.kind->rectifies) continue;
    if (layer.input >= 0 && readers[at(layer.input)].size() == 1 &&
        plan_.activation[at(layer.input)] == plan_.activation[i]) {
      forward_done_[i] = relu_behind_[at(layer.input)] = network_.layers[at(layer.input)].spec.kind->rectifies_y;
    }
    // By the layer before it, whoever reads it; else by its one reader.
    gradient_behind_[i] = forward_done_[i] && network_.layers[at(layer.input)].spec.kind->rectifies_dy;
    gradient_before_[i] =
        !gradient_behind_[i] && readers[i].size() == 1 && network_.layers[readers[i][0]].spec.kind->rectifies_dx;
  }
}

template <class Context>
void LayerStack<Context>::layout(Context& ctx, Arena<Context>& arena, View<float> kept) {
  const std::int64_t slots = bounds_.slots;
  std::int64_t workspace = 0;
  input_ = arena.template take<float>(slots * network_.input.size(), "activations");
  activations_.clear();
  for (const std::int64_t floats : plan_.activation_floats) {
    activations_.push_back(arena.template take<float>(slots * floats, "activations"));
  }
  saved_.assign(network_.layers.size(), {});
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer& layer = network_.layers[i];
    const LayerKind& kind = *layer.spec.kind;
    const SavedSize size = kind.saved(layer, layer_bounds(i));
    saved_[i].bytes = arena.template take<std::uint8_t>(size.bytes, "activations");
    saved_[i].floats = arena.template take<float>(size.floats, "activations");
    workspace = std::max(workspace, kind.template passes<Context>().workspace(ctx, layer, layer_bounds(i)));
  }
  workspace_ = arena.template take<float>(workspace, "workspace");
  kept_.assign(network_.layers.size(), {});
  std::int64_t from = 0;
  for (std::size_t i = 0; i < kept_.size() && !kept.empty(); ++i) {
    kept_[i] = kept.sub(from, kept_of(i));
    from += kept_of(i);
  }
  gradients_.clear();
  for (const std::int64_t floats : plan_.gradient_floats) {
    gradients_.push_back(arena.template take<float>(slots * floats, "activation gradients"));
  }
}

template <class Context>
std::int64_t LayerStack<Context>::kept_of(std::size_t layer) const {
  if (!training_) return 0;
  return network_.layers[layer].spec.kind->kept(network_.layers[layer], layer_bounds(layer));
}

template <class Context>
std::int64_t LayerStack<Context>::kept_floats() const {
  std::int64_t floats = 0;
  for (std::size_t i = 0; i < network_.layers.size(); ++i) floats += kept_of(i);
  return floats;
}

template <class Context>
View<float> LayerStack<Context>::out(std::size_t layer) const {
  const std::int32_t buffer = plan_.activation[layer];
  const View<float> all = buffer < 0 ? input_ : activations_[static_cast<std::size_t>(buffer)];
  return all.sub(0, bounds_.slots * network_.layers[layer].out.size());
}

template <class Context>
View<const float> LayerStack<Context>::input_of(std::size_t layer) const {
  const std::int32_t input = network_.layers[layer].input;
  return input < 0 ? input_ : out(static_cast<std::size_t>(input));
}

template <class Context>
View<float> LayerStack<Context>::output_gradient() const {
  if (plan_.output_gradient < 0) return {};
  return gradients_[static_cast<std::size_t>(plan_.output_gradient)].sub(
      0, std::int64_t{bounds_.slots} * network_.classes);
}

template <class Context>
View<float> LayerStack<Context>::auxiliary_gradient() const {
  return gradients_[static_cast<std::size_t>(plan_.auxiliary_gradient)].sub(
      0, std::int64_t{bounds_.slots} * network_.classes);
}

template <class Context>
LayerBounds LayerStack<Context>::layer_bounds(std::size_t layer) const {
  const int side = network_.side(layer);
  return {bounds_.slots, bounds_.active[side], bounds_.segments[side], bounds_.samples,
          training_,     bounds_.layout,       bounds_.precision,      bounds_.experiments};
}

template <class Context>
LayerIo::Tensors LayerStack<Context>::tensors_of(std::size_t index, const TwoSides& blocks, bool trained) const {
  const Layer& layer = network_.layers[index];
  const int side = network_.side(index);
  const std::int64_t stride = trained ? placement_.trained(side) : placement_.size(side);
  LayerIo::Tensors tensors = {};
  for (std::size_t i = 0; i < layer.tensors.size(); ++i) {
    if (trained && !layer.tensors[i].trained) continue;
    tensors[i] = {blocks.side[side].data() + placement_.offset(index, i), stride};
  }
  return tensors;
}

template <class Context>
LayerIo LayerStack<Context>::io_of(std::size_t index, const StackMaps& maps, const TwoSides& parameters) const {
  const Layer& layer = network_.layers[index];
  const int side = network_.side(index);
  LayerIo io{.layer = layer,
             .map = maps.side[side],
             .segments = maps.statistics[side],
             .training = training_,
             .layout = bounds_.layout,
             .precision = bounds_.precision};
  io.x = input_of(index);
  if (layer.other >= 0) io.other = out(static_cast<std::size_t>(layer.other));
  io.y = out(index);
  io.parameters = tensors_of(index, parameters, false);
  io.saved = saved_[index];
  io.kept = kept_[index];
  io.keys = maps.keys;
  io.index = static_cast<std::int32_t>(index);
  io.workspace = workspace_;
  return io;
}

template <class Context>
void LayerStack<Context>::forward(Context& ctx, const StackMaps& maps, const TwoSides& parameters) {
  const std::size_t layers = network_.layers.size();
  for (std::size_t i = 0; i < layers; ++i) {
    if (forward_done_[i]) continue;
    LayerIo io = io_of(i, maps, parameters);
    io.relu = relu_behind_[i];
    network_.layers[i].spec.kind->passes<Context>().forward(ctx, io);
  }
}

template <class Context>
bool LayerStack<Context>::is_relu_of(std::size_t next, const BackwardOp& sum) const {
  if (bounds_.layout == Layout::kChannelsFirst || next >= plan_.backward.size()) return false;
  const BackwardOp& op = plan_.backward[next];
  const auto index = static_cast<std::size_t>(op.layer);
  return op.kind == BackwardOp::Kind::kLayer && op.layer == sum.layer && op.from == sum.to && op.to == sum.to &&
         network_.layers[index].spec.kind->rectifies && !gradient_behind_[index] && !gradient_before_[index];
}

template <class Context>
void LayerStack<Context>::backward(Context& ctx, const StackMaps& maps, const TwoSides& parameters,
                                   const TwoSides& gradients, const CutRows& cut) {
  const Slots slots = maps.side[kClientSide].valid();
  for (std::size_t i = 0; i < plan_.backward.size(); ++i) {
    const BackwardOp& op = plan_.backward[i];
    const auto index = static_cast<std::size_t>(op.layer);
    const Layer& layer = network_.layers[index];
    const View<float> from = gradients_[static_cast<std::size_t>(op.from)];
    const View<float> to = op.to < 0 ? View<float>() : gradients_[static_cast<std::size_t>(op.to)];
    switch (op.kind) {
      case BackwardOp::Kind::kLayer: {
        if (gradient_behind_[index] || gradient_before_[index]) break;
        LayerIo io = io_of(index, maps, parameters);
        io.dy = from;
        io.dx = to;
        io.second = op.second;
        io.rectified = layer.input >= 0 && gradient_before_[static_cast<std::size_t>(layer.input)];
        io.relu = relu_behind_[index] && layer.spec.kind->rectifies_dy;
        io.gradients = tensors_of(index, gradients, true);
        layer.spec.kind->passes<Context>().backward(ctx, io);
        break;
      }
      case BackwardOp::Kind::kCutScale:
        if (!cut.scale.empty()) scale_slots(ctx, slots, layer.out.size(), cut.scale, from);
        if (cut.mix > 0.0) mix_places(ctx, cut.clients, cut.spans, slots, cut.mix, layer.out.size(), from);
        break;
      case BackwardOp::Kind::kAccumulate:
        if (is_relu_of(i + 1, op)) {  // both at once
          add_slots_rectified(ctx, slots, layer.out.size(), View<const float>(from), View<const float>(out(index)), to);
          ++i;
          break;
        }
        add_slots(ctx, slots, layer.out.size(), View<const float>(from), to);
        break;
      case BackwardOp::Kind::kCopy:
        copy_slots(ctx, slots, layer.out.size(), View<const float>(from), to);
        break;
    }
  }
}

template class LayerStack<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class LayerStack<CudaContext>;
#endif

}  // namespace splitsim

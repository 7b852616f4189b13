#include "runtime/train/layer_stack.hpp"

#include <algorithm>

#include "kernels/nn/layers/batch_norm.hpp"
#include "kernels/nn/layers/conv2d.hpp"
#include "kernels/nn/layers/group_norm.hpp"
#include "kernels/nn/layers/linear.hpp"
#include "kernels/nn/layers/pointwise.hpp"
#include "kernels/nn/layers/pool.hpp"

namespace splitsim {

namespace {

ConvShape conv_shape(const Layer& layer) {
  return {layer.in.channels, layer.in.height,   layer.in.width,    layer.spec.out,
          layer.spec.kernel, layer.spec.stride, layer.spec.padding};
}
LinearShape linear_shape(const Layer& layer) {
  return {static_cast<std::int32_t>(layer.in.size()), static_cast<std::int32_t>(layer.out.size())};
}
PoolShape pool_shape(const Layer& layer) {
  return {layer.in.channels, layer.in.height, layer.in.width, layer.spec.kernel, layer.spec.stride, layer.spec.padding};
}
GroupNormShape group_shape(const Layer& layer) {
  return {layer.in.channels, layer.in.height, layer.in.width, layer.spec.groups};
}
BatchNormShape batch_shape(const Layer& layer) { return {layer.in.channels, layer.in.height, layer.in.width}; }
std::int64_t pixels(const Layer& layer) { return std::int64_t{layer.in.height} * layer.in.width; }

/// A layer's tensors within a side's grouped block.
struct LayerTensors {
  Grouped weight, bias;  ///< bias data null: the layer has none
  RunningStatistics running;

  LayerTensors(const Layer& layer, View<float> block, std::int64_t stride)
      : weight{block.data() + layer.weight_offset, stride},
        bias{layer.bias_size > 0 ? block.data() + layer.bias_offset : nullptr, stride},
        running{{block.data() + layer.running_offset, stride},
                {block.data() + layer.running_offset + layer.in.channels, stride}} {}
  Parameters own() const { return {weight, bias}; }
  BatchNormParameters batch_norm() const { return {weight, bias, running}; }
};

template <class Context>
std::int64_t workspace_floats(Context& ctx, const Layer& layer, std::int32_t slots, std::int32_t active,
                              std::int32_t segments) {
  switch (layer.spec.kind) {
    case LayerKind::kConv2d:
      return conv2d_workspace(ctx, conv_shape(layer), slots, active);
    case LayerKind::kLinear:
      return linear_workspace(ctx, linear_shape(layer), slots, active);
    case LayerKind::kGroupNorm:
      return group_norm_workspace(ctx, group_shape(layer), slots, active);
    case LayerKind::kBatchNorm:
      return batch_norm_workspace(ctx, batch_shape(layer), slots, segments);
    default:
      return 0;
  }
}

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
      plan_(plan_buffers(network, training, first_trained(network))) {}

template <class Context>
void LayerStack<Context>::layout(Context& ctx, Arena<Context>& arena) {
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
    const int side = network_.side(i);
    Saved& saved = saved_[i];
    if (layer.spec.kind == LayerKind::kMaxPool) {
      saved.argmax = arena.template take<std::uint8_t>(slots * layer.out.size(), "activations");
    }
    std::int64_t moments = 0;
    if (layer.spec.kind == LayerKind::kGroupNorm) moments = slots * layer.spec.groups;
    if (layer.spec.kind == LayerKind::kBatchNorm && training_) {
      moments = std::int64_t{bounds_.segments[side]} * layer.in.channels;
    }
    saved.mean = arena.template take<float>(moments, "activations");
    saved.inverse_std = arena.template take<float>(moments, "activations");
    workspace =
        std::max(workspace, workspace_floats(ctx, layer, bounds_.slots, bounds_.active[side], bounds_.segments[side]));
  }
  workspace_ = arena.template take<float>(workspace, "workspace");
  gradients_.clear();
  for (const std::int64_t floats : plan_.gradient_floats) {
    gradients_.push_back(arena.template take<float>(slots * floats, "activation gradients"));
  }
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
void LayerStack<Context>::forward(Context& ctx, const StackMaps& maps, const TwoSides& parameters) {
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    forward_layer(ctx, i, maps, parameters.side[network_.side(i)]);
  }
}

template <class Context>
void LayerStack<Context>::forward_layer(Context& ctx, std::size_t index, const StackMaps& maps,
                                        View<float> parameters) {
  const Layer& layer = network_.layers[index];
  const int side = network_.side(index);
  const ReplicaMap& map = maps.side[side];
  const View<const float> x = input_of(index);
  const View<float> y = out(index);
  const LayerTensors tensors(layer, parameters, network_.replica_size(side));
  const Saved& saved = saved_[index];
  const NormMemory memory{saved.mean, saved.inverse_std, workspace_};
  switch (layer.spec.kind) {
    case LayerKind::kConv2d:
      conv2d_forward(ctx, map, conv_shape(layer), x, tensors.own(), workspace_, y);
      break;
    case LayerKind::kLinear:
      linear_forward(ctx, map, linear_shape(layer), x, tensors.own(), workspace_, y);
      break;
    case LayerKind::kMaxPool:
      max_pool_forward(ctx, map.valid(), pool_shape(layer), x, y, saved.argmax);
      break;
    case LayerKind::kAvgPool:
      avg_pool_forward(ctx, map.valid(), pool_shape(layer), x, y);
      break;
    case LayerKind::kGlobalAvgPool:
      global_avg_pool_forward(ctx, map.valid(), layer.in.channels, pixels(layer), x, y);
      break;
    case LayerKind::kGroupNorm:
      group_norm_forward(ctx, map, group_shape(layer), x, tensors.own(), memory, y);
      break;
    case LayerKind::kBatchNorm:
      if (training_) {
        batch_norm_forward(ctx, map, maps.statistics[side], batch_shape(layer), x, tensors.batch_norm(), memory, y);
      } else {
        batch_norm_evaluate(ctx, map, batch_shape(layer), x, tensors.batch_norm(), y);
      }
      break;
    case LayerKind::kNorm:  // resolved when the network was built
      break;
    case LayerKind::kRelu:
    case LayerKind::kAdd:
    case LayerKind::kScale: {
      const std::int64_t features = layer.out.size();
      if (x.data() != y.data()) copy_slots(ctx, map.valid(), features, x, y);
      if (layer.spec.kind == LayerKind::kRelu) relu_forward(ctx, map.valid(), features, y);
      if (layer.spec.kind == LayerKind::kScale) {
        multiply(ctx, map.valid(), features, layer.spec.factor, y);
      }
      if (layer.spec.kind == LayerKind::kAdd) {
        const View<const float> other = out(static_cast<std::size_t>(layer.other));
        add_slots(ctx, map.valid(), features, other, y);
      }
      break;
    }
  }
}

template <class Context>
void LayerStack<Context>::backward(Context& ctx, const StackMaps& maps, const TwoSides& parameters,
                                   const TwoSides& gradients, View<const float> cut_scale) {
  const Slots slots = maps.side[kClientSide].valid();
  for (const BackwardOp& op : plan_.backward) {
    const auto index = static_cast<std::size_t>(op.layer);
    const int side = network_.side(index);
    const std::int64_t features = network_.layers[index].out.size();
    const View<float> from = gradients_[static_cast<std::size_t>(op.from)];
    const View<float> to = op.to < 0 ? View<float>() : gradients_[static_cast<std::size_t>(op.to)];
    switch (op.kind) {
      case BackwardOp::Kind::kLayer:
        backward_layer(ctx, index, maps, parameters.side[side], gradients.side[side], from, to);
        break;
      case BackwardOp::Kind::kCutScale:
        if (!cut_scale.empty()) scale_slots(ctx, slots, features, cut_scale, from);
        break;
      case BackwardOp::Kind::kAccumulate:
        add_slots(ctx, slots, features, View<const float>(from), to);
        break;
      case BackwardOp::Kind::kCopy:
        copy_slots(ctx, slots, features, View<const float>(from), to);
        break;
    }
  }
}

template <class Context>
void LayerStack<Context>::backward_layer(Context& ctx, std::size_t index, const StackMaps& maps, View<float> parameters,
                                         View<float> gradients, View<float> dy, View<float> dx) {
  const Layer& layer = network_.layers[index];
  const int side = network_.side(index);
  const ReplicaMap& map = maps.side[side];
  const View<const float> x = input_of(index);
  const Saved& saved = saved_[index];
  const LayerTensors tensors(layer, parameters, network_.replica_size(side));
  const LayerTensors grads(layer, gradients, network_.parameters[side]);
  const Backprop io{x, dy, dx};
  const NormMemory memory{saved.mean, saved.inverse_std, workspace_};
  switch (layer.spec.kind) {
    case LayerKind::kConv2d:
      conv2d_backward(ctx, map, conv_shape(layer), io, tensors.weight, workspace_, grads.own());
      break;
    case LayerKind::kLinear:
      linear_backward(ctx, map, linear_shape(layer), io, tensors.weight, workspace_, grads.own());
      break;
    case LayerKind::kRelu:  // in place: dx is dy
      relu_backward(ctx, map.valid(), layer.out.size(), View<const float>(out(index)), dy);
      break;
    case LayerKind::kScale:
      multiply(ctx, map.valid(), layer.out.size(), layer.spec.factor, dy);
      break;
    case LayerKind::kMaxPool:
      max_pool_backward(ctx, map.valid(), pool_shape(layer), dy, saved.argmax, dx);
      break;
    case LayerKind::kAvgPool:
      avg_pool_backward(ctx, map.valid(), pool_shape(layer), dy, dx);
      break;
    case LayerKind::kGlobalAvgPool:
      global_avg_pool_backward(ctx, map.valid(), layer.in.channels, pixels(layer), dy, dx);
      break;
    case LayerKind::kGroupNorm:
      group_norm_backward(ctx, map, group_shape(layer), io, tensors.weight, memory, grads.own());
      break;
    case LayerKind::kBatchNorm:
      batch_norm_backward(ctx, map, maps.statistics[side], batch_shape(layer), io, tensors.weight, memory, grads.own());
      break;
    case LayerKind::kAdd:   // its gradient is its summands'
    case LayerKind::kNorm:  // resolved when the network was built
      break;
  }
}

template class LayerStack<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class LayerStack<CudaContext>;
#endif

}  // namespace splitsim

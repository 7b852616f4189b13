// A kind of layer as a row: what model.layers may say of it, its shape and tensors, what it keeps, and its passes on
// every backend. A new kind is a file of layers/ with the kind's name, which gives its row; nothing else asks for kinds
// by name, but for `norm`, which a network replaces.
#pragma once

#include <array>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include "kernels/device/context.hpp"
#include "kernels/device/view.hpp"
#include "kernels/nn/layers/dropout.hpp"
#include "kernels/nn/support/grouped.hpp"
#include "kernels/nn/support/layout.hpp"
#include "kernels/primitives/precision.hpp"
#include "runtime/model/network.hpp"

namespace splitsim {

/// A number that a kind takes in model.layers, and where it lives.
struct LayerKey {
  using Field = std::variant<std::int32_t LayerSpec::*, bool LayerSpec::*, Size2 LayerSpec::*, double LayerSpec::*>;
  std::string name;
  Field field;
  std::int32_t low = 1;  ///< of integers, which end at kMost
  bool quiet = false;    ///< written down only where it is not the default
  static constexpr std::int32_t kMost = 65536;
};

/// Most slots, ranks and statistics segments of a step: they fix what a layer takes of memory.
struct LayerBounds {
  std::int32_t slots = 0, active = 1, segments = 1;
  std::int64_t samples = 0;  ///< N, of the training set: ids of samples are below it
  bool training = true;
  Layout layout = Layout::kChannelsFirst;
  Precision precision = Precision::kFp32;
  std::int32_t experiments = 1;  ///< E
};

/// What the forward pass keeps for the backward pass. Sizes, then the memory.
struct SavedSize {
  std::int64_t floats = 0, bytes = 0;
};
struct Saved {
  View<float> floats;
  View<std::uint8_t> bytes;
};

/// What a layer's passes work on, for all S slots. Parameters and gradients: in the order of layer.tensors, data null
/// where the layer has none.
struct LayerIo {
  using Tensors = std::array<Grouped, 4>;
  const Layer& layer;
  const ReplicaMap& map;
  Segments segments;  ///< who shares a BatchNorm's statistics
  bool training = true;
  Layout layout = Layout::kChannelsFirst;  ///< of all activations
  Precision precision = Precision::kFp32;  ///< of products
  View<const float> x = {}, other = {};    ///< other: the second input
  View<float> y = {};                      ///< may be x, where the kind works in place
  View<float> dy = {}, dx = {};  ///< backward only; dx is dy where the kind works in place, empty where nobody needs it
  Tensors parameters = {}, gradients = {};
  Saved saved = {};
  View<float> kept = {};   ///< training only: what the layer left there in the step before
  SampleKeys keys = {};    ///< addresses of random bits
  std::int32_t index = 0;  ///< place in the network
  bool second = false;     ///< backward of a layer that concatenates: dx is of the second input
  bool relu = false;       ///< forward: y is rectified; backward: dy is the gradient of that
  bool rectified = false;  ///< backward: x is what a ReLU gave; dx is the gradient of what that was given
  View<float> workspace = {};

  Parameters own() const { return {parameters[0], parameters[1]}; }
  Parameters own_gradients() const { return {gradients[0], gradients[1]}; }
  Backprop backprop() const { return {x, dy, dx, rectified, relu ? View<const float>(y) : View<const float>()}; }
  /// The input as planes.
  PlaneShape planes() const { return {layer.in.channels, layer.in.height * layer.in.width, layout}; }
};

template <class Context>
struct LayerPasses {
  std::int64_t (*workspace)(Context& ctx, const Layer& layer, const LayerBounds& bounds) = nullptr;  ///< floats
  void (*forward)(Context& ctx, const LayerIo& io) = nullptr;
  void (*backward)(Context& ctx, const LayerIo& io) = nullptr;
};

struct LayerKind {
  std::string name;
  std::vector<LayerKey> keys = {};
  bool listed = true;          ///< may stand in model.layers
  bool takes_classes = false;  ///< out = 0 of a network's last layer stands for the classes
  bool in_place = false;       ///< writes over its input where nobody else reads it; dx comes where dy was
  bool gradient_in_place = false;  ///< dx comes where dy was, but y is memory of its own
  bool reads_output = false;   ///< its backward pass reads y
  bool adds = false;           ///< y = x + other, and dy is the gradient of both: there is no backward pass
  bool concatenates = false;   ///< y is x, then other; a backward pass gives the gradient of either
  bool takes_vocabulary = false;  ///< its input are ids of tokens, below spec.vocabulary
  // A ReLU is no pass of its own where its neighbours do its work (runtime/train/layer_stack.hpp):
  bool rectifies = false;     ///< is one
  bool rectifies_y = false;   ///< its forward pass can end with one (LayerIo::relu)
  bool rectifies_dx = false;  ///< its backward pass can go through one before it (LayerIo::rectified)
  bool rectifies_dy = false;  ///< its backward pass can begin with one behind it (LayerIo::relu)
  /// What a spec in model.layers lacks, as the message's end behind "model.layers."; empty: nothing.
  std::string (*lacks)(const LayerSpec& spec) = [](const LayerSpec&) { return std::string(); };
  /// From spec and input shape to output shape. Errors: InputError for an input that does not suit.
  void (*place)(Layer& layer) = [](Layer& layer) { layer.out = layer.in; };
  /// Weight and bias, then running statistics; offsets are the network's business.
  std::vector<LayerTensor> (*tensors)(const Layer& layer) = [](const Layer&) { return std::vector<LayerTensor>(); };
  /// Multiply-adds of a sample's forward pass; what is no product counts as none.
  std::int64_t (*macs)(const Layer& layer) = [](const Layer&) { return std::int64_t{0}; };
  SavedSize (*saved)(const Layer& layer, const LayerBounds& bounds) = [](const Layer&, const LayerBounds&) {
    return SavedSize();
  };
  /// Floats that stay from step to step: state of training, zeros at first.
  std::int64_t (*kept)(const Layer& layer, const LayerBounds& bounds) = [](const Layer&, const LayerBounds&) {
    return std::int64_t{0};
  };
  LayerPasses<CpuContext> cpu = {};
  LayerPasses<CudaContext> cuda = {};

  template <class Context>
  const LayerPasses<Context>& passes() const {
    if constexpr (std::is_same_v<Context, CpuContext>) {
      return cpu;
    } else {
      return cuda;
    }
  }
};

/// All kinds, by name.
const std::vector<LayerKind>& layer_kinds();
/// The names of the keys that a kind takes.
std::vector<std::string> key_names(const LayerKind& kind);
/// Errors: std::out_of_range for an unknown name.
const LayerKind& layer_kind(const std::string& name);

namespace detail {
template <class P, class Context>
LayerPasses<Context> passes_on() {
  LayerPasses<Context> passes{[](Context&, const Layer&, const LayerBounds&) { return std::int64_t{0}; },
                              P::template forward<Context>, P::template backward<Context>};
  if constexpr (requires { &P::template workspace<Context>; }) passes.workspace = P::template workspace<Context>;
  return passes;
}
}  // namespace detail

/// The row with its passes: P's static forward, backward and, where it needs scratch, workspace, templates over the
/// context.
template <class P>
LayerKind with_passes(LayerKind kind) {
  kind.cpu = detail::passes_on<P, CpuContext>();
#if SPLITSIM_WITH_CUDA
  kind.cuda = detail::passes_on<P, CudaContext>();
#endif
  return kind;
}

}  // namespace splitsim

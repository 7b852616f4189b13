// A network as a value: named layers with shapes, cut in two. The client runs the layers up to and including the cut.
// Layers are in an order in which they can run; each reads the one before it, unless it names another (skip
// connections).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/names.hpp"
#include "kernels/nn/support/size2.hpp"
#include "runtime/model/cut_settings.hpp"

namespace splitsim {

struct LayerKind;  // runtime/model/layer_kind.hpp

/// What a model says of one layer; shapes follow from the input.
struct LayerSpec {
  const LayerKind* kind;
  std::string name;
  std::int32_t out = 0;      ///< conv2d: output channels, linear: output features
  Size2 kernel = 0;          ///< conv2d, pools: window
  Size2 stride = 1;          ///< conv2d, pools
  Size2 padding = 0;         ///< conv2d, max pool
  std::int32_t conv_groups = 1;  ///< conv2d: groups of channels, each convolved by itself; its inputs: depthwise
  bool tiles = false;            ///< conv2d: its windows must fill the input, as patches do
  std::int32_t heads = 1;        ///< attention
  std::int32_t vocabulary = 0;   ///< embedding: rows; 0: as many as the data has tokens
  std::int32_t groups = 0;   ///< norm as GroupNorm; 0: gcd(32, channels)
  bool bias = true;          ///< conv2d; one that a norm follows may do without, and gets it back if there is no norm
  float factor = 1.0f;       ///< scale
  double probability = 0.5;  ///< dropout: of a feature to become 0
  std::string input = {};    ///< name of the layer it reads; empty: the one before
  std::string other = {};    ///< add, concat: name of the second input
  CutSettings cut = {};      ///< link: what happens to rows on it

  friend bool operator==(const LayerSpec&, const LayerSpec&) = default;
};

/// Features of one slot, channels first. A flat vector is [features, 1, 1].
struct FeatureShape {
  std::int32_t channels = 0, height = 0, width = 0;
  std::int64_t size() const { return std::int64_t{channels} * height * width; }
  friend bool operator==(const FeatureShape&, const FeatureShape&) = default;
};

/// One tensor of a layer's parameters or running statistics.
struct LayerTensor {
  std::string name;                 ///< in files: weight, bias, running_mean, running_var
  std::vector<std::int64_t> shape;  ///< as torch.nn has it
  bool trained = true;              ///< false: a running statistic
  float initial = 0.0f;             ///< of what is not drawn
  std::int64_t fan_in = 0;          ///< > 0: drawn uniformly in +-1/sqrt(fan_in)
  double normal = 0.0;              ///< > 0: drawn normally with this standard deviation, whatever init says
  double kaiming = -1.0;            ///< >= 0: standard deviation that init = kaiming draws with instead
  /// The last dimensions as channels of pixels: their order where activations lie channels last is the other one.
  std::int64_t channels = 1, pixels = 1;
  std::int64_t offset = 0;  ///< within a replica of the layer's side

  std::int64_t size() const;
};

/// A layer in place. Its parameters lie within its side's P, running statistics behind all of the side's parameters.
struct Layer {
  LayerSpec spec;
  std::int32_t input = -1;  ///< index of the layer it reads, -1: the network's input
  std::int32_t other = -1;  ///< add, concat: the second input
  FeatureShape in, out;
  FeatureShape other_in = {};        ///< of the second input
  std::vector<LayerTensor> tensors;  ///< weight, bias, then running statistics; empty: nothing to train
  std::int32_t first_tensor = 0;     ///< number of the weight among all parameter tensors, two for each layer with any

  bool has_parameters() const { return !tensors.empty(); }
  const LayerTensor* tensor(std::string_view name) const;  ///< null: the layer has none of this name
};

constexpr int kClientSide = 0;
constexpr int kServerSide = 1;

enum class NormKind : std::uint8_t { kGroup, kBatch, kNone };
constexpr auto names_of(NormKind) {
  return named_values<NormKind>({{"group", "GroupNorm(gcd(32, channels)), cnn: GroupNorm(8)"},
                                 {"batch", "BatchNorm"},
                                 {"none", "no norm; convolutions keep their bias"}});
}

/// torch: as torch.nn draws, weights and biases uniform in +-1/sqrt(fan_in). kaiming: convolutions as torchvision's
/// ResNets, normal with variance 2 / (out x kernel^2), biases 0; linear layers as torch. file: drawn as torch, then
/// replaced.
enum class InitKind : std::uint8_t { kTorch, kKaiming, kFile };
constexpr auto names_of(InitKind) {
  return named_values<InitKind>({{"torch", "as torch.nn's layers"},
                                 {"kaiming", "convolutions as torchvision's ResNets, biases 0"},
                                 {"file", "the weights in model.file"}});
}

/// What of a network the model's layers leave open.
struct NetworkOptions {
  NormKind norm[2] = {NormKind::kGroup, NormKind::kGroup};  ///< by side
  /// Client BatchNorm: each client normalises over its own samples of the step; false: over all samples of the step.
  bool client_segments = true;
  InitKind init = InitKind::kTorch;
  CutSettings cut = {};  ///< where rows do not arrive as they were sent, the client half ends with a layer that does it
  std::int32_t vocabulary = 0;  ///< ids of tokens in the data are below it; 0: the data are no tokens
  bool auxiliary = false;  ///< the client half has a head of its own: a linear layer from the cut to the classes
};

struct Network {
  FeatureShape input;
  std::int32_t classes = 0;
  std::vector<Layer> layers;
  NetworkOptions options;
  std::size_t client_layers = 0;    ///< layers [0, client_layers) run on the client
  std::size_t own_client_layers = 0;  ///< of them those of the model; behind them come the auxiliary head and the link
  std::int64_t parameters[2] = {};  ///< P, trainable, of the client half and of the server half
  std::int64_t buffers[2] = {};     ///< running statistics, behind the parameters of a replica

  /// Floats of one replica: parameters, then running statistics.
  std::int64_t replica_size(int side) const { return parameters[side] + buffers[side]; }
  int side(std::size_t layer) const { return layer < client_layers ? kClientSide : kServerSide; }
  FeatureShape cut_shape() const { return layers[own_client_layers - 1].out; }
  bool has_auxiliary() const { return options.auxiliary; }
  /// Where the auxiliary head is; nowhere without one.
  std::size_t auxiliary_layer() const { return has_auxiliary() ? own_client_layers : layers.max_size(); }
  /// The layer whose output the server reads.
  std::size_t cut_layer() const { return options.cut.is_plain() ? own_client_layers - 1 : client_layers - 1; }
};

/// Multiply-adds of a sample's forward pass through a side: convolutions, linear layers and attention.
std::int64_t multiply_adds(const Network& network, int side);

/// The names at which a model can be cut: layers, and groups of layers ("layer1" for "layer1.0.conv1" and on), behind
/// which a single tensor goes on.
std::vector<std::string> possible_cuts(const std::vector<LayerSpec>& layers);

/// Lays the layers out for an input, cut after the layer or group of layers named `cut`. Names must be unique; the last
/// layer must give `classes` features. Errors: InputError (no such cut, listing the possible ones; an input too small
/// for a layer; a second input that does not suit; an embedding of what are no tokens).
Network build_network(const std::vector<LayerSpec>& layers, const std::string& cut, FeatureShape input,
                      std::int32_t classes, const NetworkOptions& options = {});

/// Initial state of one replica of a side, [replica_size]: weights and biases of convolutions and linear layers as
/// options.init says, embeddings normal, gamma 1, beta 0, running means 0, running variances 1. Addressed by (seed, tensor, element).
/// Determinism: exact.
std::vector<float> initial_parameters(const Network& network, int side, std::uint64_t seed);

}  // namespace splitsim

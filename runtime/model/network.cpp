#include "runtime/model/network.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "kernels/nn/layers/conv2d.hpp"
#include "kernels/nn/layers/pool.hpp"

namespace splitsim {

namespace {

void require_fit(bool fits, const LayerSpec& spec, FeatureShape in) {
  if (fits) return;
  throw InputError(fmt::format("model: layer '{}' (window {}, stride {}) does not fit its input of {} x {} x {}",
                               spec.name, spec.kernel, spec.stride, in.channels, in.height, in.width));
}

Layer place(const LayerSpec& spec, FeatureShape in) {
  Layer layer;
  layer.spec = spec;
  layer.in = layer.out = in;
  switch (spec.kind) {
    case LayerKind::kConv2d: {
      const ConvShape shape{in.channels, in.height, in.width, spec.out, spec.kernel, spec.stride, spec.padding};
      require_fit(std::min(in.height, in.width) + 2 * spec.padding >= spec.kernel, spec, in);
      layer.out = {spec.out, shape.out_height(), shape.out_width()};
      layer.weight_size = shape.weights();
      layer.bias_size = spec.bias ? spec.out : 0;
      layer.fan_in = shape.patch();
      break;
    }
    case LayerKind::kLinear:
      layer.out = {spec.out, 1, 1};
      layer.weight_size = in.size() * spec.out;
      layer.bias_size = spec.out;
      layer.fan_in = in.size();
      break;
    case LayerKind::kMaxPool:
    case LayerKind::kAvgPool: {
      require_fit(std::min(in.height, in.width) + 2 * spec.padding >= spec.kernel, spec, in);
      const PoolShape shape{in.channels, in.height, in.width, spec.kernel, spec.stride, spec.padding};
      layer.out = {in.channels, shape.out_height(), shape.out_width()};
      break;
    }
    case LayerKind::kGlobalAvgPool:
      layer.out = {in.channels, 1, 1};
      break;
    case LayerKind::kGroupNorm:
      if (spec.groups < 1 || in.channels % spec.groups != 0) {
        throw InputError(fmt::format("model: layer '{}' has {} groups, which do not divide its {} channels", spec.name,
                                     spec.groups, in.channels));
      }
      layer.weight_size = layer.bias_size = in.channels;
      break;
    case LayerKind::kBatchNorm:
      layer.weight_size = layer.bias_size = in.channels;
      break;
    case LayerKind::kRelu:
    case LayerKind::kNorm:
    case LayerKind::kAdd:
    case LayerKind::kScale:
      break;
  }
  return layer;
}

// Whether `name` is the layer or the group of layers `group`.
bool belongs(const std::string& name, const std::string& group) {
  return name == group || (name.size() > group.size() && name.starts_with(group) && name[group.size()] == '.');
}

// Who reads whom, by place in the list.
struct Edge {
  std::int32_t input, other;  // -1: the network's input; other: -1 if there is none
};
std::vector<Edge> edges_of(const std::vector<LayerSpec>& layers) {
  std::map<std::string, std::int32_t> places;
  std::vector<Edge> edges;
  const auto find = [&](const LayerSpec& reader, const std::string& name) {
    const auto found = places.find(name);
    if (found != places.end()) return found->second;
    throw InputError(fmt::format("model: layer '{}' reads '{}', which is no earlier layer", reader.name, name));
  };
  for (const LayerSpec& spec : layers) {
    const auto place = static_cast<std::int32_t>(edges.size());
    Edge edge{spec.input.empty() ? place - 1 : find(spec, spec.input), -1};
    if (spec.kind == LayerKind::kAdd) edge.other = find(spec, spec.other);
    if (!places.emplace(spec.name, place).second) {
      throw InputError(fmt::format("model: two layers are named '{}'", spec.name));
    }
    edges.push_back(edge);
  }
  return edges;
}

// Whether only the tensor behind place `at` goes on from layers [0, at] to the later ones.
bool can_cut(const std::vector<Edge>& edges, std::int32_t at) {
  for (std::size_t i = static_cast<std::size_t>(at) + 1; i < edges.size(); ++i) {
    if (edges[i].input < at) return false;
    if (edges[i].other >= 0 && edges[i].other < at) return false;
  }
  return true;
}

// The last place of a layer or group, -1 if there is none.
std::int32_t last_of(const std::vector<LayerSpec>& layers, const std::string& group) {
  std::int32_t last = -1;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!belongs(layers[i].name, group)) continue;
    last = static_cast<std::int32_t>(i);
  }
  return last;
}

// The specs with every norm made what its side wants: a norm that is not wanted leaves the list, its readers read what
// it read, and a convolution without bias before it gets one. `cut` is the place of the cut in the list.
struct Resolved {
  std::vector<LayerSpec> specs;
  std::vector<Edge> edges;
  std::size_t client_layers = 0;
};
Resolved resolve_norms(const std::vector<LayerSpec>& layers, const std::vector<Edge>& edges, std::int32_t cut,
                       const NetworkOptions& options) {
  Resolved resolved;
  std::vector<std::int32_t> moved(layers.size());
  const auto now = [&](std::int32_t place) { return place < 0 ? place : moved[static_cast<std::size_t>(place)]; };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    LayerSpec spec = layers[i];
    const Edge edge{now(edges[i].input), now(edges[i].other)};
    const bool client = static_cast<std::int32_t>(i) <= cut;
    if (spec.kind == LayerKind::kNorm) {
      const NormKind norm = options.norm[client ? kClientSide : kServerSide];
      if (norm == NormKind::kNone) {
        moved[i] = edge.input;
        if (edge.input >= 0) resolved.specs[static_cast<std::size_t>(edge.input)].bias = true;
        if (client) resolved.client_layers = resolved.specs.size();
        continue;
      }
      spec.kind = norm == NormKind::kGroup ? LayerKind::kGroupNorm : LayerKind::kBatchNorm;
    }
    moved[i] = static_cast<std::int32_t>(resolved.specs.size());
    resolved.specs.push_back(std::move(spec));
    resolved.edges.push_back(edge);
    if (client) resolved.client_layers = resolved.specs.size();
  }
  return resolved;
}

}  // namespace

std::vector<std::string> possible_cuts(const std::vector<LayerSpec>& layers) {
  const std::vector<Edge> edges = edges_of(layers);
  std::vector<std::string> names;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (!can_cut(edges, static_cast<std::int32_t>(i))) continue;
    const std::string& name = layers[i].name;
    const std::string group = name.substr(0, name.find('.'));
    const bool ends_group = group != name && last_of(layers, group) == static_cast<std::int32_t>(i);
    names.push_back(ends_group ? group : name);
  }
  return names;
}

Network build_network(const std::vector<LayerSpec>& layers, const std::string& cut, FeatureShape input,
                      std::int32_t classes, const NetworkOptions& options) {
  const std::vector<Edge> edges = edges_of(layers);
  const std::int32_t at = last_of(layers, cut);
  if (at < 0 || !can_cut(edges, at)) {
    throw InputError(fmt::format("model.cut = \"{}\": {}; allowed: {}", cut,
                                 at < 0 ? "no such layer" : "a skip connection leads past it",
                                 fmt::join(possible_cuts(layers), ", ")));
  }
  const Resolved resolved = resolve_norms(layers, edges, at, options);
  Network network;
  network.input = input;
  network.classes = classes;
  network.options = options;
  network.client_layers = resolved.client_layers;
  if (network.client_layers == 0) {
    throw InputError(fmt::format("model.cut = \"{}\": without norms the client is left without a layer", cut));
  }

  std::int32_t tensors = 0;
  for (std::size_t i = 0; i < resolved.specs.size(); ++i) {
    const Edge edge = resolved.edges[i];
    LayerSpec spec = resolved.specs[i];
    const auto shape_of = [&](std::int32_t place) {
      return place < 0 ? input : network.layers[static_cast<std::size_t>(place)].out;
    };
    const FeatureShape in = shape_of(edge.input);
    if (spec.kind == LayerKind::kGroupNorm && spec.groups == 0) spec.groups = std::gcd(32, in.channels);
    Layer layer = place(spec, in);
    layer.input = edge.input;
    layer.other = edge.other;
    if (edge.other >= 0 && shape_of(edge.other) != in) {
      throw InputError(fmt::format("model: layer '{}' adds '{}' of another shape", spec.name, spec.other));
    }
    std::int64_t& used = network.parameters[network.side(i)];
    layer.weight_offset = used;
    layer.bias_offset = used + layer.weight_size;
    used += layer.weight_size + layer.bias_size;
    layer.first_tensor = tensors;
    tensors += layer.has_parameters() ? 2 : 0;
    network.layers.push_back(std::move(layer));
  }
  for (std::size_t i = 0; i < network.layers.size(); ++i) {  // running statistics, behind all parameters
    Layer& layer = network.layers[i];
    if (layer.spec.kind != LayerKind::kBatchNorm) continue;
    const int side = network.side(i);
    layer.running_offset = network.replica_size(side);
    network.buffers[side] += 2 * std::int64_t{layer.in.channels};
  }
  const FeatureShape last = network.layers.back().out;
  if (last.size() != classes) {
    throw InputError(fmt::format("model: the last layer gives {} features for {} classes", last.size(), classes));
  }
  return network;
}

std::vector<float> initial_parameters(const Network& network, int side, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(network.replica_size(side)));
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    if (network.side(i) != side || !layer.has_parameters()) continue;
    if (layer.fan_in == 0) {
      std::fill_n(values.begin() + layer.weight_offset, layer.weight_size, 1.0f);
      if (layer.spec.kind == LayerKind::kBatchNorm) {
        std::fill_n(values.begin() + layer.running_offset + layer.in.channels, layer.in.channels, 1.0f);
      }
      continue;
    }
    const auto draw = [&](std::int64_t offset, std::int64_t count, std::int32_t tensor, const auto& value) {
      for (std::int64_t e = 0; e < count; ++e) {
        const Address at{Purpose::kInit, static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(tensor)};
        values[static_cast<std::size_t>(offset + e)] = static_cast<float>(value(at));
      }
    };
    if (network.options.init == InitKind::kKaiming && layer.spec.kind == LayerKind::kConv2d) {
      const double fan_out = static_cast<double>(layer.spec.out) * layer.spec.kernel * layer.spec.kernel;
      const double deviation = std::sqrt(2.0 / fan_out);
      draw(layer.weight_offset, layer.weight_size, layer.first_tensor,
           [&](const Address& at) { return deviation * exact_normal(seed, at); });
      continue;
    }
    const double bound = 1.0 / std::sqrt(static_cast<double>(layer.fan_in));
    const auto uniform = [&](const Address& at) { return (2.0 * uniform53(random_u64(seed, at)) - 1.0) * bound; };
    draw(layer.weight_offset, layer.weight_size, layer.first_tensor, uniform);
    draw(layer.bias_offset, layer.bias_size, layer.first_tensor + 1, uniform);
  }
  return values;
}

}  // namespace splitsim

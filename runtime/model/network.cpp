#include "runtime/model/network.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>

#include "base/error.hpp"
#include "kernels/device/math.hpp"
#include "kernels/device/philox.hpp"
#include "runtime/model/layer_kind.hpp"

namespace splitsim {

namespace {

// Of the auxiliary head, in files as well.
constexpr const char* kAuxiliaryName = "auxiliary";

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
    if (spec.kind->adds || spec.kind->concatenates) edge.other = find(spec, spec.other);
    if (!places.emplace(spec.name, place).second) {
      throw InputError(fmt::format("model: two layers are named '{}'", spec.name));
    }
    if (spec.name == kAuxiliaryName) {
      throw InputError(fmt::format("model: no layer may be named '{}'", spec.name));
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
  static const LayerKind &norm_kind = layer_kind("norm"), &group = layer_kind("group_norm"),
                         &batch = layer_kind("batch_norm");
  Resolved resolved;
  std::vector<std::int32_t> moved(layers.size());
  const auto now = [&](std::int32_t place) { return place < 0 ? place : moved[static_cast<std::size_t>(place)]; };
  for (std::size_t i = 0; i < layers.size(); ++i) {
    LayerSpec spec = layers[i];
    const Edge edge{now(edges[i].input), now(edges[i].other)};
    const bool client = static_cast<std::int32_t>(i) <= cut;
    if (spec.kind == &norm_kind) {
      const NormKind norm = options.norm[client ? kClientSide : kServerSide];
      if (norm == NormKind::kNone) {
        moved[i] = edge.input;
        if (edge.input >= 0) resolved.specs[static_cast<std::size_t>(edge.input)].bias = true;
        if (client) resolved.client_layers = resolved.specs.size();
        continue;
      }
      spec.kind = norm == NormKind::kGroup ? &group : &batch;
    }
    moved[i] = static_cast<std::int32_t>(resolved.specs.size());
    resolved.specs.push_back(std::move(spec));
    resolved.edges.push_back(edge);
    if (client) resolved.client_layers = resolved.specs.size();
  }
  return resolved;
}

// One more layer at the client's end, which reads place `input`; of the server's layers those that read it read the new
// one instead, or go on as they did.
void append_to_client(Resolved& resolved, LayerSpec spec, std::int32_t input, bool in_between) {
  const auto at = static_cast<std::int32_t>(resolved.client_layers);
  for (std::size_t i = resolved.client_layers; i < resolved.edges.size(); ++i) {
    for (std::int32_t* place : {&resolved.edges[i].input, &resolved.edges[i].other}) {
      if (*place >= at) {
        ++*place;
      } else if (*place == input && in_between) {
        *place = at;
      }
    }
  }
  resolved.specs.insert(resolved.specs.begin() + at, std::move(spec));
  resolved.edges.insert(resolved.edges.begin() + at, Edge{input, -1});
  ++resolved.client_layers;
}

// The rows of an embedding: as many as the data has tokens, unless its spec says more.
void settle_vocabulary(LayerSpec& spec, std::int32_t vocabulary) {
  if (!spec.kind->takes_vocabulary) return;
  if (vocabulary == 0) {
    throw InputError(fmt::format("model: layer '{}' reads ids of tokens; allowed: data sets of tokens", spec.name));
  }
  if (spec.vocabulary == 0) spec.vocabulary = vocabulary;
  if (spec.vocabulary < vocabulary) {
    throw InputError(fmt::format("model: layer '{}' has vocabulary = {}; allowed: at least the data's {}, or 0 for it",
                                 spec.name, spec.vocabulary, vocabulary));
  }
}

// What options add to the client half behind the cut.
void append_extras(Resolved& resolved, const NetworkOptions& options, std::int32_t classes) {
  const auto cut = static_cast<std::int32_t>(resolved.client_layers) - 1;
  if (options.auxiliary) {
    if (resolved.client_layers == resolved.specs.size()) {
      throw InputError("model.cut: a mode with an auxiliary head needs a layer on the server");
    }
    append_to_client(resolved, {.kind = &layer_kind("linear"), .name = kAuxiliaryName, .out = classes}, cut, false);
  }
  if (!options.cut.is_plain()) {
    LayerSpec link{.kind = &layer_kind("link"), .name = "link"};
    link.cut = options.cut;
    append_to_client(resolved, std::move(link), cut, true);
  }
}

// Gives every tensor its place in a replica: parameters of a side in the order of its layers, then running statistics.
void lay_out(Network& network) {
  for (const bool trained : {true, false}) {
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const int side = network.side(i);
      for (LayerTensor& tensor : network.layers[i].tensors) {
        if (tensor.trained != trained) continue;
        tensor.offset = network.replica_size(side);
        (trained ? network.parameters : network.buffers)[side] += tensor.size();
      }
    }
  }
}

}  // namespace

std::int64_t LayerTensor::size() const {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

const LayerTensor* Layer::tensor(std::string_view name) const {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const LayerTensor& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

std::int64_t multiply_adds(const Network& network, int side) {
  std::int64_t macs = 0;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (network.side(i) == side) macs += network.layers[i].spec.kind->macs(network.layers[i]);
  }
  return macs;
}

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
  Resolved resolved = resolve_norms(layers, edges, at, options);
  Network network;
  network.input = input;
  network.classes = classes;
  network.options = options;
  if (resolved.client_layers == 0) {
    throw InputError(fmt::format("model.cut = \"{}\": without norms the client is left without a layer", cut));
  }
  network.own_client_layers = resolved.client_layers;
  append_extras(resolved, options, classes);
  network.client_layers = resolved.client_layers;

  std::int32_t tensors = 0;
  for (std::size_t i = 0; i < resolved.specs.size(); ++i) {
    const Edge edge = resolved.edges[i];
    const auto shape_of = [&](std::int32_t place) {
      return place < 0 ? input : network.layers[static_cast<std::size_t>(place)].out;
    };
    Layer layer;
    layer.spec = resolved.specs[i];
    layer.input = edge.input;
    layer.other = edge.other;
    layer.in = shape_of(edge.input);
    if (edge.other >= 0) layer.other_in = shape_of(edge.other);
    settle_vocabulary(layer.spec, options.vocabulary);
    layer.spec.kind->place(layer);
    layer.tensors = layer.spec.kind->tensors(layer);
    if (layer.spec.kind->adds && layer.other_in != layer.in) {
      throw InputError(fmt::format("model: layer '{}' adds '{}' of another shape", layer.spec.name, layer.spec.other));
    }
    layer.first_tensor = tensors;
    // The auxiliary head's come last: the others' initial values are those of a network without it.
    if (network.layers.size() != network.auxiliary_layer()) tensors += layer.has_parameters() ? 2 : 0;
    network.layers.push_back(std::move(layer));
  }
  if (network.has_auxiliary()) network.layers[network.auxiliary_layer()].first_tensor = tensors;
  lay_out(network);
  const FeatureShape last = network.layers.back().out;
  if (last.size() != classes) {
    throw InputError(fmt::format("model: the last layer gives {} features for {} classes", last.size(), classes));
  }
  return network;
}

std::vector<float> initial_parameters(const Network& network, int side, std::uint64_t seed) {
  std::vector<float> values(static_cast<std::size_t>(network.replica_size(side)));
  const bool kaiming = network.options.init == InitKind::kKaiming;
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    if (network.side(i) != side) continue;
    std::int32_t number = network.layers[i].first_tensor;
    for (const LayerTensor& tensor : network.layers[i].tensors) {
      const auto fill = [&](const auto& value) {
        for (std::int64_t e = 0; e < tensor.size(); ++e) {
          const Address at{Purpose::kInit, static_cast<std::uint32_t>(e), static_cast<std::uint32_t>(number)};
          values[static_cast<std::size_t>(tensor.offset + e)] = static_cast<float>(value(at));
        }
      };
      if (tensor.normal > 0.0) {
        fill([&](const Address& at) { return tensor.normal * exact_normal(seed, at); });
      } else if (kaiming && tensor.kaiming > 0.0) {
        fill([&](const Address& at) { return tensor.kaiming * exact_normal(seed, at); });
      } else if (tensor.fan_in == 0 || (kaiming && tensor.kaiming == 0.0)) {
        fill([&](const Address&) { return tensor.initial; });
      } else {
        const double bound = 1.0 / std::sqrt(static_cast<double>(tensor.fan_in));
        fill([&](const Address& at) { return (2.0 * uniform53(random_u64(seed, at)) - 1.0) * bound; });
      }
      ++number;
    }
  }
  return values;
}

}  // namespace splitsim

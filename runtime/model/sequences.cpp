// Nets of sensor windows [C, 1, L] and of token sequences [1, 1, L].
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"

namespace splitsim {

namespace {
using Layers = std::vector<LayerSpec>;
using namespace layer;
}  // namespace

// The 1-D net of J. Wang's "Deep learning for activity recognition" (a public repository), with the sizes that federated
// learning's benchmarks have taken over: linear layers of 1024 and 512 at a width of 32.
Layers har_cnn(const ModelRequest& request) {
  Layers layers;
  for (int block = 1; block <= 2; ++block) {
    const std::string n = std::to_string(block);
    layers.push_back(conv("conv" + n, request.width * block, {1, 9}, 1, 0));
    layers.push_back(relu("relu" + n));
    layers.push_back(max_pool("pool" + n, {1, 2}, {1, 2}));
  }
  for (const LayerSpec& spec : {linear("fc1", 32 * request.width), relu("relu3"), linear("fc2", 16 * request.width),
                                relu("relu4"), linear("fc3", request.classes)}) {
    layers.push_back(spec);
  }
  return layers;
}

// Kim, arXiv 1408.5882 (CNN-rand): convolutions of 3, 4 and 5 tokens side by side, max over time. Without the dropout
// before the last layer.
Layers text_cnn(const ModelRequest& request) {
  LayerSpec embedding = plain("embedding", "embedding");
  embedding.out = request.width;
  Layers layers = {embedding};
  std::string joined;
  for (const std::int32_t tokens : {3, 4, 5}) {
    const std::string n = std::to_string(tokens);
    LayerSpec branch = conv("conv" + n, request.width, {1, tokens}, 1, 0);
    branch.input = "embedding";
    layers.push_back(std::move(branch));
    layers.push_back(relu("relu" + n));
    layers.push_back(plain("global_max_pool", "pool" + n));
    if (joined.empty()) {
      joined = "pool" + n;
    } else {
      const std::string name = tokens == 5 ? "concat" : "concat" + n;
      layers.push_back(concat(name, joined, "pool" + n));
      joined = name;
    }
  }
  layers.push_back(linear("fc", request.classes));
  return layers;
}

}  // namespace splitsim

// Models of windows, tables, token sequences and patches: shapes, sizes, cuts, and what does not suit.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "runtime/config/config.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"

namespace splitsim {
namespace {

using layer::plain;

constexpr std::int32_t kVocabulary = 1000;

NetworkOptions of_tokens(std::int32_t vocabulary = kVocabulary) {
  NetworkOptions options;
  options.vocabulary = vocabulary;
  return options;
}

Network network_of(const std::string& model, const std::string& cut, FeatureShape input, std::int32_t classes = 10) {
  return build_network(model_layers(model, classes), cut, input, classes, of_tokens());
}

std::int64_t parameters(const Network& network) { return network.parameters[0] + network.parameters[1]; }

template <class F>
void expect_error(F f, const std::string& part) {
  try {
    f();
    ADD_FAILURE() << "no InputError: " << part;
  } catch (const InputError& error) {
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

LayerSpec embedding_of(std::int32_t out, std::int32_t vocabulary = 0) {
  LayerSpec spec = plain("embedding", "embedding");
  spec.out = out;
  spec.vocabulary = vocabulary;
  return spec;
}
LayerSpec attention_of(std::int32_t heads) {
  LayerSpec spec = plain("attention", "attention");
  spec.heads = heads;
  return spec;
}

// UCI HAR's windows: nine sensors, 128 readings, six activities.
TEST(SequenceModels, HarCnnHasItsKnownShapesAndSizes) {
  const Network network = network_of("har_cnn", "pool1", {9, 1, 128}, 6);
  EXPECT_EQ(network.cut_shape(), (FeatureShape{32, 1, 60}));
  EXPECT_EQ(network.parameters[kClientSide], 32 * 81 + 32);
  EXPECT_EQ(network.parameters[kServerSide], 64 * 32 * 9 + 64 + 1664 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 6 + 6);
  EXPECT_EQ(multiply_adds(network, kClientSide), 32 * 120 * 81);
  EXPECT_NO_THROW(network_of("har_cnn", "pool2", {3, 1, 28}));
  expect_error([] { network_of("har_cnn", "pool1", {3, 1, 26}); }, "'pool2' (window 1 x 2, stride 1 x 2)");
  expect_error([] { network_of("har_cnn", "pool1", {3, 1, 8}); }, "'conv1' (window 1 x 9, stride 1) does not fit");
}

TEST(SequenceModels, TablesAreRowsOfAnMlp) {
  const Network network = network_of("mlp", "relu1", {24, 1, 1}, 3);
  EXPECT_EQ(network.cut_shape(), (FeatureShape{256, 1, 1}));
  EXPECT_EQ(network.parameters[kClientSide], 25 * 256);
}

TEST(SequenceModels, TextCnnHasItsKnownShapesAndSizes) {
  const Network network = network_of("text_cnn", "embedding", {1, 1, 20});
  EXPECT_EQ(network.cut_shape(), (FeatureShape{64, 1, 20}));
  EXPECT_EQ(network.parameters[kClientSide], kVocabulary * 64);
  EXPECT_EQ(network.parameters[kServerSide], 64 * 64 * (3 + 4 + 5) + 3 * 64 + 192 * 10 + 10);
  EXPECT_EQ(possible_cuts(model_layers("text_cnn", 10)), (std::vector<std::string>{"embedding", "concat", "fc"}));
  EXPECT_EQ(network_of("text_cnn", "concat", {1, 1, 20}).cut_shape(), (FeatureShape{192, 1, 1}));
  expect_error([] { network_of("text_cnn", "concat", {1, 1, 4}); }, "'conv5' (window 1 x 5");
  expect_error([] { network_of("text_cnn", "concat", {3, 32, 32}); }, "ids of 3 x 32 x 32; allowed: 1 x 1 x");
  expect_error(
      [] {
        build_network(model_layers("text_cnn", 10), "concat", {1, 1, 20}, 10);
      },
      "'embedding' reads ids of tokens; allowed: data sets of tokens");
}

TEST(SequenceModels, EmbeddingsAreOfTheDatasVocabulary) {
  const auto built = [](LayerSpec spec) {
    return build_network({std::move(spec), plain("global_max_pool", "pool"), layer::linear("fc", 2)}, "embedding",
                         {1, 1, 7}, 2, of_tokens(50));
  };
  EXPECT_EQ(built(embedding_of(8)).layers[0].tensors[0].shape, (std::vector<std::int64_t>{50, 8}));
  EXPECT_EQ(built(embedding_of(8, 60)).layers[0].tensors[0].shape, (std::vector<std::int64_t>{60, 8}));
  expect_error([&] { built(embedding_of(8, 49)); }, "'embedding' has vocabulary = 49; allowed: at least the data's 50");
  expect_error(
      [] {
        build_network({plain("relu", "relu1"), embedding_of(8), layer::linear("fc", 2)}, "relu1", {1, 1, 7}, 2,
                      of_tokens(50));
      },
      "'embedding' reads another layer");
}

// Tables and positions are normal, as torch.nn.Embedding's and torchvision's.
TEST(SequenceModels, EmbeddingsAndPositionsAreDrawnNormally) {
  const Network network = build_network({embedding_of(16), plain("position", "position"), layer::linear("fc", 2)},
                                        "position", {1, 1, 40}, 2, of_tokens());
  const std::vector<float> client = initial_parameters(network, kClientSide, 3);
  std::size_t first = 0;
  for (const auto& [n, deviation] : {std::pair{kVocabulary * 16, 1.0}, {16 * 40, 0.02}}) {
    double sum = 0.0, squares = 0.0;
    for (std::int32_t i = 0; i < n; ++i, ++first) {
      sum += client[first];
      squares += static_cast<double>(client[first]) * client[first];
    }
    EXPECT_NEAR(sum / n, 0.0, 5 * deviation / std::sqrt(n));  // 5 sigma: false alarm 6e-7
    EXPECT_NEAR(squares / n, deviation * deviation, 5 * deviation * deviation * std::sqrt(2.0 / n));
  }
  EXPECT_EQ(first, client.size());
}

TEST(SequenceModels, VitHasItsKnownShapesAndSizes) {
  const Network network = network_of("vit", "block1", {3, 32, 32});
  EXPECT_EQ(network.cut_shape(), (FeatureShape{64, 8, 8}));
  const std::int64_t block = 2 * 128 + 65 * 192 + 65 * 64 + 65 * 128 + 129 * 64;
  EXPECT_EQ(parameters(network), 49 * 64 + 64 * 64 + 4 * block + 128 + 650);
  EXPECT_EQ(network.parameters[kClientSide], 49 * 64 + 64 * 64 + block);
  // Products of a block: four projections of each of 64 tokens, and two of all pairs of tokens.
  const std::int64_t products = 64 * (64 * 192 + 64 * 64 + 64 * 128 + 128 * 64) + 2 * 64 * 64 * 64;
  EXPECT_EQ(multiply_adds(network, kClientSide), 64 * 64 * 48 + products);
  const std::vector<std::string> cuts = possible_cuts(model_layers("vit", 10));
  for (const char* name : {"patch", "position", "block1", "block4", "norm", "pool"}) {
    EXPECT_NE(std::find(cuts.begin(), cuts.end(), name), cuts.end()) << name;
    EXPECT_NO_THROW(network_of("vit", name, {1, 28, 28})) << name;
  }
  expect_error([] { network_of("vit", "block1.attention", {1, 28, 28}); }, "a skip connection leads past it");
}

TEST(SequenceModels, WhatDoesNotDivideIsNamed) {
  expect_error(
      [] {
        network_of("vit", "block1", {1, 28, 30});
      },
      "'patch' cuts patches of 4, which do not divide its input of 1 x 28 x 30");
  ModelSettings settings;
  settings.name = "vit";
  settings.cut = "block1";
  settings.width = 18;
  expect_error(
      [&] {
        build_network(model_layers(settings, 10), "block1", {1, 28, 28}, 10);
      },
      "'block1.attention' has 4 heads, which do not divide its 18 channels");
  const auto with_heads = [](std::int32_t channels, std::int32_t heads) {
    build_network({layer::conv("qkv", channels, 1, 1, 0), attention_of(heads), layer::linear("fc", 2)}, "qkv",
                  {1, 2, 2}, 2);
  };
  EXPECT_NO_THROW(with_heads(12, 2));
  expect_error([&] { with_heads(10, 1); }, "'attention' reads 10 channels; allowed: a multiple of 3");
  expect_error([&] { with_heads(12, 3); }, "3 heads, which do not divide its 4 channels");
  expect_error(
      [] {
        build_network({layer::conv("a", 4, 1, 1, 0), layer::max_pool("b", 2, 2), layer::concat("c", "b", "a"),
                       layer::linear("fc", 2)},
                      "a", {1, 4, 4}, 2);
      },
      "'c' joins 4 x 2 x 2 and 'a' of 4 x 4 x 4");
}

TEST(SequenceModels, KindsMayBeListed) {
  const auto listed = [](const std::string& layers) {
    return parse_config("", "", {"model.name=layers", "model.cut=embedding1", "model.layers=[" + layers + "]"});
  };
  const Config config = listed(
      "{ kind = 'embedding', out = 8 }, { kind = 'position' }, { kind = 'conv', out = 24, kernel = 1 }, "
      "{ kind = 'attention', heads = 2 }, { kind = 'channel_norm' }, { kind = 'global_max_pool' }, { kind = 'linear' "
      "}");
  const Network network = build_network(model_layers(config.model, 5), "embedding1", {1, 1, 6}, 5, of_tokens());
  EXPECT_EQ(network.layers[3].out, (FeatureShape{8, 1, 6}));
  const std::string written = to_toml(config);
  EXPECT_NE(written.find("kind = \"embedding\", out = 8 }"), std::string::npos);
  EXPECT_NE(written.find("heads = 2"), std::string::npos);
  EXPECT_EQ(parse_config(written, "", {}).model.layers, config.model.layers);
  EXPECT_EQ(listed("{ kind = 'embedding', out = 8, vocabulary = 70 }").model.layers[0].vocabulary, 70);
  EXPECT_TRUE(listed("{ kind = 'conv', out = 8, kernel = 2, stride = 2, tiles = true }").model.layers[0].tiles);
  expect_error([&] { listed("{ kind = 'embedding' }"); }, "model.layers.out: an embedding needs its dimensions");
  expect_error([&] { listed("{ kind = 'attention', heads = 0 }"); },
               "model.layers.heads = 0: allowed: an integer in [1");
  expect_error([&] { listed("{ kind = 'concat' }"); }, "model.layers.kind");
}

}  // namespace
}  // namespace splitsim

// Buffer plans, run on integers: every layer must find what it reads, and every gradient must be the chain rule's.
#include "runtime/model/buffer_plan.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>
#include <set>

#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"

namespace splitsim {
namespace {

bool is(const LayerSpec& spec, const char* kind) { return spec.kind->name == kind; }

bool reads_output_backward(const LayerSpec& spec) {
  return is(spec, "relu") || is(spec, "relu6") || is(spec, "tanh") || is(spec, "sigmoid") || is(spec, "attention");
}
bool reads_input_backward(const LayerSpec& spec) {
  if (is(spec, "attention")) return true;
  return !reads_output_backward(spec) && !is(spec, "add") && !is(spec, "scale") && !is(spec, "dropout") &&
         !is(spec, "max_pool") && !is(spec, "position") && !is(spec, "concat") && !is(spec, "global_max_pool");
}

/// Runs the forward part: a buffer holds the index of the layer whose output it is.
void run_forward(const Network& network, const BufferPlan& plan, std::map<int, int>& held) {
  held[-1] = -1;
  for (int i = 0; i < static_cast<int>(network.layers.size()); ++i) {
    const Layer& layer = network.layers[i];
    const auto buffer_of = [&](int j) { return j < 0 ? -1 : plan.activation[j]; };
    ASSERT_EQ(held[buffer_of(layer.input)], layer.input) << layer.spec.name << " reads a buffer that was reused";
    if (layer.other >= 0) {
      ASSERT_EQ(held[buffer_of(layer.other)], layer.other) << layer.spec.name;
      ASSERT_NE(plan.activation[i], buffer_of(layer.other)) << layer.spec.name << " would add itself";
    }
    if (plan.activation[i] >= 0) {
      ASSERT_GE(plan.activation_floats[plan.activation[i]], layer.out.size());
    }
    held[plan.activation[i]] = i;
  }
}

/// Every layer as a multiplication by a number of its own, in integers modulo 2^64: runs the plan and compares each
/// gradient with that of the chain rule when it is used.
void run_backward(const Network& network, const BufferPlan& plan, int first_trained) {
  const int last = static_cast<int>(network.layers.size()) - 1;
  const auto factor = [](int layer, bool second = false) {
    return std::uint64_t{2} * static_cast<std::uint64_t>(layer) + (second ? 4 : 3);
  };
  std::map<int, std::uint64_t> expected;
  expected[last] = 1;
  for (int i = last; i >= 0; --i) {
    const Layer& layer = network.layers[i];
    const bool add = is(layer.spec, "add");
    expected[layer.input] += expected[i] * (add ? 1 : factor(i));
    if (add) expected[layer.other] += expected[i];
    if (is(layer.spec, "concat")) expected[layer.other] += expected[i] * factor(i, true);
  }
  std::map<int, std::uint64_t> held = {{plan.output_gradient, 1}};
  std::set<std::pair<int, bool>> done;
  for (const BackwardOp& op : plan.backward) {
    const Layer& layer = network.layers[op.layer];
    ASSERT_TRUE(held.count(op.from)) << layer.spec.name;
    ASSERT_GE(plan.gradient_floats[op.from], layer.out.size());
    switch (op.kind) {
      case BackwardOp::Kind::kCutScale:
        EXPECT_EQ(op.layer + 1, static_cast<int>(network.client_layers));
        EXPECT_EQ(held[op.from], expected[op.layer]) << layer.spec.name << " is scaled before its gradient is whole";
        break;
      case BackwardOp::Kind::kCopy:
        ASSERT_NE(op.from, op.to);
        held[op.to] = held[op.from];
        break;
      case BackwardOp::Kind::kAccumulate:
        ASSERT_NE(op.from, op.to);
        held[op.to] += held[op.from];
        break;
      case BackwardOp::Kind::kLayer:
        EXPECT_TRUE(done.insert({op.layer, op.second}).second) << layer.spec.name << " twice";
        EXPECT_EQ(held[op.from], expected[op.layer]) << layer.spec.name << " before its gradient is whole";
        if (op.to < 0) break;
        ASSERT_GE(plan.gradient_floats[op.to], (op.second ? layer.other_in : layer.in).size());
        held[op.to] = held[op.from] * factor(op.layer, op.second);
        break;
    }
  }
  for (int i = first_trained; i <= last; ++i) {
    const bool needed = network.layers[i].has_parameters() || network.layers[i].input >= first_trained;
    if (!is(network.layers[i].spec, "add") && expected[i] != 0 && needed) {
      EXPECT_TRUE(done.count({i, false})) << network.layers[i].spec.name << " was left out";
      EXPECT_EQ(done.count({i, true}) == 1, is(network.layers[i].spec, "concat")) << network.layers[i].spec.name;
    }
  }
}

int first_trained_of(const Network& network) {
  int first = 0;
  while (!network.layers[first].has_parameters()) ++first;
  return first;
}

void check(const Network& network) {
  const int first = first_trained_of(network);
  for (const bool training : {true, false}) {
    const BufferPlan plan = plan_buffers(network, training, static_cast<std::size_t>(first));
    std::map<int, int> held;
    run_forward(network, plan, held);
    if (!training) continue;
    // What the backward pass reads must still be there.
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const Layer& layer = network.layers[i];
      if (reads_input_backward(layer.spec) && layer.input >= 0) {
        EXPECT_EQ(held[plan.activation[layer.input]], layer.input) << layer.spec.name;
      }
      if (reads_output_backward(layer.spec)) {
        // Its output may only have been changed in a way that keeps signs: not at all.
        EXPECT_EQ(held[plan.activation[i]], static_cast<int>(i)) << layer.spec.name;
      }
    }
    run_backward(network, plan, first);
  }
}

TEST(BufferPlan, EveryModelFindsWhatItReads) {
  for (const ModelInfo& info : model_infos()) {
    if (info.name == "layers") continue;
    const bool gpsl = info.name == "resnet18_gpsl";
    const std::vector<LayerSpec> layers = model_layers(info.name, 10);
    for (const std::string& cut : gpsl ? std::vector<std::string>{"layer1"} : possible_cuts(layers)) {
      for (const NormKind norm : {NormKind::kGroup, NormKind::kNone}) {
        SCOPED_TRACE(info.name + " " + cut);
        NetworkOptions options;
        options.norm[0] = options.norm[1] = norm;
        options.vocabulary = 50;
        if (norm == NormKind::kNone && cut == "norm1") continue;
        const FeatureShape input = info.name == "har_cnn"    ? FeatureShape{9, 1, 64}
                                   : info.name == "text_cnn" ? FeatureShape{1, 1, 20}
                                                             : FeatureShape{3, 32, 32};
        check(build_network(layers, cut, input, 10, options));
      }
    }
  }
}

// Random skips and joints, among them an add of a layer to itself, relus behind relus, and layers that nobody reads.
TEST(BufferPlan, RandomGraphsFindWhatTheyRead) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<LayerSpec> layers = {layer::conv("l0", 4, 3, 1, 1)};
    const int count = 3 + static_cast<int>(random() % 12);
    for (int i = 1; i < count; ++i) {
      const std::string name = fmt::format("l{}", i);
      const auto any = [&] { return fmt::format("l{}", random() % static_cast<unsigned>(i)); };
      switch (random() % 6) {
        case 0:
          layers.push_back(layer::conv(name, 4, 3, 1, 1));
          break;
        case 1:
          layers.push_back(layer::relu(name));
          break;
        case 2:
          layers.push_back(layer::scale(name, 2.0f));
          break;
        case 3: {
          const std::string input = any(), other = any();
          layers.push_back(layer::concat("c" + name, input, other));
          layers.push_back(layer::conv(name, 4, 3, 1, 1));
          continue;  // it reads the joined channels
        }
        default: {
          const std::string input = any(), other = any();
          if (input == other && random() % 2 == 0) {
            layers.push_back(layer::norm(name));
          } else {
            layers.push_back(layer::add(name, fmt::format("l{}", i - 1), other));
          }
          break;
        }
      }
      if (random() % 4 == 0 && !is(layers.back(), "add")) layers.back().input = any();
    }
    layers.push_back(layer::global_avg_pool("pool"));
    layers.push_back(layer::linear("fc", 10));
    SCOPED_TRACE("round " + std::to_string(round));
    bool self = false;
    for (const LayerSpec& spec : layers) self = self || (is(spec, "add") && spec.input == spec.other);
    if (self) continue;  // x + x is a scale; the forward check above would call it an add of itself
    check(build_network(layers, "pool", {3, 8, 8}, 10));
  }
}

// Nobody wants the gradient of the network's input, but the layer's own.
TEST(BufferPlan, WhatTrainsInPlaceMayComeFirst) {
  for (const char* after : {"relu", "channel_norm"}) {
    check(build_network({layer::plain("position", "position"), layer::plain(after, "next"), layer::linear("fc", 10)},
                        "position", {3, 4, 4}, 10));
  }
}

TEST(BufferPlan, ChainsKeepTwoGradientsAndEvaluationFewActivations) {
  const Network lenet = build_network(model_layers("lenet", 10), "pool1", {1, 28, 28}, 10);
  const BufferPlan plan = plan_buffers(lenet, true, 0);
  EXPECT_EQ(plan.gradient_floats.size(), 2u);
  EXPECT_EQ(plan.activation[1], plan.activation[0]);  // ReLU in place
  const Network resnet = build_network(model_layers("resnet18", 10), "layer1", {3, 32, 32}, 10);
  const auto total = [](const std::vector<std::int64_t>& floats) {
    return std::accumulate(floats.begin(), floats.end(), std::int64_t{0});
  };
  EXPECT_LE(plan_buffers(resnet, true, 0).gradient_floats.size(), 3u);
  EXPECT_LT(5 * total(plan_buffers(resnet, false, 0).activation_floats),
            total(plan_buffers(resnet, true, 0).activation_floats));
}

}  // namespace
}  // namespace splitsim

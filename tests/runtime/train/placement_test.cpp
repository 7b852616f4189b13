// Where parameters lie on a backend: what leaves an engine is in PyTorch's order, whatever the layout.
#include "runtime/train/placement.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::random_input;
using test::Rig;
using test::RigInput;

RigInput input_of(const std::string& model, const std::string& cut, NormKind norm) {
  RigInput in = random_input(3, 1, 8, 5);
  in.model = model;
  in.cut = cut;
  in.width = model == "resnet18" ? 8 : 0;
  in.options.norm[0] = in.options.norm[1] = norm;
  return in;
}

std::vector<float> counted(std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 1.0f);
  return values;
}

TEST(Placement, ChannelsFirstIsTheNetworksOrder) {
  const Network network = test::network_of(input_of("lenet", "pool1", NormKind::kNone));
  const Placement placement(network, Layout::kChannelsFirst);
  for (int side = 0; side < 2; ++side) {
    EXPECT_EQ(placement.trained(side), network.parameters[side]);
    EXPECT_EQ(placement.size(side), network.replica_size(side));
    const std::vector<float> values = counted(3 * network.replica_size(side));
    EXPECT_EQ(placement.placed(side, true, values), values);
  }
}

// Every value is where its tensor, channel and pixel say, tensors begin at multiples of 128 bytes, and there are zeros
// between them; the way back gives what came in.
TEST(Placement, ChannelsLastTurnsAndAlignsEveryTensor) {
  for (const auto& [model, cut, norm] :
       {std::tuple{"lenet", "pool1", NormKind::kNone}, {"resnet18", "layer1", NormKind::kBatch}}) {
    const Network network = test::network_of(input_of(model, cut, norm));
    const Placement placement(network, Layout::kChannelsLast);
    for (int side = 0; side < 2; ++side) {
      const std::int64_t size = network.replica_size(side), stride = placement.size(side);
      EXPECT_EQ(placement.trained(side) % 32, 0);
      EXPECT_EQ(stride % 32, 0);
      const std::vector<float> values = counted(2 * size), placed = placement.placed(side, true, values);
      ASSERT_EQ(static_cast<std::int64_t>(placed.size()), 2 * stride);
      EXPECT_EQ(placement.in_order(side, true, placed), values);
      std::vector<float> expected(placed.size());
      for (std::size_t i = 0; i < network.layers.size(); ++i) {
        if (network.side(i) != side) continue;
        const Layer& layer = network.layers[i];
        for (std::size_t t = 0; t < layer.tensors.size(); ++t) {
          const LayerTensor& tensor = layer.tensors[t];
          const std::int64_t at = placement.offset(i, t);
          EXPECT_EQ(at % 32, 0);
          EXPECT_EQ(at < placement.trained(side), tensor.trained);
          // As the shapes say: a convolution's [out, in, kernel], a linear layer's [out, channels * pixels] behind maps.
          std::int64_t channels = 1, pixels = tensor.size();
          if (layer.spec.kind->name == "conv" && tensor.name == "weight") {
            channels = tensor.shape[1], pixels = tensor.shape[2] * tensor.shape[3];
          } else if (layer.spec.kind->name == "linear" && tensor.name == "weight") {
            channels = layer.in.channels, pixels = tensor.shape[1] / channels;
          }
          for (std::int64_t g = 0; g < 2; ++g) {
            for (std::int64_t e = 0; e < tensor.size(); ++e) {
              const std::int64_t r = e / (channels * pixels), c = e / pixels % channels, p = e % pixels;
              expected[static_cast<std::size_t>(g * stride + at + (r * pixels + p) * channels + c)] =
                  values[static_cast<std::size_t>(g * size + tensor.offset + e)];
            }
          }
        }
      }
      EXPECT_EQ(placed, expected);
      const std::vector<float> trained = counted(network.parameters[side]);
      EXPECT_EQ(placement.in_order(side, false, placement.placed(side, false, trained)), trained);
    }
  }
}

template <class B>
class EngineLayout : public test::OnBackend<B> {};
TYPED_TEST_SUITE(EngineLayout, test::Backends);

// Initial weights, and a state that is taken out and put back.
TYPED_TEST(EngineLayout, WhatLeavesAnEngineIsInTheNetworksOrder) {
  RigInput in = input_of("resnet18", "layer1", NormKind::kBatch);
  in.train.mode = "psl_local";
  in.train.client_optimizer.kind = in.train.server_optimizer.kind = "adam";
  in.layout = TypeParam::kLayout;
  Rig<typename TypeParam::Context> rig(this->ctx(), in);
  const TrainingState first = rig.engine.download();
  for (int side = 0; side < 2; ++side) {
    const std::vector<float> one = initial_parameters(rig.network, side, in.seed);
    std::vector<float> all;
    for (std::int64_t g = 0; g < rig.engine.replicas(side); ++g) all.insert(all.end(), one.begin(), one.end());
    EXPECT_EQ(first.parameters[side], all);
  }
  rig.run_epoch();
  const TrainingState trained = rig.engine.download();
  EXPECT_NE(trained.parameters[1], first.parameters[1]);
  Rig<typename TypeParam::Context> other(this->ctx(), in);
  other.engine.upload(trained);
  const TrainingState again = other.engine.download();
  for (int side = 0; side < 2; ++side) {
    EXPECT_EQ(again.parameters[side], trained.parameters[side]);
    for (int moment = 0; moment < 2; ++moment) EXPECT_EQ(again.moments[side][moment], trained.moments[side][moment]);
    EXPECT_EQ(again.taken[side], trained.taken[side]);
  }
}

}  // namespace
}  // namespace splitsim

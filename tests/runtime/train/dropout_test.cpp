// Dropout through the engine and the evaluator: the kernel has its own tests (tests/kernels/nn/dropout_test.cpp), here
// the right samples, layer and epoch must reach it, in training and in no evaluation. Rates of 0 keep weights where
// they are, so that losses of different steps can be compared.
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <optional>

#include "kernels/device/philox.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::random_input;
using test::Rig;
using test::RigInput;

constexpr std::int32_t kClients = 5, kSamples = 48;

LayerSpec dropout_layer(double p) { return {.kind = &layer_kind("dropout"), .name = "", .probability = p}; }

/// A schedule without its active lists.
Schedule steps_of(std::vector<std::int32_t> sample, std::vector<std::int32_t> client, std::vector<std::int32_t> first) {
  Schedule schedule;
  schedule.sample = std::move(sample);
  schedule.client = std::move(client);
  schedule.step_first = std::move(first);
  return schedule;
}

/// A convolution and two linear layers with dropout on both sides of the cut; no p: without dropout layers.
RigInput input(std::optional<double> p, std::uint64_t seed = 3) {
  RigInput in = random_input(kClients, 3, kSamples / 3, seed);
  in.model = "layers";
  in.cut = "relu1";
  in.layers = {layer::conv("", 4, 5, 3, 1)};
  if (p) in.layers.push_back(dropout_layer(*p));
  in.layers.insert(in.layers.end(), {layer::relu(""), layer::linear("", 16), layer::relu("")});
  if (p) in.layers.push_back(dropout_layer(*p));
  in.layers.push_back(layer::linear("", 0));
  return in;
}

RigInput without_learning(RigInput in) {
  for (OptimizerSettings* side : {&in.train.client_optimizer, &in.train.server_optimizer}) {
    side->lr = 0.0;
    side->weight_decay = 0.0;
  }
  return in;
}

/// Batches of `size` of all samples in the order of 29 i + 7 mod 48, with other owners than the original's.
Schedule reordered(std::int32_t size) {
  Schedule schedule;
  schedule.step_first = {0};
  for (std::int32_t first = 0; first < kSamples; first += size) {
    for (std::int32_t i = first; i < first + size; ++i) {
      schedule.sample.push_back((29 * i + 7) % kSamples);
      schedule.client.push_back((i - first) * kClients / size);  // ascending within the step
    }
    schedule.step_first.push_back(first + size);
  }
  return schedule;
}

/// Gradients of both sides, summed over the ranks of a step.
template <class Context>
std::vector<double> gradients(Rig<Context>& rig, std::int32_t active) {
  std::vector<double> joined;
  for (int side = 0; side < 2; ++side) {
    const auto size = static_cast<std::size_t>(rig.network.parameters[side]);
    const std::vector<float> ranks = rig.gradients(side);
    std::vector<double> sum(size);
    const std::size_t used = rig.engine.replicas(side) == 1 ? 1 : static_cast<std::size_t>(active);
    for (std::size_t i = 0; i < used * size; ++i) sum[i % size] += ranks[i];
    joined.insert(joined.end(), sum.begin(), sum.end());
  }
  return joined;
}

template <class Context>
class DropoutTraining : public test::OnContext<Context> {
 protected:
  TrainingState trained(const RigInput& in) { return test::after_two_epochs(this->ctx(), in); }
  static void expect_same(const TrainingState& a, const TrainingState& b, bool same = true) {
    for (int side = 0; side < 2; ++side) EXPECT_EQ(a.parameters[side] == b.parameters[side], same) << "side " << side;
  }
  /// Losses of the schedule's steps; micro-steps, where clients take turns, join their step.
  static std::vector<double> losses(const Rig<Context>& rig, const std::vector<StepMetrics>& metrics) {
    std::vector<double> loss, batch;
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      const auto t = static_cast<std::size_t>(rig.dealt_schedule().parent_of(m));
      loss.resize(std::max(loss.size(), t + 1));
      batch.resize(loss.size());
      loss[t] += metrics[m].loss * metrics[m].batch;
      batch[t] += metrics[m].batch;
    }
    for (std::size_t t = 0; t < loss.size(); ++t) loss[t] /= batch[t];
    return loss;
  }
};
TYPED_TEST_SUITE(DropoutTraining, test::Contexts);

TYPED_TEST(DropoutTraining, ChangesWhatIsLearnedAndOnlyThroughItsProbability) {
  for (const char* mode : {"psl", "psl_local", "sflv1"}) {
    RigInput none = input(std::nullopt), never = input(0.0), half = input(0.5), more = input(0.6);
    for (RigInput* in : {&none, &never, &half, &more}) in->train.mode = mode;
    const TrainingState plain = this->trained(none), dropped = this->trained(half);
    this->expect_same(plain, this->trained(never));  // p = 0 drops nothing and multiplies by 1
    this->expect_same(plain, dropped, false);
    this->expect_same(dropped, this->trained(more), false);
    this->expect_same(dropped, this->trained(half));  // equal runs give equal bits
  }
}

TYPED_TEST(DropoutTraining, ContinuesFromASavedStateWithTheSameBits) {
  const RigInput in = input(0.5);
  Rig<TypeParam> first(this->ctx(), in), second(this->ctx(), in);
  first.run_epoch();
  second.engine.upload(first.engine.download());
  second.run_epoch(1);
  this->expect_same(this->trained(in), second.engine.download());
}

// Two layers drop pixels, one on either side. A sample's gradient of the linear layer behind them is the gradient of
// the logits times what they leave, so that its columns of zeros are the masks: no normalised pixel is 0.
TYPED_TEST(DropoutTraining, TheMaskIsThatOfSampleLayerAndEpoch) {
  RigInput in = random_input(3, 2, 2, 17);
  in.schedule = steps_of({3, 0}, {1, 1}, {0, 1, 2});  // one sample a step
  in.model = "layers";
  in.cut = "dropout1";
  in.layers = {dropout_layer(0.25), dropout_layer(0.25), layer::linear("", 0)};
  in = without_learning(in);
  Rig<TypeParam> rig(this->ctx(), in);
  const std::int64_t pixels = in.input.size();
  for (const std::uint32_t epoch : {0u, 1u}) {
    if (epoch > 0) rig.engine.begin_epoch(1, 2);
    for (std::int64_t t = 0; t < 2; ++t) {
      rig.run(t, t + 1);
      const std::vector<float> weights = rig.gradients(kServerSide);
      const auto sample = static_cast<std::uint32_t>(in.schedule.sample[static_cast<std::size_t>(t)]);
      const auto dropped = [&](std::int64_t i, std::uint32_t layer) {
        const Bits128 bits =
            random_bits(in.seed, {Purpose::kDropout, sample, layer, epoch, static_cast<std::uint32_t>(i / 4)});
        return (i % 4 == 0 ? bits.x : i % 4 == 1 ? bits.y : i % 4 == 2 ? bits.z : bits.w) < 0x40000000u;
      };
      for (std::int64_t i = 0; i < pixels; ++i) {
        const bool expected = dropped(i, 0) || dropped(i, 1);
        for (std::int64_t c = 0; c < 10; ++c) {
          ASSERT_EQ(weights[static_cast<std::size_t>(c * pixels + i)] == 0.0f, expected)
              << "epoch " << epoch << ", sample " << sample << ", pixel " << i << ", class " << c;
        }
      }
    }
  }
}

// Between two linear layers, for one sample: the bias of the second has the gradient d of the logits, that of the first
// has W2' d through the mask, and both passes multiply what is left by 1 / (1 - p) = 2.
TYPED_TEST(DropoutTraining, TheGradientPassesWhereTheFeatureDid) {
  constexpr std::int64_t kHidden = 64, kClasses = 10;
  RigInput in = random_input(1, 1, 2, 19);
  in.schedule = steps_of({1}, {0}, {0, 1});
  in.model = "layers";
  in.cut = "linear1";
  in.layers = {layer::linear("", kHidden), dropout_layer(0.5), layer::linear("", 0)};
  in = without_learning(in);
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run(0, 1);
  const std::vector<float> client = rig.gradients(kClientSide), server = rig.gradients(kServerSide);
  const std::vector<float> w1 = initial_parameters(rig.network, kClientSide, in.seed),
                           w2 = initial_parameters(rig.network, kServerSide, in.seed);
  const std::int64_t pixels = in.input.size();
  int passed = 0;
  for (std::int64_t j = 0; j < kHidden; ++j) {
    const Bits128 bits = random_bits(in.seed, {Purpose::kDropout, 1, 1, 0, static_cast<std::uint32_t>(j / 4)});
    const bool dropped = (j % 4 == 0 ? bits.x : j % 4 == 1 ? bits.y : j % 4 == 2 ? bits.z : bits.w) < 0x80000000u;
    const double scale = dropped ? 0.0 : 2.0;
    passed += dropped ? 0 : 1;
    double hidden = w1[static_cast<std::size_t>(kHidden * pixels + j)], back = 0.0, back_size = 0.0;
    for (std::int64_t i = 0; i < pixels; ++i) {
      const double pixel = (in.images[static_cast<std::size_t>(pixels + i)] / 255.0 - 0.5) * 4.0;
      hidden += w1[static_cast<std::size_t>(j * pixels + i)] * pixel;
    }
    for (std::int64_t c = 0; c < kClasses; ++c) {
      const double d = server[static_cast<std::size_t>(kClasses * kHidden + c)];
      const double part = d * w2[static_cast<std::size_t>(c * kHidden + j)];
      back += part;
      back_size += std::abs(part);
      // 784 products of numbers up to 2 / 28, each rounded in some order: 784 roundings of their sum of sizes.
      ASSERT_NEAR(server[static_cast<std::size_t>(c * kHidden + j)], d * hidden * scale,
                  std::abs(d) * scale * 784.0 * std::ldexp(784.0 * 2.0 / 28.0, -24))
          << j << " " << c;
    }
    ASSERT_NEAR(client[static_cast<std::size_t>(kHidden * pixels + j)], back * scale,
                scale * 16.0 * std::ldexp(back_size, -24))
        << j;
  }
  EXPECT_GT(passed, 16);
  EXPECT_LT(passed, 48);
}

TYPED_TEST(DropoutTraining, EveryEpochDrawsAnew) {
  for (const double p : {0.0, 0.5}) {
    Rig<TypeParam> rig(this->ctx(), without_learning(input(p)));
    const auto first = this->losses(rig, rig.run_epoch()), second = this->losses(rig, rig.run_epoch(1));
    for (std::size_t t = 0; t < first.size(); ++t) EXPECT_EQ(first[t] == second[t], p == 0.0) << t;
  }
}

// What a sample loses depends on no batch, place, client, step or mode: batches have the mean of their samples' losses
// and gradients, which are taken one at a time. Another mask would change a loss by percents. A loss is about 2.4, made
// of float32 logits; gradients of 16 samples, each of at most 81 positions of a map, add up in another order.
TYPED_TEST(DropoutTraining, FollowsTheSampleThroughBatchesClientsAndModes) {
  RigInput in = without_learning(input(0.5));
  std::vector<std::int32_t> numbers(kSamples + 1);
  std::iota(numbers.begin(), numbers.end(), 0);
  in.schedule = steps_of({numbers.begin(), numbers.end() - 1}, std::vector<std::int32_t>(kSamples), numbers);
  std::vector<double> loss;
  std::vector<std::vector<double>> gradient;
  {
    Rig<TypeParam> alone(this->ctx(), in);
    for (std::int64_t s = 0; s < kSamples; ++s) {
      loss.push_back(alone.run(s, s + 1)[0].loss);
      gradient.push_back(gradients(alone, 1));
    }
  }
  for (const std::int32_t size : {16, 6}) {
    in.schedule = reordered(size);
    for (const char* mode : {"psl", "psl_local", "sflv1", "sflv2", "sflv3", "sl", "central"}) {
      SCOPED_TRACE(std::string(mode) + " in batches of " + std::to_string(size));
      in.train.mode = mode;
      Rig<TypeParam> rig(this->ctx(), in);
      const bool joint = in.train.mode == "psl" || in.train.mode == "psl_local" || in.train.mode == "central";
      if (joint) {
        const StepMetrics step = rig.run(0, 1)[0];
        const std::vector<double> sum = gradients(rig, step.active);
        double largest = 0.0;
        for (const double g : sum) largest = std::max(largest, std::abs(g));
        for (std::size_t i = 0; i < sum.size(); ++i) {
          double expected = 0.0;
          for (std::int32_t s = 0; s < size; ++s) {
            expected += gradient[static_cast<std::size_t>(in.schedule.sample[static_cast<std::size_t>(s)])][i] / size;
          }
          ASSERT_NEAR(sum[i], expected, 16 * 81 * std::ldexp(largest, -24)) << "parameter " << i;
        }
      }
      rig.run(joint ? 1 : 0, rig.dealt_schedule().schedule.steps());
      const View<const StepMetrics> all = rig.engine.metrics();
      const auto steps = static_cast<std::size_t>(rig.dealt_schedule().schedule.steps());
      const std::vector<double> found = this->losses(rig, {all.begin(), all.begin() + steps});
      ASSERT_EQ(found.size(), static_cast<std::size_t>(kSamples / size));
      for (std::size_t t = 0; t < found.size(); ++t) {
        double expected = 0.0;
        for (std::int32_t i = in.schedule.step_first[t]; i < in.schedule.step_first[t + 1]; ++i) {
          const auto sample = static_cast<std::size_t>(in.schedule.sample[static_cast<std::size_t>(i)]);
          expected += loss[sample] / size;
        }
        EXPECT_NEAR(found[t], expected, 16 * std::ldexp(2.5, -22)) << "step " << t;
      }
    }
  }
}

TYPED_TEST(DropoutTraining, EvaluationDropsNothing) {
  RigInput in = input(0.9);
  in.train.mode = "psl_local";
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run_epoch();
  const Network plain = test::network_of(input(std::nullopt));
  ASSERT_EQ(plain.replica_size(0), rig.network.replica_size(0));
  ASSERT_LT(plain.layers.size(), rig.network.layers.size());
  const DeviceImages<TypeParam> images(this->ctx(), in.images, in.labels);
  const GatherShape gather{1, 28, 28, 0, false};
  const View<const float> parameters[2] = {rig.engine.parameters(0), rig.engine.parameters(1)};
  const std::int64_t replicas[2] = {rig.engine.replicas(0), rig.engine.replicas(1)};
  std::vector<Evaluation> results;
  for (const Network* network : {&rig.network, &plain, &rig.network}) {
    Evaluator<TypeParam> evaluator(this->ctx(), *network,
                                   {7, {images.count(), 0}, {{0.5, 0.2, 0.1, 0.1, 0.1}, {0.5, 0.2, 0.1, 0.1, 0.1}}});
    evaluator.start(images, gather, test::rig_source(images));
    results.push_back(evaluator.evaluate(parameters, replicas)[0]);
    EXPECT_EQ(std::accumulate(results.back().confusion.begin(), results.back().confusion.end(), 0), kSamples);
  }
  for (const Evaluation& other : results) {
    EXPECT_EQ(results[0].loss, other.loss);
    EXPECT_EQ(results[0].confusion, other.confusion);
  }
  // Training on all samples has another loss with the same weights.
  RigInput still = without_learning(input(0.9));
  still.schedule = reordered(16);
  Rig<TypeParam> trains(this->ctx(), still);
  const TrainingState start = trains.engine.download();
  const std::vector<double> steps = this->losses(trains, trains.run_epoch());
  Evaluator<TypeParam> evaluator(this->ctx(), trains.network, {48, {images.count(), 0}});
  evaluator.start(images, gather, test::rig_source(images));
  const View<const float> initial[2] = {trains.engine.parameters(0), trains.engine.parameters(1)};
  const double evaluated = evaluator.evaluate(initial, {1, 1})[0].loss;
  EXPECT_GT(std::abs(std::accumulate(steps.begin(), steps.end(), 0.0) / 3.0 - evaluated), 0.01);
}

}  // namespace
}  // namespace splitsim

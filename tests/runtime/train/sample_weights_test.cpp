// Losses and weights of samples in training: what they reduce to, whom they move, and what a checkpoint keeps of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/error.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/train/class_weights.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::narrow_input;
using test::Rig;
using test::RigInput;

TEST(ClassWeights, AreTheFormulas) {
  using Counts = std::vector<std::int64_t>;
  const auto expect = [](const Counts& counts, double balance, const std::vector<double>& expected) {
    const std::vector<float> weights = class_balanced_weights(counts, balance);
    ASSERT_EQ(weights.size(), expected.size());
    for (std::size_t c = 0; c < weights.size(); ++c) {
      EXPECT_NEAR(weights[c], expected[c], 0x1p-23 * expected[c]) << "b = " << balance << ", class " << c;
    }
  };
  // By hand: (1 - b) / (1 - b^n) over its mean over the three classes that occur.
  expect({1, 2, 0, 4}, 1.0, {12.0 / 7.0, 6.0 / 7.0, 0.0, 3.0 / 7.0});
  expect({1, 2, 0, 4}, 0.5, {15.0 / 11.0, 10.0 / 11.0, 0.0, 8.0 / 11.0});
  expect({1, 2, 0, 4}, 0.0, {1.0, 1.0, 0.0, 1.0});
  expect({0, 0}, 0.9, {0.0, 0.0});
  expect({}, 0.9, {});
  // So near to 1 that a float knows no b^n: as 1 / n.
  expect({10, 1000}, 1.0 - 0x1p-53, {2.0 / 1.01, 0.02 / 1.01});
  // Classes so large that b^n is 0: all alike.
  expect({1000000000, 2000000000}, 0.9999, {1.0, 1.0});
  EXPECT_EQ(class_balanced_weights(Counts(7, 123), 0.9999), std::vector<float>(7, 1.0f));
}

template <class Context>
class SampleWeightsTest : public test::OnContext<Context> {
 protected:
  using Change = std::function<void(TrainSettings&)>;
  static void nothing(TrainSettings&) {}
  static void absgd(TrainSettings& train) {
    train.weights = SampleWeights::kAbsgd;
    train.absgd_lambda = 0.1;
    train.absgd_momentum = 0.3;
  }
  static void balanced(TrainSettings& train) {
    train.weights = SampleWeights::kClassBalanced;
    train.balance = 0.9;
  }
  static RigInput input(const Change& change, const char* mode = "psl") {
    RigInput in = narrow_input(6, 4, 20, 71);
    in.train.mode = mode;
    in.train.round = 2;
    change(in.train);
    return in;
  }
  TrainingState trained(const RigInput& in) { return test::after_two_epochs(this->ctx(), in); }
  static void expect_same(const TrainingState& a, const TrainingState& b) {
    for (int side = 0; side < 2; ++side) {
      EXPECT_EQ(a.parameters[side], b.parameters[side]);
      EXPECT_EQ(a.moments[side][0], b.moments[side][0]);
    }
    EXPECT_EQ(a.kept, b.kept);
  }
  static double distance(const TrainingState& a, const TrainingState& b) {
    double most = 0.0;
    for (int side = 0; side < 2; ++side) {
      for (std::size_t i = 0; i < a.parameters[side].size(); ++i) {
        most = std::max(most, std::abs(double{a.parameters[side][i]} - double{b.parameters[side][i]}));
      }
    }
    return most;
  }
};
TYPED_TEST_SUITE(SampleWeightsTest, test::Contexts);

TYPED_TEST(SampleWeightsTest, FocalLossOfExponentZeroIsTheCrossEntropy) {
  for (const char* mode : {"psl", "psl_local", "sflv1", "epsl"}) {
    const TrainingState plain = this->trained(this->input(this->nothing, mode));
    const auto focal = [&](double gamma) {
      return this->trained(this->input(
          [gamma](TrainSettings& train) {
            train.loss = LossKind::kFocal;
            train.focal_gamma = gamma;
          },
          mode));
    };
    this->expect_same(focal(0.0), plain);
    EXPECT_GT(this->distance(focal(2.0), plain), 1e-4) << mode;
  }
}

TYPED_TEST(SampleWeightsTest, ClassesOfOneSizeWeighTheSame) {
  for (const char* mode : {"psl", "sflv1", "sl"}) {
    RigInput in = this->input(this->balanced, mode);
    for (std::size_t s = 0; s < in.labels.size(); ++s) in.labels[s] = static_cast<std::int32_t>(s % 10);
    ASSERT_EQ(in.labels.size() % 10, 0u);
    const TrainingState weighted = this->trained(in);
    in.train.weights = SampleWeights::kNone;
    this->expect_same(weighted, this->trained(in));
  }
}

// A step of one sample: its gradients are those without weights, times its class's weight.
TYPED_TEST(SampleWeightsTest, AClassWeighsWhatItsSamplesSay) {
  RigInput in = this->input(this->balanced);
  std::vector<std::int64_t> counts = test::class_counts_of(in);
  const std::vector<float> weights = class_balanced_weights(counts, in.train.balance);
  for (const std::int32_t sample : {0, 1, 2, 3}) {
    in.schedule.sample = {sample};
    in.schedule.client = {1};
    in.schedule.step_first = {0, 1};
    in.train.weights = SampleWeights::kClassBalanced;
    Rig<TypeParam> weighted(this->ctx(), in);
    in.train.weights = SampleWeights::kNone;
    Rig<TypeParam> plain(this->ctx(), in);
    EXPECT_EQ(weighted.run(0, 1)[0].loss, plain.run(0, 1)[0].loss);  // recorded as it is
    const double w = weights[static_cast<std::size_t>(in.labels[static_cast<std::size_t>(sample)])];
    EXPECT_GT(std::abs(w - 1.0), 0.01);
    for (int side = 0; side < 2; ++side) {
      const std::vector<float> a = weighted.gradients(side), b = plain.gradients(side);
      double most = 0.0;
      for (const float v : b) most = std::max(most, std::abs(double{v}));
      // Sums of up to 64 terms in each of ten layers, each rounded once more.
      for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], w * b[i], 0x1p-24 * 800 * w * most) << i;
    }
  }
}

TYPED_TEST(SampleWeightsTest, AbsgdOfALargeLambdaWeighsAllAlike) {
  const auto huge = [](TrainSettings& train) {
    train.weights = SampleWeights::kAbsgd;
    train.absgd_lambda = 1e12;
  };
  for (const char* mode : {"psl", "psl_local", "sflv2", "cpsl", "epsl", "sl", "central"}) {
    const TrainingState plain = this->trained(this->input(this->nothing, mode));
    TrainingState alike = this->trained(this->input(huge, mode));
    EXPECT_EQ(alike.kept.size(), 3u);
    alike.kept.clear();
    this->expect_same(alike, plain);  // e^(1e-12) is 1 in float
    EXPECT_GT(this->distance(this->trained(this->input(this->absgd, mode)), plain), 1e-4) << mode;
  }
}

// Means over clients are of weighted gradients: they leave the sum of the output's rows, the last bias's gradient, alone.
TYPED_TEST(SampleWeightsTest, WeightsComeBeforeMeansOverClients) {
  const auto bias_gradient = [&](const char* mode) {
    Rig<TypeParam> rig(this->ctx(), this->input(this->absgd, mode));
    rig.run(0, 1);
    const std::vector<float> all = rig.gradients(kServerSide);
    return std::vector<float>(all.end() - rig.network.classes, all.end());
  };
  const std::vector<float> mixed = bias_gradient("epsl"), local = bias_gradient("psl_local");
  // Sums of up to 20 terms below 1.
  for (std::size_t c = 0; c < local.size(); ++c) EXPECT_NEAR(mixed[c], local[c], 40 * 0x1p-24);
  EXPECT_NE(mixed, local);  // rows have been mixed
}

// The recorded loss is of all samples alike; a mean over the weights would be another one.
TYPED_TEST(SampleWeightsTest, TheRecordedLossHasNoWeights) {
  Rig<TypeParam> plain(this->ctx(), this->input(this->nothing)), weighted(this->ctx(), this->input(this->absgd));
  EXPECT_EQ(plain.run(0, 1)[0].loss, weighted.run(0, 1)[0].loss);
}

TYPED_TEST(SampleWeightsTest, EmptyStepsChangeNothing) {
  RigInput in = this->input(this->absgd);
  in.train.round = 0;
  const TrainingState plain = this->trained(in);
  in.schedule = test::with_empty_steps(in.schedule, {1, 0, 2, 0, 1});
  this->expect_same(this->trained(in), plain);
  // Of a run that has seen nothing yet, u is not set.
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run(0, 1);
  EXPECT_EQ(rig.engine.download().kept, (std::vector<float>{0.0f, 0.0f, 0.0f}));
  rig.run(1, 2);
  EXPECT_EQ(rig.engine.download().kept[2], 1.0f);
}

TYPED_TEST(SampleWeightsTest, GoesOnFromASavedStateWithTheSameBits) {
  for (const char* mode : {"psl", "cpsl"}) {
    const RigInput in = this->input(this->absgd, mode);
    const TrainingState whole = this->trained(in);
    Rig<TypeParam> first(this->ctx(), in);
    first.run_epoch();
    TrainingState saved = first.engine.download();
    const auto resumed = [&] {
      Rig<TypeParam> second(this->ctx(), in);
      second.engine.upload(saved);
      second.run_epoch(1);
      return second.engine.download();
    };
    this->expect_same(resumed(), whole);
    saved.kept.assign(saved.kept.size(), 0.0f);
    EXPECT_NE(resumed().parameters[kServerSide], whole.parameters[kServerSide]) << "u does not matter here";
    saved.kept.clear();
    test::expect_input_error([&] { resumed(); }, "what steps remember");
  }
}

TYPED_TEST(SampleWeightsTest, StepsAllocateSynchroniseAndReadNothing) {
  Rig<TypeParam> rig(this->ctx(), this->input(this->absgd));
  rig.run(0, 1);
  const ContextCounters before = this->ctx().counters();
  for (int t = 1; t < 4; ++t) rig.engine.enqueue_step();
  const ContextCounters after = this->ctx().counters();
  EXPECT_EQ(before.allocations, after.allocations);
  EXPECT_EQ(before.synchronizations, after.synchronizations);
  EXPECT_EQ(before.host_reads, after.host_reads);
  this->ctx().synchronize();
}

TYPED_TEST(SampleWeightsTest, RefusesWhatMakesNoSense) {
  for (const ModeInfo& info : mode_infos()) {
    TrainSettings train;
    train.mode = info.name;
    const bool many = mode_map(train).part[kServerSide].many() || mode_map(train).local_loss;
    const RigInput in = this->input(this->absgd, info.name.c_str());
    if (many) {
      test::expect_input_error([&] { mode_map(in.train); }, "train.mode = \"" + info.name + "\"");
    } else {
      EXPECT_NO_THROW(mode_map(in.train)) << info.name;
    }
  }
  const RigInput in = this->input(this->balanced);
  const Network network = test::network_of(in);
  EngineSettings settings;
  settings.train = in.train;
  settings.clients = in.clients;
  settings.bounds = test::bounds_of(in.schedule, in.clients, 0);
  test::expect_input_error([&] { Engine<TypeParam>(this->ctx(), network, {settings}); }, "10 classes");
}

}  // namespace
}  // namespace splitsim

// Exact properties of the learning modes: what must be the same training is the same bits, or within a derived bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/modes.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::narrow_input;
using test::random_input;
using test::Rig;
using test::RigInput;

/// A small ResNet on random colour images.
RigInput resnet_input(std::int32_t clients, std::int64_t steps, std::int64_t batch, std::uint64_t seed) {
  RigInput in = random_input(clients, steps, batch, seed);
  in.model = "resnet18";
  in.cut = "layer1";
  in.width = 8;
  in.input = {3, 12, 12};  // fewer pixels per image than there are bytes
  in.train.client_optimizer.lr = in.train.server_optimizer.lr = 0.01;
  return in;
}

std::vector<float> joined(const TrainingState& state) {
  std::vector<float> all;
  for (int side = 0; side < 2; ++side) {
    all.insert(all.end(), state.parameters[side].begin(), state.parameters[side].end());
    for (const auto& moment : state.moments[side]) all.insert(all.end(), moment.begin(), moment.end());
  }
  return all;
}

double largest(const std::vector<float>& values) {
  double most = 0.0;
  for (const float v : values) most = std::max(most, std::abs(static_cast<double>(v)));
  return most;
}

template <class Context>
class ModeTest : public test::OnContext<Context> {
 protected:
  TrainingState trained(const RigInput& in, int epochs = 2) {
    Rig<Context> rig(this->ctx(), in);
    for (int epoch = 0; epoch < epochs; ++epoch) rig.run_epoch(epoch);
    return rig.engine.download();
  }
  static std::vector<float> replica(const TrainingState& state, const Network& network, int side, std::int64_t g) {
    const std::int64_t size = network.replica_size(side);
    const auto from = state.parameters[side].begin() + g * size;
    return {from, from + size};
  }
};
TYPED_TEST_SUITE(ModeTest, test::Contexts);

TYPED_TEST(ModeTest, PslEqualsCentralBitForBitInAResNet) {
  RigInput in = resnet_input(7, 3, 12, 11);
  const std::vector<float> psl = joined(this->trained(in));
  in.train.mode = "central";
  EXPECT_EQ(psl, joined(this->trained(in)));
}

// With a single client every mode is plain SGD: FedAvg of one model is that model.
TYPED_TEST(ModeTest, AllModesAreCentralWithOneClient) {
  for (const char* norm : {"group", "batch"}) {
    RigInput in = narrow_input(1, 3, 10, 5);
    in.options.norm[0] = in.options.norm[1] = std::string(norm) == "group" ? NormKind::kGroup : NormKind::kBatch;
    in.train.mode = "central";
    const std::vector<float> central = joined(this->trained(in));
    for (const std::string& mode : test::mode_names()) {
      if (test::map_of(mode).local_loss) continue;  // its client learns from another loss: MapTest
      in.train.mode = mode;
      in.train.round = mode == "fedprox" ? 1 : 2;  // within a round it holds back
      EXPECT_EQ(central, joined(this->trained(in))) << mode << " " << norm;
    }
  }
}

TYPED_TEST(ModeTest, MaterialisedReplicasStayEqualAndTrainAsPsl) {
  RigInput in = random_input(6, 4, 24, 5);
  const TrainingState tied = this->trained(in, 1);
  in.train.replicas = ClientReplicas::kMaterialised;
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run_epoch();
  const TrainingState state = rig.engine.download();
  const std::vector<float> first = this->replica(state, rig.network, kClientSide, 0);
  for (std::int64_t g = 1; g < 6; ++g) EXPECT_EQ(first, this->replica(state, rig.network, kClientSide, g)) << g;
  EXPECT_EQ(rig.engine.drift(kClientSide), 0.0);
  // A gradient summed over 24 slots of 784 positions in another order: 2^-24 sqrt(24 x 784) relative (random walk) of
  // about 0.1, in four steps of rate 0.02 with momentum (factor 10 in all): 7e-8; roundings of the weights, below 1,
  // another 4 x 6e-8. Ten times their sum; of images in which no two pixels of a pool's window are as near as that, or the
  // gradient takes another way (one channel of seed 3).
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_NEAR(first[i], tied.parameters[kClientSide][i], 3e-6);
}

TYPED_TEST(ModeTest, MaterialisedIsForPslWithoutBatchNormOnTheClient) {
  RigInput in = random_input(3, 1, 6, 3);
  in.model = "cnn";
  in.train.replicas = ClientReplicas::kMaterialised;
  in.options.norm[kClientSide] = NormKind::kBatch;
  test::expect_input_error([&] { Rig<TypeParam> rig(this->ctx(), in); }, "train.replicas", "group or none");
  in.options.norm[kClientSide] = NormKind::kNone;
  EXPECT_NO_THROW(Rig<TypeParam>(this->ctx(), in));
  in.train.mode = "sflv1";
  test::expect_input_error([&] { Rig<TypeParam> rig(this->ctx(), in); }, "train.replicas", "sflv1");
}

// One local step of SGD and an average by samples seen: sum_k b_k/B (theta - lr g_k) is a step on the pooled gradient.
TYPED_TEST(ModeTest, Sflv1WithOneLocalStepIsOneStepOfTheWholeNet) {
  RigInput in = random_input(5, 1, 24, 7);
  in.train.client_optimizer.momentum = in.train.server_optimizer.momentum = 0.0;
  in.train.client_optimizer.lr = in.train.server_optimizer.lr = 0.25;
  Rig<TypeParam> psl(this->ctx(), in);
  psl.run_epoch();
  in.train.mode = "sflv1";
  in.train.fedavg_weights = AverageWeights::kSeen;
  in.train.round = 1;
  Rig<TypeParam> sflv1(this->ctx(), in);
  sflv1.run_epoch();
  const TrainingState a = psl.engine.download(), b = sflv1.engine.download();
  for (int side = 0; side < 2; ++side) {
    const double scale = largest(psl.gradients(side)) + largest(sflv1.gradients(side));
    // Every local model rounds once, their average once; gradients are sums over other partitions of the slots.
    const double bound = 3 * 0x1p-24 * largest(a.parameters[side]) + 0.25 * 150 * 0x1p-24 * scale;
    for (std::int64_t g = 0; g < 5; ++g) {
      const std::vector<float> mine = this->replica(b, psl.network, side, g);
      for (std::size_t i = 0; i < mine.size(); ++i)
        ASSERT_NEAR(mine[i], a.parameters[side][i], bound) << side << " " << i;
    }
  }
}

// In sflv3 and sflv1 clients know nothing of each other within a round: the grouped run holds the bits of running each
// client alone. (Batches of at most 16 slots are cut alike on the CPU; cuBLAS may choose other kernels.)
TYPED_TEST(ModeTest, GroupedEqualsLoopedPerClient) {
  if (TypeParam::kIsDevice) GTEST_SKIP() << "bits are promised per shape";
  for (const char* mode : {"sflv1", "sflv3"}) {
    for (const bool batch_norm : {false, true}) {
      RigInput in = random_input(4, 4, 16, 13);
      in.model = "cnn";
      in.train.mode = mode;
      if (batch_norm) in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
      Rig<TypeParam> grouped(this->ctx(), in);
      grouped.run(0, 3);  // the fourth step ends the round
      const TrainingState all = grouped.engine.download();
      for (std::int32_t k = 0; k < 4; ++k) {
        RigInput one = in;
        one.schedule = {};
        one.schedule.step_first = {0};
        for (std::int64_t t = 0; t < 4; ++t) {
          for (std::int32_t i = in.schedule.step_first[t]; i < in.schedule.step_first[t + 1]; ++i) {
            if (in.schedule.client[i] != k) continue;
            one.schedule.sample.push_back(in.schedule.sample[i]);
            one.schedule.client.push_back(k);
          }
          one.schedule.step_first.push_back(static_cast<std::int32_t>(one.schedule.sample.size()));
        }
        Rig<TypeParam> alone(this->ctx(), one);
        alone.run(0, 3);
        const TrainingState mine = alone.engine.download();
        for (int side = 0; side < 2; ++side) {
          EXPECT_EQ(this->replica(all, grouped.network, side, k), this->replica(mine, grouped.network, side, k))
              << mode << " client " << k << " side " << side;
        }
      }
    }
  }
}

TYPED_TEST(ModeTest, DriftIsTheDistanceFromTheAverage) {
  RigInput in = random_input(5, 3, 20, 17);
  in.train.mode = "psl_local";
  in.held = {10, 20, 5, 30, 35};
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run_epoch();
  const TrainingState state = rig.engine.download();
  const std::int64_t p = rig.network.parameters[kClientSide];
  double squares = 0.0;
  for (std::int64_t i = 0; i < p; ++i) {
    double mean = 0.0;
    for (std::int64_t g = 0; g < 5; ++g) mean += in.held[g] / 100.0 * state.parameters[0][g * p + i];
    for (std::int64_t g = 0; g < 5; ++g) {
      const double d = state.parameters[0][g * p + i] - mean;
      squares += in.held[g] / 100.0 * d * d;
    }
  }
  EXPECT_GT(squares, 0.0);
  EXPECT_NEAR(rig.engine.drift(kClientSide), std::sqrt(squares), 1e-6 * std::sqrt(squares));
}

TYPED_TEST(ModeTest, AveragedReplicasAreEqualAfterARoundButHaveDriftedBefore) {
  for (const char* mode : {"sflv1", "sflv2", "sflv3"}) {
    RigInput in = narrow_input(5, 4, 20, 19);
    in.train.mode = mode;
    in.train.round = 3;  // ends after steps 3 and 4
    Rig<TypeParam> rig(this->ctx(), in);
    rig.run_epoch();
    const TrainingState state = rig.engine.download();
    for (int side = 0; side < 2; ++side) {
      if (rig.engine.replicas(side) == 1) continue;
      const bool averaged = rig.engine.mode().part[side].combine == Combine::kRound;
      bool equal = true;
      for (std::int64_t g = 1; g < 5; ++g) {
        equal = equal && this->replica(state, rig.network, side, 0) == this->replica(state, rig.network, side, g);
      }
      EXPECT_EQ(equal, averaged) << mode << " side " << side;
      EXPECT_GT(rig.engine.drift(side), 0.0) << mode << " side " << side;
    }
  }
}

TYPED_TEST(ModeTest, StepsAllocateSynchroniseAndReadNothing) {
  for (const std::string& mode : test::mode_names()) {
    for (const char* optimizer : {"sgd", "adamw"}) {
      RigInput in = narrow_input(6, 5, 12, 31);
      in.train.mode = mode;
      in.train.round = 2;
      in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
      in.train.client_optimizer.kind = in.train.server_optimizer.kind = optimizer;
      in.train.client_optimizer.clip_norm = 1.0;
      Rig<TypeParam> rig(this->ctx(), in);
      rig.run(0, 1);
      const ContextCounters before = this->ctx().counters();
      const std::int64_t steps = rig.dealt_schedule().schedule.steps();
      for (std::int64_t t = 1; t < steps; ++t) rig.engine.enqueue_step();
      const ContextCounters after = this->ctx().counters();
      EXPECT_EQ(before.allocations, after.allocations) << mode;
      EXPECT_EQ(before.synchronizations, after.synchronizations) << mode;
      EXPECT_EQ(before.host_reads, after.host_reads) << mode;
      this->ctx().synchronize();
    }
  }
}

// On a GPU: rounds and turns are data, so the captured step serves them all. (The CPU ignores the switch.)
TYPED_TEST(ModeTest, CapturedStepsEqualLaunchedOnes) {
  for (const char* mode : {"sflv1", "sflv2", "sflv3", "sl", "epsl", "gapsl", "cpsl", "gcpsl", "fedprox"}) {
    RigInput in = narrow_input(5, 4, 12, 37);
    in.train.mode = mode;
    in.train.round = 2;
    const std::vector<float> captured = joined(this->trained(in));
    in.capture = false;
    EXPECT_EQ(captured, joined(this->trained(in))) << mode;
  }
}

TYPED_TEST(ModeTest, EmptySlotsChangeNothing) {
  if (TypeParam::kIsDevice) GTEST_SKIP() << "cuBLAS may choose other kernels for other shapes";
  for (const std::string& mode : test::mode_names()) {
    RigInput in = resnet_input(5, 3, 12, 41);
    in.train.mode = mode;
    in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
    const std::vector<float> exact = joined(this->trained(in));
    in.extra_slots = 9;
    EXPECT_EQ(exact, joined(this->trained(in))) << mode;
  }
}

TYPED_TEST(ModeTest, ContinuesFromASavedStateWithTheSameBits) {
  for (const char* mode : {"psl", "sflv1", "sflv2", "sflv3", "cpsl", "gcpsl", "fedprox"}) {
    RigInput in = narrow_input(4, 3, 12, 43);
    in.train.mode = mode;
    in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
    in.train.client_optimizer.kind = "adam";
    in.train.server_optimizer.dampening = 0.25;
    const std::vector<float> whole = joined(this->trained(in));
    Rig<TypeParam> first(this->ctx(), in);
    first.run_epoch();
    Rig<TypeParam> second(this->ctx(), in);
    second.engine.upload(first.engine.download());
    second.run_epoch(1);
    EXPECT_EQ(whole, joined(second.engine.download())) << mode;
  }
}

TEST(ModeThreads, TrainingHasTheSameBitsForAnyNumberOfThreads) {
  for (const std::string& mode : test::mode_names()) {
    std::vector<std::vector<float>> results;
    for (const int threads : {1, 2, 7}) {
      CpuContext ctx(threads);
      RigInput in = resnet_input(6, 2, 30, 53);
      in.train.mode = mode;
      in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
      in.train.client_optimizer.clip_norm = 0.5;
      in.train.server_optimizer.kind = "adam";
      Rig<CpuContext> rig(ctx, in);
      rig.run_epoch();
      results.push_back(joined(rig.engine.download()));
    }
    EXPECT_EQ(results[0], results[1]) << mode;
    EXPECT_EQ(results[0], results[2]) << mode;
  }
}

}  // namespace
}  // namespace splitsim

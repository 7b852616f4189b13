// Exact properties of the engine: modes that must agree do so bit for bit, and a step keeps the rules that let it be
// captured.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::narrow_input;
using test::random_input;
using test::Rig;
using test::RigInput;

template <class Context>
class EngineTest : public test::OnContext<Context> {
 protected:
  TrainingState trained(const RigInput& in) { return test::after_two_epochs(this->ctx(), in); }
  static void expect_same(const TrainingState& a, const TrainingState& b) {
    for (int side = 0; side < 2; ++side) {
      EXPECT_EQ(a.parameters[side], b.parameters[side]) << "side " << side;
      EXPECT_EQ(a.moments[side][0], b.moments[side][0]) << "side " << side;
    }
  }
  static std::vector<float> all(const TrainingState& state) {
    std::vector<float> joined = state.parameters[0];
    joined.insert(joined.end(), state.parameters[1].begin(), state.parameters[1].end());
    return joined;
  }
};
TYPED_TEST_SUITE(EngineTest, test::Contexts);

TYPED_TEST(EngineTest, CentralEqualsPslBitForBit) {
  RigInput in = random_input(9, 4, 20, 11);
  const TrainingState psl = this->trained(in);
  in.train.mode = "central";
  this->expect_same(psl, this->trained(in));
}

TYPED_TEST(EngineTest, PslMeanDiffersFromSumOnTheClientSideOnly) {
  RigInput in = random_input(9, 1, 20, 11);
  Rig<TypeParam> sum(this->ctx(), in);
  in.train.client_reduce = ClientReduce::kMean;
  Rig<TypeParam> mean(this->ctx(), in);
  const auto metrics = sum.run(0, 1);
  mean.run(0, 1);
  EXPECT_EQ(sum.gradients(kServerSide), mean.gradients(kServerSide));
  const std::vector<float> a = sum.gradients(kClientSide), b = mean.gradients(kClientSide);
  ASSERT_GT(metrics[0].active, 1);
  const double active = metrics[0].active;
  const double largest =
      std::abs(*std::max_element(a.begin(), a.end(), [](float x, float y) { return std::abs(x) < std::abs(y); }));
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_NEAR(a[i], b[i] * active, 1e-5 * largest);
}

TYPED_TEST(EngineTest, PslLocalWithOneClientEqualsPsl) {
  RigInput in = random_input(1, 4, 16, 5);
  const TrainingState psl = this->trained(in);
  in.train.mode = "psl_local";
  this->expect_same(psl, this->trained(in));
  in.train.client_scale = ClientScale::kOwn;
  this->expect_same(psl, this->trained(in));
}

// A client that is alone in every step trains its own half just as a whole network would.
TYPED_TEST(EngineTest, PslLocalLeavesInactiveReplicasUntouched) {
  RigInput in = random_input(4, 3, 16, 7);
  for (std::int32_t& client : in.schedule.client) client = 2;
  in.train.mode = "psl_local";
  Rig<TypeParam> rig(this->ctx(), in);
  const TrainingState before = rig.engine.download();
  rig.run_epoch();
  const TrainingState after = rig.engine.download();
  const std::int64_t p = rig.network.parameters[kClientSide];
  for (std::int64_t g = 0; g < 4; ++g) {
    const auto from = before.parameters[0].begin() + g * p;
    const bool same = std::equal(from, from + p, after.parameters[0].begin() + g * p);
    EXPECT_EQ(same, g != 2) << "replica " << g;
    const bool momentum = std::any_of(after.moments[0][0].begin() + g * p, after.moments[0][0].begin() + (g + 1) * p,
                                      [](float v) { return v != 0.0f; });
    EXPECT_EQ(momentum, g == 2) << "replica " << g;
  }
}

// While all replicas still hold the same weights, the client gradients of psl_local add up to the one of psl.
TYPED_TEST(EngineTest, PslLocalFirstGradientsSumToPsl) {
  for (const char* model : {"lenet", "cnn"}) {
    RigInput in = random_input(6, 1, 24, 3);
    in.model = model;
    Rig<TypeParam> tied(this->ctx(), in);
    in.train.mode = "psl_local";
    Rig<TypeParam> local(this->ctx(), in);
    const std::int64_t ranks = local.run(0, 1)[0].active;
    tied.run(0, 1);
    const std::vector<float> total = tied.gradients(kClientSide), parts = local.gradients(kClientSide);
    const std::size_t p = total.size();
    double scale = 0.0;
    for (const float g : parts) scale = std::max(scale, std::abs(static_cast<double>(g)));
    for (std::size_t i = 0; i < p; ++i) {
      double sum = 0.0;
      for (std::int64_t r = 0; r < ranks; ++r) sum += parts[static_cast<std::size_t>(r) * p + i];
      // Sums of 24 slots x up to 784 positions in float32, in another order: sqrt(24 * 784) * 2^-24 of the largest part
      // is a generous random-walk bound.
      EXPECT_NEAR(total[i], sum, 150 * std::ldexp(1.0, -24) * scale * 24) << model << " " << i;
    }
  }
}

TYPED_TEST(EngineTest, TheCutDoesNotMatterWhenTied) {
  RigInput in = random_input(5, 3, 16, 13, {1, 12, 12});
  const std::vector<float> reference = this->all(this->trained(in));
  for (const LayerSpec& layer : model_layers("lenet", 10)) {
    in.cut = layer.name;
    EXPECT_EQ(reference, this->all(this->trained(in))) << layer.name;
  }
}

TYPED_TEST(EngineTest, EveryCutTrainsInPslLocal) {
  for (const char* model : {"mlp", "cnn"}) {
    for (const LayerSpec& layer : model_layers(model, 10)) {
      RigInput in = random_input(3, 2, 6, 17, {1, 8, 8});
      in.model = model;
      in.width = model == std::string("cnn") ? 8 : 0;
      in.cut = layer.name;
      in.train.mode = "psl_local";
      Rig<TypeParam> rig(this->ctx(), in);
      for (const StepMetrics& m : rig.run_epoch()) EXPECT_TRUE(m.finite && m.loss > 0.0) << model << " " << layer.name;
    }
  }
}

TYPED_TEST(EngineTest, EmptySlotsChangeNothing) {
  for (const char* mode : {"psl", "psl_local"}) {
    RigInput in = random_input(5, 3, 16, 19, {1, 8, 8});
    in.model = "cnn";
    in.width = 8;
    in.train.mode = mode;
    const TrainingState exact = this->trained(in);
    in.extra_slots = 21;
    const TrainingState padded = this->trained(in);
    if constexpr (!TypeParam::kIsDevice)
      this->expect_same(exact, padded);  // cuBLAS may choose other kernels for other shapes
    const std::vector<float> a = this->all(exact), b = this->all(padded);
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4) << mode << " " << i;
  }
}

// A step without samples is a step: it has metrics, and changes no weight and no optimiser state. 70 of them in a row: the
// host runs at most 64 steps ahead of a device.
TYPED_TEST(EngineTest, EmptyStepsChangeNothing) {
  for (const char* mode : {"psl", "psl_local", "sflv1", "sflv2", "sl"}) {
    for (const char* optimizer : {"sgd", "adam"}) {
      RigInput in = random_input(5, 4, 12, 41, {1, 4, 4});
      in.model = "layers";
      in.cut = "fc1";
      in.layers = {layer::linear("fc1", 16), layer::relu("relu1"), layer::linear("fc2", 10)};
      in.train.mode = mode;
      in.train.client_optimizer.kind = in.train.server_optimizer.kind = optimizer;
      in.train.client_optimizer.clip_norm = 1.0;
      const TrainingState expected = this->trained(in);
      in.schedule = test::with_empty_steps(in.schedule, {2, 0, 70, 1, 3});
      Rig<TypeParam> rig(this->ctx(), in);
      rig.run_epoch();
      std::int64_t empty = 0, samples = 0;
      for (const StepMetrics& step : rig.run_epoch(1)) {
        EXPECT_EQ(step.done, 1);
        EXPECT_EQ(step.finite, 1);
        samples += step.batch;
        if (step.batch > 0) continue;
        empty += 1;
        EXPECT_EQ(step.loss, 0.0);
        EXPECT_EQ(step.correct, 0);
        EXPECT_EQ(step.active, 0);
      }
      EXPECT_EQ(empty, 76) << mode;
      EXPECT_EQ(samples, in.schedule.slots()) << mode;
      const TrainingState state = rig.engine.download();
      this->expect_same(expected, state);
      for (int side = 0; side < 2; ++side) EXPECT_EQ(expected.taken[side], state.taken[side]) << mode;
    }
  }
}

TYPED_TEST(EngineTest, EqualRunsGiveEqualBits) {
  for (const char* mode : {"psl", "psl_local"}) {
    RigInput in = random_input(7, 3, 24, 23);
    in.train.mode = mode;
    this->expect_same(this->trained(in), this->trained(in));
  }
}

// On a GPU: replaying the captured step gives the bits of launching it kernel by kernel. (The CPU ignores the switch.)
TYPED_TEST(EngineTest, CapturedStepsEqualLaunchedOnes) {
  RigInput in = narrow_input(7, 6, 24, 27);
  in.train.mode = "psl_local";
  const TrainingState captured = this->trained(in);
  in.capture = false;
  this->expect_same(captured, this->trained(in));
}

TYPED_TEST(EngineTest, ContinuesFromASavedStateWithTheSameBits) {
  RigInput in = random_input(7, 3, 24, 29);
  in.train.mode = "psl_local";
  const TrainingState whole = this->trained(in);
  Rig<TypeParam> first(this->ctx(), in);
  first.run_epoch();
  Rig<TypeParam> second(this->ctx(), in);
  second.engine.upload(first.engine.download());
  second.run_epoch(1);
  this->expect_same(whole, second.engine.download());
}

TYPED_TEST(EngineTest, StepsAllocateSynchroniseAndReadNothing) {
  for (const char* mode : {"psl", "psl_local", "central"}) {
    RigInput in = random_input(8, 5, 16, 31);
    in.model = "cnn";
    in.train.mode = mode;
    Rig<TypeParam> rig(this->ctx(), in);
    rig.run(0, 1);
    const ContextCounters before = this->ctx().counters();
    for (int t = 1; t < 5; ++t) rig.engine.enqueue_step();
    const ContextCounters after = this->ctx().counters();
    EXPECT_EQ(before.allocations, after.allocations) << mode;
    EXPECT_EQ(before.synchronizations, after.synchronizations) << mode;
    EXPECT_EQ(before.host_reads, after.host_reads) << mode;
    this->ctx().synchronize();
  }
}

// Relabelling the clients of a schedule changes only the order of slots within a batch, hence only roundings.
TYPED_TEST(EngineTest, RelabelledClientsTrainTheSame) {
  RigInput in = random_input(6, 3, 24, 37);
  const std::vector<float> a = this->all(this->trained(in));
  Schedule& schedule = in.schedule;
  const std::int32_t relabel[] = {3, 5, 0, 4, 1, 2};
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    std::vector<std::pair<std::int32_t, std::int32_t>> slots;
    for (std::int32_t i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i)
      slots.emplace_back(relabel[schedule.client[i]], schedule.sample[i]);
    std::stable_sort(slots.begin(), slots.end(), [](auto& x, auto& y) { return x.first < y.first; });
    for (std::size_t i = 0; i < slots.size(); ++i) {
      schedule.client[schedule.step_first[t] + i] = slots[i].first;
      schedule.sample[schedule.step_first[t] + i] = slots[i].second;
    }
  }
  const std::vector<float> b = this->all(this->trained(in));
  // Six steps of lr 0.05 with gradients of order 0.1: a relative rounding of 2^-24 sqrt(24 * 784) per gradient moves a
  // weight by 6 * 0.05 * 0.1 * 10 (momentum) * 8e-6 = 2.4e-6; ten times that.
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 2.4e-5) << i;
}

TYPED_TEST(EngineTest, MemoryPlanIsWhatIsAllocated) {
  const RigInput in = random_input(6, 3, 24, 37);
  const std::uint64_t before = this->ctx().counters().bytes_in_use;
  Rig<TypeParam> rig(this->ctx(), in);
  std::uint64_t planned = 0;
  for (const MemoryItem& item : rig.engine.plan()) planned += item.bytes;
  const std::uint64_t used = this->ctx().counters().bytes_in_use - before;
  EXPECT_GE(used, planned);
  // Besides: the data set, the schedule and the metrics.
  EXPECT_LE(used - planned,
            in.images.size() + 4 * in.labels.size() + 64 * static_cast<std::uint64_t>(in.schedule.slots()) + 4096);
}

TEST(EngineThreads, TrainingHasTheSameBitsForAnyNumberOfThreads) {
  for (const char* model : {"lenet", "cnn"}) {
    for (const char* mode : {"psl", "psl_local"}) {
      std::vector<std::vector<float>> results;
      for (const int threads : {1, 2, 7}) {
        CpuContext ctx(threads);
        RigInput in = random_input(9, 2, 40, 41);
        in.model = model;
        in.train.mode = mode;
        Rig<CpuContext> rig(ctx, in);
        rig.run_epoch();
        const TrainingState state = rig.engine.download();
        results.push_back(state.parameters[0]);
        results.back().insert(results.back().end(), state.parameters[1].begin(), state.parameters[1].end());
      }
      EXPECT_EQ(results[0], results[1]) << model << " " << mode;
      EXPECT_EQ(results[0], results[2]) << model << " " << mode;
    }
  }
}

}  // namespace
}  // namespace splitsim

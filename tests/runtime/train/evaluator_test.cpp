// Tests of replicas: every image once, whoever is tested with whom.
#include "runtime/train/evaluator.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::narrow_input;
using test::random_input;
using test::Rig;
using test::RigInput;

GatherShape gather_of(const RigInput& in) { return {in.input.channels, in.input.height, in.input.width, 0, false}; }

template <class Context>
class EvaluatorTest : public test::OnContext<Context> {
 protected:
  struct Trained {
    Trained(Context& ctx, const RigInput& in) : rig(ctx, in), images(ctx, in.images, in.labels) { rig.run_epoch(); }

    Rig<Context> rig;
    DeviceImages<Context> images;
    View<const float> parameters[2] = {rig.engine.parameters(0), rig.engine.parameters(1)};
    std::int64_t replicas[2] = {rig.engine.replicas(0), rig.engine.replicas(1)};
  };
  static std::vector<double> equal_weights(std::int32_t clients) {
    return std::vector<double>(static_cast<std::size_t>(clients), 1.0 / clients);
  }
  /// A GPU's library chooses its products by the number of slots: rounding lies between.
  static void expect_same_loss(double a, double b) {
    if (Context::kIsDevice) {
      EXPECT_NEAR(a, b, 1e-5 * std::abs(b));
    } else {
      EXPECT_EQ(a, b);
    }
  }
};
TYPED_TEST_SUITE(EvaluatorTest, test::Contexts);

TYPED_TEST(EvaluatorTest, CountsEveryImageOnce) {
  RigInput in = random_input(3, 2, 16, 43);
  in.train.mode = "psl_local";
  typename TestFixture::Trained t(this->ctx(), in);
  Evaluation results[2];
  for (const int batch : {5, 64}) {  // a ragged last batch, and one batch larger than the set
    Evaluator<TypeParam> evaluator(this->ctx(), t.rig.network, {batch, {t.images.count(), 0}, {{0.5, 0.25, 0.25}, {}}});
    evaluator.start(t.images, gather_of(in), test::rig_source(t.images));
    Evaluation& result = results[batch == 5 ? 0 : 1];
    result = evaluator.evaluate(t.parameters, t.replicas)[0];
    EXPECT_EQ(std::accumulate(result.confusion.begin(), result.confusion.end(), 0), t.images.count());
    std::vector<std::int32_t> per_label(10), expected(10);
    for (std::size_t c = 0; c < 100; ++c) per_label[c / 10] += result.confusion[c];
    for (const std::int32_t label : in.labels) ++expected[static_cast<std::size_t>(label)];
    EXPECT_EQ(per_label, expected);
  }
  EXPECT_EQ(results[0].confusion, results[1].confusion);
  EXPECT_NEAR(results[0].loss, results[1].loss, 1e-5);
  EXPECT_GT(results[0].loss, 0.1);
}

// A test of a replica sees that client's half, and of the average the weighted mean of the halves.
TYPED_TEST(EvaluatorTest, AReplicaIsItsModel) {
  RigInput in = narrow_input(3, 3, 18, 47);
  in.train.mode = "sflv3";
  in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
  typename TestFixture::Trained t(this->ctx(), in);
  const TrainingState state = t.rig.engine.download();
  Evaluator<TypeParam> evaluator(this->ctx(), t.rig.network,
                                 {16, {t.images.count(), 0}, {{0.0, 1.0, 0.0}, {0.0, 1.0, 0.0}}});
  evaluator.start(t.images, gather_of(in), test::rig_source(t.images));
  const Placement placement(t.rig.network, native_layout<TypeParam>());
  std::vector<double> losses;
  for (std::int32_t g = 0; g < 3; ++g) {
    const auto placed = [&](int side) {
      const std::int64_t size = t.rig.network.replica_size(side);
      const auto from = state.parameters[side].begin() + g * size;
      return Buffer<float, TypeParam>(this->ctx(), placement.placed(side, true, {from, from + size}));
    };
    const Buffer<float, TypeParam> client = placed(0), server = placed(1);
    const View<const float> one[2] = {client.view(), server.view()};
    const std::int64_t single[2] = {1, 1};
    const Evaluation expected = evaluator.evaluate(one, single)[0];
    const Evaluation result = evaluator.evaluate(t.parameters, t.replicas, {{g}})[0];
    this->expect_same_loss(result.loss, expected.loss);
    EXPECT_EQ(result.confusion, expected.confusion);
    losses.push_back(expected.loss);
  }
  EXPECT_NE(losses[0], losses[1]);
  // All the weight is on replica 1.
  EXPECT_EQ(evaluator.evaluate(t.parameters, t.replicas)[0].loss, losses[1]);
}

// Many replicas fill a GPU's passes, several requests one evaluator: what each gets is what it gets alone.
TYPED_TEST(EvaluatorTest, ManyReplicasTogetherAreEachAlone) {
  // On a GPU all seven go together, or three.
  for (const auto& [mode, batch] : {std::pair{"sflv3", 8}, std::pair{"psl_local", 341}}) {
    RigInput in = narrow_input(7, 1, 21, 51);
    in.train.mode = mode;
    in.train.client_optimizer.lr = in.train.server_optimizer.lr = 0.3;  // so that they differ
    typename TestFixture::Trained t(this->ctx(), in);
    EvaluatorSettings settings{batch,
                               {15, t.images.count() - 15},
                               {this->equal_weights(7), this->equal_weights(7)},
                               {true, t.replicas[1] > 1}};
    Evaluator<TypeParam> together(this->ctx(), t.rig.network, settings);
    settings.each[0] = settings.each[1] = false;
    Evaluator<TypeParam> alone(this->ctx(), t.rig.network, settings);
    together.start(t.images, gather_of(in), test::rig_source(t.images));
    alone.start(t.images, gather_of(in), test::rig_source(t.images));
    for (const auto& [set, limit] :
         {std::pair{EvaluationSet::kTest, std::int64_t{0}}, std::pair{EvaluationSet::kTest, std::int64_t{11}},
          std::pair{EvaluationSet::kValidation, std::int64_t{0}}}) {
      SCOPED_TRACE(std::string(mode) + ", limit " + std::to_string(limit));
      const std::vector<std::int32_t> tested = {5, 0, 1, 2, 6, 3};
      const auto results = together.evaluate(t.parameters, t.replicas, {tested, limit, set});
      ASSERT_EQ(results.size(), tested.size());
      for (std::size_t i = 0; i < tested.size(); ++i) {
        const Evaluation one = alone.evaluate(t.parameters, t.replicas, {{tested[i]}, limit, set})[0];
        this->expect_same_loss(results[i].loss, one.loss);
        EXPECT_EQ(results[i].confusion, one.confusion);
      }
      EXPECT_GT(std::abs(results[0].loss - results[1].loss), 1e-4);
      this->expect_same_loss(together.evaluate(t.parameters, t.replicas, {{}, limit, set})[0].loss,
                             alone.evaluate(t.parameters, t.replicas, {{}, limit, set})[0].loss);
    }
  }
}

// More of them than are tested before the host reads; one host read each for losses and confusion.
TYPED_TEST(EvaluatorTest, HundredsOfReplicasNeedFewHostReads) {
  RigInput in = narrow_input(300, 1, 8, 53);
  in.train.mode = "psl_local";
  typename TestFixture::Trained t(this->ctx(), in);
  Evaluator<TypeParam> evaluator(
      this->ctx(), t.rig.network,
      {4, {t.images.count(), 0}, {this->equal_weights(300), this->equal_weights(300)}, {true, false}});
  evaluator.start(t.images, gather_of(in), test::rig_source(t.images));
  std::vector<std::int32_t> tested(300);
  std::iota(tested.begin(), tested.end(), 0);
  const std::uint64_t before = this->ctx().counters().host_reads;
  const auto results = evaluator.evaluate(t.parameters, t.replicas, {tested});
  EXPECT_EQ(this->ctx().counters().host_reads - before, 4u);
  ASSERT_EQ(results.size(), 300u);
  for (const std::int32_t g : {0, 255, 256, 299}) {
    const auto alone = evaluator.evaluate(t.parameters, t.replicas, {{g}});
    EXPECT_EQ(results[static_cast<std::size_t>(g)].loss, alone[0].loss) << g;
    EXPECT_EQ(std::accumulate(alone[0].confusion.begin(), alone[0].confusion.end(), 0), t.images.count());
  }
}

}  // namespace
}  // namespace splitsim

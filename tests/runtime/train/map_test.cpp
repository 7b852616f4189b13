// The map's reductions: a mode whose settings leave only another mode is that mode, bit for bit.
#include <gtest/gtest.h>

#include <functional>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"

namespace splitsim {
namespace {

using test::narrow_input;
using test::random_input;
using test::Rig;
using test::RigInput;

template <class Context>
class MapTest : public test::OnContext<Context> {
 protected:
  using Change = std::function<void(RigInput&)>;

  // Replicas of a side one after another; one stands for all where all are equal.
  std::vector<std::vector<float>> trained(const std::string& mode, const Change& change) {
    RigInput in = narrow_input(6, 4, 18, 83);
    in.held = {9, 4, 7, 5, 6, 11};
    in.groups = {1, 0, 2, 0, 1, 2};
    in.train.mode = mode;
    in.train.round = 2;
    change(in);
    Rig<Context> rig(this->ctx(), in);
    rig.run_epoch();
    rig.run_epoch(1);
    const TrainingState state = rig.engine.download();
    std::vector<std::vector<float>> replicas;
    for (int side = 0; side < 2; ++side) {
      const std::int64_t size = rig.network.replica_size(side);
      for (std::int64_t g = 0; g < rig.engine.replicas(side); ++g) {
        const auto from = state.parameters[side].begin() + g * size;
        const std::vector<float> one(from, from + size);
        if (g == 0 || one != replicas.back()) replicas.push_back(one);
      }
    }
    return replicas;
  }
  static void nothing(RigInput&) {}
  static void own(RigInput& in) { in.train.client_scale = ClientScale::kOwn; }
  static void one_group(RigInput& in) { in.groups.assign(6, 0); }
  static void alone(RigInput& in) { in.groups = {0, 1, 2, 3, 4, 5}; }
};
TYPED_TEST_SUITE(MapTest, test::Contexts);

TYPED_TEST(MapTest, WithoutAShareNothingIsMixed) {
  for (const auto& change : {&TestFixture::nothing, &TestFixture::own}) {
    const auto local = this->trained("psl_local", change);
    const auto with = [&](double mix) {
      return [&change, mix](RigInput& in) {
        change(in);
        in.train.mix = mix;
      };
    };
    EXPECT_EQ(this->trained("sglr", with(0.0)), local);
    EXPECT_EQ(this->trained("epsl", with(0.0)), local);
    EXPECT_NE(this->trained("sglr", with(0.5)), local);
    EXPECT_NE(this->trained("epsl", with(0.5)), local);
    EXPECT_NE(this->trained("sglr", with(1.0)), this->trained("sglr", with(0.5)));
  }
}

TYPED_TEST(MapTest, WithoutAPullOrATurnItIsTheModeWithoutIt) {
  EXPECT_EQ(this->trained("gapsl", [](RigInput& in) { in.train.align = 0.0; }),
            this->trained("psl_local", TestFixture::nothing));
  EXPECT_EQ(this->trained("fedprox", [](RigInput& in) { in.train.proximal = 0.0; }),
            this->trained("fedavg", TestFixture::nothing));
  EXPECT_NE(this->trained("fedprox", TestFixture::nothing), this->trained("fedavg", TestFixture::nothing));
  // The net is the same wherever it is cut, or not at all.
  EXPECT_EQ(this->trained("fedavg", TestFixture::nothing), this->trained("sflv1", TestFixture::nothing));
}

// Auxiliary heads: the client halves are federated learning of what clients hold, whatever the server does; with client
// halves that stand still the server is psl_local's.
TYPED_TEST(MapTest, ClientsWithHeadsOfTheirOwnAreFederated) {
  RigInput in = random_input(6, 4, 18, 83);
  in.held = {9, 4, 7, 5, 6, 11};
  in.train.round = 3;
  in.train.mode = "cse_fsl";
  in.train.upload_every = 2;
  Rig<TypeParam> rig(this->ctx(), in);
  RigInput alone = in;
  alone.model = "layers";
  alone.cut = "conv1";
  alone.layers = {layer::conv("conv1", 6, 5, 1, 2), layer::relu("relu1"), layer::max_pool("pool1", 2, 2),
                  layer::linear("auxiliary_", 10)};
  alone.train.mode = "fedavg";
  Rig<TypeParam> federated(this->ctx(), alone);
  const std::int64_t conv = federated.network.parameters[kClientSide], head = federated.network.parameters[kServerSide];
  ASSERT_EQ(rig.network.parameters[kClientSide], conv + head);
  const auto joined = [&](const TrainingState& state) {  // [K, conv + head]
    std::vector<float> all;
    for (std::int64_t k = 0; k < 6; ++k) {
      const float* sides[2] = {state.parameters[0].data() + k * conv, state.parameters[1].data() + k * head};
      all.insert(all.end(), sides[0], sides[0] + conv);
      all.insert(all.end(), sides[1], sides[1] + head);
    }
    return all;
  };
  TrainingState begin = rig.engine.download();
  begin.parameters[kClientSide] = joined(federated.engine.download());
  rig.engine.upload(begin);
  const TrainingState first = rig.engine.download();
  rig.run(0, 1);
  EXPECT_EQ(rig.engine.download().parameters[kServerSide], first.parameters[kServerSide]) << "nobody has sent";
  rig.run(1, 2);
  EXPECT_NE(rig.engine.download().parameters[kServerSide], first.parameters[kServerSide]);
  rig.run(2, 4);
  federated.run_epoch();
  EXPECT_EQ(rig.engine.download().parameters[kClientSide], joined(federated.engine.download()));
}

TYPED_TEST(MapTest, AServerOfClientsThatStandStillIsPslLocals) {
  const auto server = [&](const std::string& mode, std::int64_t every) {
    RigInput in = narrow_input(6, 4, 18, 83);
    in.train.mode = mode;
    in.train.upload_every = every;
    in.train.client_optimizer.lr = 0.0;
    Rig<TypeParam> rig(this->ctx(), in);
    rig.run_epoch();
    return rig.engine.download().parameters[kServerSide];
  };
  EXPECT_EQ(server("cse_fsl", 1), server("psl_local", 1));
  EXPECT_EQ(server("fsl_an", 1), server("sflv1", 1));
  EXPECT_NE(server("cse_fsl", 3), server("cse_fsl", 1));
  EXPECT_NE(server("cse_fsl", 3), server("cse_fsl", 5)) << "of the four steps the third sends, or none";
}

TYPED_TEST(MapTest, OneGroupIsPsl) {
  const auto psl = this->trained("psl", TestFixture::nothing);
  EXPECT_EQ(this->trained("cpsl", TestFixture::one_group), psl);
  EXPECT_EQ(this->trained("gcpsl", TestFixture::one_group), psl);
  EXPECT_NE(this->trained("cpsl", TestFixture::nothing), psl);
  EXPECT_NE(this->trained("gcpsl", TestFixture::nothing), psl);
}

// Statistics of the client's BatchNorms: of each client, or pooled over all who share a half.
TYPED_TEST(MapTest, GroupsPoolTheirStatistics) {
  std::vector<std::vector<float>> before;
  for (const bool pooled : {false, true}) {
    const auto norms = [pooled](RigInput& in) {
      in.options.norm[0] = in.options.norm[1] = NormKind::kBatch;
      in.options.client_segments = !pooled;
    };
    const auto one_group = [&](RigInput& in) {
      norms(in);
      TestFixture::one_group(in);
    };
    const auto psl = this->trained("psl", norms);
    EXPECT_EQ(this->trained("gcpsl", one_group), psl);
    EXPECT_EQ(this->trained("cpsl", one_group), psl);
    const auto groups = this->trained("gcpsl", norms);
    EXPECT_NE(groups, psl);
    EXPECT_NE(groups, before) << "pooled over a group is not by client";
    before = groups;
  }
}

TYPED_TEST(MapTest, AGroupOfItsOwnForEveryClient) {
  for (const auto& change : {&TestFixture::nothing, &TestFixture::own}) {
    const auto with = [&](RigInput& in) {
      change(in);
      TestFixture::alone(in);
    };
    EXPECT_EQ(this->trained("gcpsl", with), this->trained("minibatch_sfl", change));
  }
  // The half that is passed from cluster to cluster is sl's.
  const auto passed = [](RigInput& in) {
    TestFixture::alone(in);
    in.train.cluster_half = ClusterHalf::kPassed;
  };
  EXPECT_EQ(this->trained("cpsl", passed), this->trained("sl", TestFixture::nothing));
}

TYPED_TEST(MapTest, AsIfAloneIsAScale) {
  EXPECT_EQ(this->trained("mergesfl", TestFixture::nothing), this->trained("minibatch_sfl", TestFixture::own));
  EXPECT_NE(this->trained("mergesfl", TestFixture::nothing), this->trained("minibatch_sfl", TestFixture::nothing));
}

// Which group a number stands for changes nothing but the order of the replicas' sums.
TYPED_TEST(MapTest, GroupsNeedNotBeNeighbours) {
  RigInput in = random_input(6, 3, 18, 89);
  in.train.mode = "gcpsl";
  in.train.round = 0;
  in.groups = {1, 0, 2, 0, 1, 2};
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run_epoch();
  // A client's samples reach its group's replica: whoever shares a group with nobody else trains as if alone in it.
  const Schedule& dealt = rig.dealt_schedule().schedule;
  const DealtSchedule& all = rig.dealt_schedule();
  for (std::size_t e = 0; e < all.group_id.size(); ++e) {
    const auto slot = static_cast<std::size_t>(all.group_slot[e]);
    const std::size_t end =
        e + 1 < all.group_slot.size() ? static_cast<std::size_t>(all.group_slot[e + 1]) : dealt.client.size();
    for (std::size_t s = slot; s < end; ++s) {
      ASSERT_EQ(in.groups[static_cast<std::size_t>(dealt.client[s])], all.group_id[e]);
    }
  }
  EXPECT_GT(rig.engine.drift(kClientSide), 0.0);
}

}  // namespace
}  // namespace splitsim

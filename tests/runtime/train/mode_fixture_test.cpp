// Five training steps against PyTorch in float64 (tests/fixtures/README.md): every model family, norm, mode and
// optimiser. Losses, first gradients, and parameters and running statistics after the last step.
#include <gtest/gtest.h>

#include "tests/runtime/train/fixture_support.hpp"

namespace splitsim {
namespace {

using nlohmann::json;
using test::expect_block;
using test::load_fixture;
using test::rig_input;

constexpr const char* kSides[2] = {"client", "server"};

template <class B>
class ModeFixture : public test::OnBackend<B> {
 protected:
  using Context = typename B::Context;

  void check(const std::string& name, Precision precision = Precision::kFp32) {
    SCOPED_TRACE(name + ", " + name_of(precision));
    coarser_ = test::coarser_than_float(precision);
    const json fixture = load_fixture(name);
    test::RigInput in = rig_input(fixture);
    in.layout = B::kLayout;
    in.train.precision = precision;
    test::Rig<Context> rig(this->ctx(), in);
    check_layout(fixture, rig.network);
    const DealtSchedule& dealt = rig.dealt_schedule();
    std::size_t micro_steps = 0;  // of the first step
    while (micro_steps < static_cast<std::size_t>(dealt.schedule.steps()) && dealt.parent_of(micro_steps) == 0) {
      ++micro_steps;
    }
    std::vector<StepMetrics> metrics = rig.run(0, static_cast<std::int64_t>(micro_steps));
    if (!fixture.at("gradients_first_step").is_null()) check_gradients(fixture, in, rig);
    const auto rest = rig.run(static_cast<std::int64_t>(micro_steps), dealt.schedule.steps());
    metrics.insert(metrics.end(), rest.begin(), rest.end());
    check_metrics(fixture, dealt, metrics);
    check_after(fixture, rig);
  }

 private:
  // The parameters and running statistics are those of PyTorch, in its order.
  static void check_layout(const json& fixture, const Network& network) {
    for (int side = 0; side < 2; ++side) {
      std::int64_t trained = 0, buffers = 0;
      for (const json& tensor : fixture.at("tensors")) {
        if (tensor.at("side") != kSides[side]) continue;
        std::int64_t size = 1;
        for (const json& n : tensor.at("shape")) size *= n.get<std::int64_t>();
        (tensor.at("kind") == "parameter" ? trained : buffers) += size;
      }
      ASSERT_EQ(network.parameters[side], trained) << kSides[side];
      ASSERT_EQ(network.buffers[side], buffers) << kSides[side];
    }
  }

  void check_gradients(const json& fixture, const test::RigInput& in, test::Rig<Context>& rig) {
    std::vector<bool> clients(static_cast<std::size_t>(in.clients)), groups(clients);
    for (std::int32_t s = 0; s < in.schedule.step_first[1]; ++s) {
      const std::int32_t k = in.schedule.client[static_cast<std::size_t>(s)];
      clients[static_cast<std::size_t>(k)] = true;
      groups[static_cast<std::size_t>(test::groups_of(in).of_client(k))] = true;
    }
    for (int side = 0; side < 2; ++side) {
      const json& expected = fixture.at("gradients_first_step").at(kSides[side]);
      if (expected.is_null()) continue;
      const std::vector<float> gradients = rig.gradients(side);
      const Sharing sharing = rig.engine.mode().part[side].replicas;
      const bool tied = sharing == Sharing::kAll;
      const std::vector<bool>& active = sharing == Sharing::kGroup ? groups : clients;
      ASSERT_EQ(static_cast<std::int64_t>(expected.size()), rig.engine.replicas(side));
      std::int64_t rank = 0;
      for (std::size_t g = 0; g < expected.size(); ++g) {
        const bool served = side == kClientSide || rig.engine.mode().sends(0);
        ASSERT_EQ(served && (tied || active[g]), !expected[g].is_null()) << kSides[side] << " replica " << g;
        if (expected[g].is_null()) continue;
        expect_block(fixture, expected[g], kSides[side], gradients.data() + rig.network.parameters[side] * rank++,
                     "gradient", coarser_);
      }
    }
  }

  // Micro-steps join their step.
  void check_metrics(const json& fixture, const DealtSchedule& dealt, const std::vector<StepMetrics>& metrics) {
    const std::size_t steps = fixture.at("loss").size();
    std::vector<double> loss(steps);
    std::vector<int> correct(steps), batch(steps);
    for (std::size_t m = 0; m < metrics.size(); ++m) {
      const auto t = static_cast<std::size_t>(dealt.parent_of(m));
      loss[t] += metrics[m].loss * metrics[m].batch;
      correct[t] += metrics[m].correct;
      batch[t] += metrics[m].batch;
    }
    for (std::size_t t = 0; t < steps; ++t) {
      // Losses are 2.3 to 4.4: 16 float32 roundings of the logits' scale, as for the tensors.
      EXPECT_NEAR(loss[t] / batch[t], fixture.at("loss")[t].get<double>(), coarser_ * 16 * std::ldexp(2.5, -22))
          << "step " << t;
      if (coarser_ == 1.0) {
        EXPECT_EQ(correct[t], fixture.at("correct")[t].get<int>()) << "step " << t;
      }
    }
  }

  void check_after(const json& fixture, test::Rig<Context>& rig) {
    const TrainingState state = rig.engine.download();
    for (int side = 0; side < 2; ++side) {
      const json& snapshot = fixture.at("after_all_steps");
      const json& expected = snapshot.at(kSides[side]);
      const bool equal = snapshot.at(std::string(kSides[side]) + "_equal");
      const std::int64_t size = rig.network.replica_size(side);
      ASSERT_EQ(static_cast<std::int64_t>(expected.size()), equal ? 1 : rig.engine.replicas(side));
      for (std::int64_t g = 0; g < rig.engine.replicas(side); ++g) {
        const json& record = expected[equal ? 0 : static_cast<std::size_t>(g)];
        expect_block(fixture, record, kSides[side], state.parameters[side].data() + size * g, "after all steps",
                     coarser_);
      }
    }
  }

  double coarser_ = 1.0;  // than float32 factors are rounded
};
TYPED_TEST_SUITE(ModeFixture, test::Backends);

TYPED_TEST(ModeFixture, ResNetGroupNorm) { this->check("resnet18_group"); }
TYPED_TEST(ModeFixture, ResNetBatchNormPerClient) { this->check("resnet18_batch_segment"); }
TYPED_TEST(ModeFixture, ResNetBatchNormPooled) { this->check("resnet18_batch_pooled"); }
TYPED_TEST(ModeFixture, ResNetWithoutNorms) { this->check("resnet18_none"); }
TYPED_TEST(ModeFixture, ResNetNormsPerSide) { this->check("resnet18_mixed"); }
TYPED_TEST(ModeFixture, ResNet34) { this->check("resnet34_group"); }
TYPED_TEST(ModeFixture, ResNetImageNetStem) { this->check("resnet18_imagenet_batch"); }
TYPED_TEST(ModeFixture, ResNetOfThePapersCode) { this->check("resnet18_gpsl_batch"); }
TYPED_TEST(ModeFixture, ResNetPslLocal) { this->check("resnet18_psl_local_batch"); }
TYPED_TEST(ModeFixture, Vgg) {
  this->check("vgg11_batch");
  this->check("vgg11_none");
}
// MobileNetV2 with norms is ill conditioned: of 1.4 million values that its ReLU6 read, a few lie within float32's
// error of a tie at 0 or 6, and deciding one differently changes no loss but the gradients before it by up to percents
// (measured: tests/fixtures/README.md). Hence all but ReLU6 over five steps, with tanh in its place, and ReLU6 where
// every value is at least four standard deviations of its error away from a tie: five steps without norms, one with.
TYPED_TEST(ModeFixture, MobileNetWithTanhForRelu6) { this->check("mobilenet_v2_tanh"); }
TYPED_TEST(ModeFixture, MobileNetWithoutNorms) { this->check("mobilenet_v2_none"); }
TYPED_TEST(ModeFixture, MobileNetGroupNorm) { this->check("mobilenet_v2_group"); }
TYPED_TEST(ModeFixture, MobileNetBatchNorm) { this->check("mobilenet_v2_batch"); }
TYPED_TEST(ModeFixture, Windows) { this->check("layers_windows"); }
TYPED_TEST(ModeFixture, SmoothActivationsAndLayerNorm) { this->check("layers_smooth"); }
// Without decisions: a ReLU that rounding turns moves gradients further than rounding itself.
TYPED_TEST(ModeFixture, LowerPrecisions) {
  for (const Precision precision : {Precision::kTf32, Precision::kBf16}) {
    if (TypeParam::Context::kIsDevice) {
      this->check("layers_smooth", precision);
    } else {
      EXPECT_THROW(this->check("layers_smooth", precision), InputError);
    }
  }
}
TYPED_TEST(ModeFixture, SensorWindows) {
  this->check("har_cnn_psl");
  this->check("har_cnn_sflv1");
}
TYPED_TEST(ModeFixture, RowsOfATable) {
  this->check("mlp_table_psl");
  this->check("mlp_table_psl_local");
}
TYPED_TEST(ModeFixture, TokenSequences) {
  this->check("text_cnn_psl");
  this->check("text_cnn_psl_local");
  this->check("text_cnn_sflv1");
}
TYPED_TEST(ModeFixture, VisionTransformer) {
  this->check("vit_psl");
  this->check("vit_psl_local");
  this->check("vit_sflv1");
}
TYPED_TEST(ModeFixture, Sflv1) {
  this->check("sflv1_samples");
  this->check("sflv1_uniform");
  this->check("sflv1_batch");
}
TYPED_TEST(ModeFixture, Sflv2) {
  this->check("sflv2_cyclic");
  this->check("sflv2_reverse");
  this->check("sflv2_random");
  this->check("sflv2_batch");
}
TYPED_TEST(ModeFixture, Sflv3) { this->check("sflv3_seen"); }
TYPED_TEST(ModeFixture, Sl) {
  this->check("sl_cyclic");
  this->check("sl_random");
}
TYPED_TEST(ModeFixture, GradientsMixedAtTheCut) {
  this->check("sglr_union");
  this->check("sglr_own");
}
TYPED_TEST(ModeFixture, GradientsMixedAtTheOutput) { this->check("epsl_union"); }
TYPED_TEST(ModeFixture, GradientsTurnedToALeader) { this->check("gapsl_union"); }
TYPED_TEST(ModeFixture, AuxiliaryHeads) {
  this->check("cse_fsl_every");
  this->check("cse_fsl_second");
  this->check("fsl_an_every");
}
TYPED_TEST(ModeFixture, LinkAtTheCut) {
  this->check("link_psl");
  this->check("link_psl_local");
  this->check("link_sglr");
}
TYPED_TEST(ModeFixture, Clusters) {
  this->check("cpsl_own");
  this->check("cpsl_passed");
}
TYPED_TEST(ModeFixture, Groups) {
  this->check("gcpsl_union");
  this->check("gcpsl_own");
}
TYPED_TEST(ModeFixture, OneServerOfAveragedClients) {
  this->check("mergesfl_own");
  this->check("minibatch_sfl_union");
}
TYPED_TEST(ModeFixture, FederatedLearning) {
  this->check("fedavg_samples");
  this->check("fedprox_samples");
}
TYPED_TEST(ModeFixture, PslMaterialised) { this->check("psl_materialised"); }
TYPED_TEST(ModeFixture, Optimisers) {
  this->check("adam_psl");
  this->check("adamw_psl_local");
  this->check("adam_sflv1");
  this->check("sgd_dampening_psl_local");
}
TYPED_TEST(ModeFixture, ClippingAndSmoothing) {
  this->check("clip_psl_local");
  this->check("smoothing_psl");
}
TYPED_TEST(ModeFixture, LossesAndSampleWeights) {
  this->check("focal_psl");
  this->check("class_balanced_psl");
  this->check("absgd_psl");
}

}  // namespace
}  // namespace splitsim

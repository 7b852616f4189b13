// Ten training steps against PyTorch in float64 (tests/fixtures/README.md): losses, first gradients, parameters after
// one and after ten steps, for psl and psl_local, lenet, cnn and mlp.
#include <gtest/gtest.h>

#include "tests/runtime/train/fixture_support.hpp"

namespace splitsim {
namespace {

using nlohmann::json;
using test::expect_block;
using test::load_fixture;
using test::rig_input;

template <class B>
class EngineFixture : public test::OnBackend<B> {
 protected:
  using Context = typename B::Context;

  void check(const std::string& name) {
    SCOPED_TRACE(name);
    const json fixture = load_fixture(name);
    test::RigInput in = rig_input(fixture);
    in.layout = B::kLayout;
    test::Rig<Context> rig(this->ctx(), in);
    const std::int64_t p_client = rig.network.parameters[kClientSide];

    std::vector<StepMetrics> metrics = rig.run(0, 1);
    check_gradients(fixture, in, rig, p_client);
    check_parameters(fixture, fixture.at("after_one_step"), rig, p_client, "after one step");
    const std::vector<StepMetrics> rest = rig.run(1, 10);
    metrics.insert(metrics.end(), rest.begin(), rest.end());
    for (std::size_t t = 0; t < metrics.size(); ++t) {
      // Losses are about 2.3: 16 float32 roundings of the logits' scale, as for the tensors.
      EXPECT_NEAR(metrics[t].loss, fixture.at("loss")[t].get<double>(), 16 * std::ldexp(2.5, -22)) << "step " << t;
      EXPECT_EQ(metrics[t].correct, fixture.at("correct")[t].get<int>()) << "step " << t;
      EXPECT_EQ(metrics[t].batch, in.schedule.step_first[t + 1] - in.schedule.step_first[t]);
    }
    check_parameters(fixture, fixture.at("after_all_steps"), rig, p_client, "after all steps");
  }

 private:
  void check_gradients(const json& fixture, const test::RigInput& in, test::Rig<Context>& rig, std::int64_t p_client) {
    const json& expected = fixture.at("gradients_first_step");
    const std::vector<float> client = rig.gradients(kClientSide), server = rig.gradients(kServerSide);
    expect_block(fixture, expected.at("server"), "server", server.data(), "gradient");
    std::vector<bool> active(expected.at("client").size(), rig.engine.replicas(kClientSide) == 1);
    if (rig.engine.replicas(kClientSide) > 1) {
      for (std::int32_t s = 0; s < in.schedule.step_first[1]; ++s)
        active[static_cast<std::size_t>(in.schedule.client[static_cast<std::size_t>(s)])] = true;
    }
    std::int64_t rank = 0;
    for (std::size_t g = 0; g < expected.at("client").size(); ++g) {
      ASSERT_EQ(active[g], !expected.at("client")[g].is_null()) << "replica " << g;
      if (active[g])
        expect_block(fixture, expected.at("client")[g], "client", client.data() + p_client * rank++, "gradient");
    }
  }
  void check_parameters(const json& fixture, const json& expected, test::Rig<Context>& rig, std::int64_t p_client,
                        const char* what) {
    const TrainingState state = rig.engine.download();
    expect_block(fixture, expected.at("server"), "server", state.parameters[kServerSide].data(), what);
    ASSERT_EQ(static_cast<std::int64_t>(expected.at("client").size()), rig.engine.replicas(kClientSide));
    for (std::size_t g = 0; g < expected.at("client").size(); ++g) {
      expect_block(fixture, expected.at("client")[g], "client",
                   state.parameters[kClientSide].data() + p_client * static_cast<std::int64_t>(g), what);
    }
  }
};
TYPED_TEST_SUITE(EngineFixture, test::Backends);

TYPED_TEST(EngineFixture, InitialParametersEqualPyTorchSideDraws) {
  for (const char* name : {"lenet_pool1_psl_sum", "cnn32_pool1_psl_mean", "mlp_relu1_psl_sum"}) {
    const json fixture = load_fixture(name);
    const test::RigInput in = rig_input(fixture);
    const Network network = build_network(model_layers(in.model, in.classes), in.cut, in.input, in.classes);
    for (int side = 0; side < 2; ++side) {
      const std::vector<float> values = initial_parameters(network, side, in.seed);
      std::int64_t offset = 0;
      for (const json& tensor : fixture.at("tensors")) {
        if (tensor.at("side") != (side == kClientSide ? "client" : "server")) continue;
        std::int64_t size = 1;
        for (const json& n : tensor.at("shape")) size *= n.get<std::int64_t>();
        for (std::size_t p = 0; p < tensor.at("probe_index").size(); ++p) {
          EXPECT_EQ(values[static_cast<std::size_t>(offset + tensor.at("probe_index")[p].get<std::int64_t>())],
                    static_cast<float>(tensor.at("initial_probes")[p].get<double>()))
              << name << " " << tensor.at("name");
        }
        offset += size;
      }
      EXPECT_EQ(offset, static_cast<std::int64_t>(values.size()));
    }
  }
}

TYPED_TEST(EngineFixture, LenetPsl) {
  this->check("lenet_pool1_psl_sum");
  this->check("lenet_pool1_psl_mean");
  this->check("lenet_pool2_psl_sum_nesterov");
}
TYPED_TEST(EngineFixture, LenetPslLocal) {
  this->check("lenet_pool1_psl_local_union");
  this->check("lenet_pool2_psl_local_own");
}
TYPED_TEST(EngineFixture, CnnPsl) {
  this->check("cnn_pool1_psl_sum");
  this->check("cnn32_pool1_psl_mean");
}
TYPED_TEST(EngineFixture, CnnPslLocal) {
  this->check("cnn_pool1_psl_local_union");
  this->check("cnn32_pool1_psl_local_own");
}
TYPED_TEST(EngineFixture, Mlp) { this->check("mlp_relu1_psl_sum"); }

}  // namespace
}  // namespace splitsim

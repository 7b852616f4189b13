#include <gtest/gtest.h>

#include <cmath>

#include "kernels/device/error.hpp"
#include "runtime/config/config.hpp"
#include "runtime/model/models.hpp"
#include "runtime/train/learning_rate.hpp"
#include "runtime/train/modes.hpp"

namespace splitsim {
namespace {

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const InputError& error) {
    EXPECT_EQ(error.exit_code(), 2);
    return error.what();
  }
  ADD_FAILURE() << "no InputError";
  return "";
}

TEST(Model, LenetHasItsKnownShapesAndSizes) {
  const Network network = build_network(model_layers("lenet", 10), "pool1", {1, 28, 28}, 10);
  EXPECT_EQ(network.client_layers, 3u);
  EXPECT_EQ(network.cut_shape().size(), 6 * 14 * 14);
  EXPECT_EQ(network.parameters[kClientSide], 6 * 25 + 6);
  EXPECT_EQ(network.parameters[kServerSide], 16 * 150 + 16 + 400 * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10);
}

TEST(Model, CnnFollowsTheImageSize) {
  EXPECT_EQ(build_network(model_layers("cnn", 10), "pool3", {1, 28, 28}, 10).cut_shape().size(), 128 * 3 * 3);
  EXPECT_EQ(build_network(model_layers("cnn", 10), "pool3", {3, 32, 32}, 10).cut_shape().size(), 128 * 4 * 4);
}

TEST(Model, BadInputIsNamed) {
  EXPECT_NE(message_of([] { model_layers("lent", 10); }).find("model.name = \"lent\""), std::string::npos);
  const std::string cut = message_of([] { build_network(model_layers("lenet", 10), "pool9", {1, 28, 28}, 10); });
  EXPECT_NE(cut.find("model.cut = \"pool9\""), std::string::npos);
  EXPECT_NE(cut.find("pool1"), std::string::npos);
  EXPECT_NE(message_of([] {
              build_network(model_layers("lenet", 10), "pool1", {1, 4, 4}, 10);
            }).find("conv2"),
            std::string::npos);
}

TEST(Model, InitialParametersAreTorchsUniform) {
  const Network network = build_network(model_layers("lenet", 10), "pool1", {1, 28, 28}, 10);
  const std::vector<float> server = initial_parameters(network, kServerSide, 3);
  const Layer& fc1 = network.layers[6];
  double sum = 0.0, squares = 0.0, largest = 0.0;
  for (std::int64_t i = 0; i < fc1.weight_size; ++i) {
    const double v = server[static_cast<std::size_t>(fc1.weight_offset + i)];
    sum += v;
    squares += v * v;
    largest = std::max(largest, std::abs(v));
  }
  const double bound = 1.0 / 20.0, n = 48000.0;  // 1 / sqrt(400)
  EXPECT_LE(largest, bound);
  EXPECT_GT(largest, 0.999 * bound);
  EXPECT_NEAR(sum / n, 0.0, 5 * bound / std::sqrt(3.0 * n));  // 5 sigma: false alarm 6e-7
  EXPECT_NEAR(squares / n, bound * bound / 3, 5 * bound * bound * std::sqrt(4.0 / 45.0 / n));
  EXPECT_NE(server, initial_parameters(network, kServerSide, 4));
}

TEST(LearningRate, WarmUpThenCosine) {
  OptimizerSettings settings;
  settings.lr = 1.0;
  settings.warmup_epochs = 0.5;
  const std::vector<float> rates = learning_rates(settings, 4, 3);
  ASSERT_EQ(rates.size(), 12u);
  EXPECT_FLOAT_EQ(rates[0], 0.5f);
  EXPECT_FLOAT_EQ(rates[1], 1.0f);
  EXPECT_FLOAT_EQ(rates[2], 1.0f);
  EXPECT_FLOAT_EQ(rates[7], 0.5f);  // half of the ten steps after the warm-up
  settings.schedule = "constant";
  EXPECT_FLOAT_EQ(learning_rates(settings, 4, 3)[11], 1.0f);
}

TEST(Modes, AreMaps) {
  TrainSettings settings;
  EXPECT_FALSE(mode_map(settings).replicas[kClientSide]);
  settings.mode = "psl_local";
  EXPECT_TRUE(mode_map(settings).replicas[kClientSide]);
  EXPECT_FALSE(mode_map(settings).replicas[kServerSide]);
  settings.client_scale = "mine";
  EXPECT_NE(message_of([&] { mode_map(settings); }).find("train.client_scale = \"mine\": allowed: union, own"),
            std::string::npos);
  settings.mode = "sfl";
  EXPECT_NE(message_of([&] { mode_map(settings); }).find("psl_local"), std::string::npos);
}

}  // namespace
}  // namespace splitsim

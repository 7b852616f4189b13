#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <stdexcept>

#include "base/error.hpp"
#include "runtime/config/config.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "runtime/train/learning_rate.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/where_read.hpp"

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

const Layer& layer_named(const Network& network, const std::string& name) {
  for (const Layer& layer : network.layers) {
    if (layer.spec.name == name) return layer;
  }
  throw std::out_of_range(name);
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
  const LayerTensor& fc1 = *network.layers[6].tensor("weight");
  double sum = 0.0, squares = 0.0, largest = 0.0;
  for (std::int64_t i = 0; i < fc1.size(); ++i) {
    const double v = server[static_cast<std::size_t>(fc1.offset + i)];
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

std::int64_t all_parameters(const std::string& model, FeatureShape input, NetworkOptions options = {}) {
  const Network network = build_network(model_layers(model, 10), "layer1", input, 10, options);
  return network.parameters[0] + network.parameters[1];
}

// Known sizes with ten classes; torchvision's ImageNet nets have 11689512 and 21797672 with a thousand.
TEST(Model, ResNetsAndVggHaveTheirKnownSizes) {
  NetworkOptions batch;
  batch.norm[0] = batch.norm[1] = NormKind::kBatch;
  EXPECT_EQ(all_parameters("resnet18", {3, 32, 32}), 11173962);
  EXPECT_EQ(all_parameters("resnet18", {3, 32, 32}, batch), 11173962);
  EXPECT_EQ(all_parameters("resnet34", {3, 32, 32}), 21282122);
  EXPECT_EQ(all_parameters("resnet18_imagenet", {3, 224, 224}), 11689512 - 513 * 990);
  EXPECT_EQ(all_parameters("resnet34_imagenet", {3, 224, 224}), 21797672 - 513 * 990);
  // Without the two blocks' skips nothing has parameters less.
  EXPECT_EQ(all_parameters("resnet18_gpsl", {3, 32, 32}), 11173962);
  const Network vgg = build_network(model_layers("vgg11", 10), "pool1", {3, 32, 32}, 10, batch);
  EXPECT_EQ(vgg.parameters[0] + vgg.parameters[1], 9231114);
  EXPECT_EQ(vgg.parameters[0], 27 * 64 + 64 + 2 * 64);
  EXPECT_EQ(vgg.buffers[0], 2 * 64);
  EXPECT_EQ(vgg.buffers[1], 2 * (128 + 2 * 256 + 4 * 512));
}

// torchvision's has 3504872 with a thousand classes; strides change nothing.
TEST(Model, MobileNetHasItsKnownSize) {
  NetworkOptions batch;
  batch.norm[0] = batch.norm[1] = NormKind::kBatch;
  const Network network = build_network(model_layers("mobilenet_v2", 10), "block3", {3, 32, 32}, 10, batch);
  EXPECT_EQ(network.parameters[0] + network.parameters[1], 3504872 - 1281 * 990);
  EXPECT_EQ(network.cut_shape(), (FeatureShape{24, 32, 32}));
  EXPECT_EQ(layer_named(network, "norm2").out, (FeatureShape{1280, 4, 4}));
}

TEST(Model, DropoutTakesAProbability) {
  const auto listed = [](const std::string& p) {
    return parse_config("", "", {"model.name=layers", "model.layers=[{ kind = 'dropout', p = " + p + " }]"});
  };
  EXPECT_EQ(listed("0.25").model.layers[0].probability, 0.25);
  EXPECT_EQ(listed("0").model.layers[0].probability, 0.0);
  for (const char* p : {"1.0", "1", "1.5", "-0.5", "-1e-9", "inf", "nan"}) {
    EXPECT_NE(message_of([&] { listed(p); }).find("model.layers.p = "), std::string::npos) << p;
  }
}

TEST(Model, ResNetsAreCutBehindStagesAndBlocks) {
  const std::vector<LayerSpec> layers = model_layers("resnet18", 10);
  const std::vector<std::string> cuts = possible_cuts(layers);
  for (const char* name : {"conv1", "norm1", "relu1", "layer1", "layer2", "layer3", "layer4", "layer1.0.relu2"}) {
    EXPECT_TRUE(std::find(cuts.begin(), cuts.end(), name) != cuts.end()) << name;
    EXPECT_NO_THROW(build_network(layers, name, {3, 32, 32}, 10)) << name;
  }
  EXPECT_EQ(build_network(layers, "layer1", {3, 32, 32}, 10).cut_shape(), (FeatureShape{64, 32, 32}));
  EXPECT_EQ(build_network(layers, "layer3", {3, 32, 32}, 10).cut_shape(), (FeatureShape{256, 8, 8}));
  const std::string inside = message_of([&] { build_network(layers, "layer1.0.conv1", {3, 32, 32}, 10); });
  EXPECT_NE(inside.find("a skip connection leads past it"), std::string::npos);
  EXPECT_NE(
      inside.find("allowed: conv1, norm1, relu1, layer1.0.add, layer1.0.relu2, layer1.1.add, layer1, layer2.0.add"),
      std::string::npos)
      << inside;
  EXPECT_NE(message_of([&] {
              build_network(layers, "layer", {3, 32, 32}, 10);
            }).find("no such layer"),
            std::string::npos);
  ModelSettings gpsl;
  gpsl.name = "resnet18_gpsl";
  gpsl.cut = "layer2";
  EXPECT_NE(message_of([&] { model_layers(gpsl, 10); }).find("layer1, which its cut defines"), std::string::npos);
}

TEST(Model, ImageNetsStemHalvesTwice) {
  const std::vector<LayerSpec> layers = model_layers("resnet18_imagenet", 10);
  EXPECT_EQ(build_network(layers, "conv1", {3, 224, 224}, 10).cut_shape(), (FeatureShape{64, 112, 112}));
  EXPECT_EQ(build_network(layers, "pool1", {3, 224, 224}, 10).cut_shape(), (FeatureShape{64, 56, 56}));
  EXPECT_EQ(build_network(layers, "layer4", {3, 224, 224}, 10).cut_shape(), (FeatureShape{512, 7, 7}));
}

TEST(Model, NormsFollowTheirSide) {
  NetworkOptions options;
  options.norm[kClientSide] = NormKind::kNone;
  options.norm[kServerSide] = NormKind::kBatch;
  const Network network = build_network(model_layers("resnet18", 10), "layer1", {3, 32, 32}, 10, options);
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Layer& layer = network.layers[i];
    EXPECT_NE(layer.spec.kind->name, "group_norm");
    EXPECT_TRUE(network.side(i) == kServerSide || layer.spec.kind->name != "batch_norm") << layer.spec.name;
    // A convolution has a bias where no norm follows it.
    const bool biased = layer.tensor("bias") != nullptr;
    EXPECT_TRUE(layer.spec.kind->name != "conv" || biased == (network.side(i) == kClientSide));
  }
  EXPECT_EQ(network.buffers[kClientSide], 0);
  EXPECT_GT(network.buffers[kServerSide], 0);
  // gcd(32, channels) groups, and cnn's own 8.
  for (const Layer& layer : build_network(model_layers("resnet18", 10), "layer1", {3, 32, 32}, 10).layers) {
    EXPECT_TRUE(layer.spec.kind->name != "group_norm" || layer.spec.groups == 32);
  }
  EXPECT_EQ(build_network(model_layers("cnn", 10), "pool1", {3, 32, 32}, 10).layers[1].spec.groups, 8);
  EXPECT_EQ(layer_named(build_network({layer::conv("c", 48, 3, 1, 1), layer::norm("n"), layer::linear("l", 10)}, "n",
                                      {1, 8, 8}, 10),
                        "n")
                .spec.groups,
            16);
}

TEST(Model, WidthScalesAllStages) {
  ModelSettings settings;
  settings.name = "resnet18";
  settings.cut = "layer1";
  settings.width = 8;
  const Network network = build_network(model_layers(settings, 10), "layer1", {3, 32, 32}, 10);
  EXPECT_EQ(network.cut_shape().channels, 8);
  EXPECT_EQ(network.layers.back().in.channels, 64);
  settings.name = "lenet";
  EXPECT_NE(message_of([&] { model_layers(settings, 10); }).find("model.width = 8"), std::string::npos);
}

TEST(Model, KaimingWeightsHaveTheirVariance) {
  NetworkOptions options;
  options.init = InitKind::kKaiming;
  const Network network = build_network(model_layers("resnet18", 10), "layer1", {3, 32, 32}, 10, options);
  const std::vector<float> server = initial_parameters(network, kServerSide, 3);
  const LayerTensor& conv = *layer_named(network, "layer2.0.conv1").tensor("weight");
  double sum = 0.0, squares = 0.0;
  for (std::int64_t i = 0; i < conv.size(); ++i) {
    const double v = server[static_cast<std::size_t>(conv.offset + i)];
    sum += v;
    squares += v * v;
  }
  const double variance = 2.0 / (128 * 9), n = 128 * 64 * 9;
  EXPECT_NEAR(sum / n, 0.0, 5 * std::sqrt(variance / n));  // 5 sigma
  EXPECT_NEAR(squares / n, variance, 5 * variance * std::sqrt(2.0 / n));
  const std::vector<float> torch =
      initial_parameters(build_network(model_layers("resnet18", 10), "layer1", {3, 32, 32}, 10), kServerSide, 3);
  EXPECT_EQ(std::vector<float>(server.end() - 5130, server.end()),
            std::vector<float>(torch.end() - 5130, torch.end()));  // the linear layer
}

TEST(Model, ListedLayers) {
  const Config config = parse_config(R"(
[model]
name = "layers"
cut = "relu1"
layers = [
  { kind = "conv", out = 8, kernel = 3, padding = 1 },
  { kind = "norm" },
  { kind = "relu" },
  { kind = "max_pool", kernel = 3, stride = 2, padding = 1 },
  { kind = "conv", name = "second", out = 16, kernel = 3, stride = 2, bias = false },
  { kind = "global_avg_pool" },
  { kind = "linear" },
])",
                                     "test.toml", {});
  const std::vector<LayerSpec> layers = model_layers(config.model, 7);
  const Network network = build_network(layers, config.model.cut, {1, 28, 28}, 7, network_options(config.model));
  EXPECT_EQ(network.client_layers, 3u);
  EXPECT_EQ(layer_named(network, "max_pool1").out, (FeatureShape{8, 14, 14}));
  EXPECT_EQ(layer_named(network, "second").out, (FeatureShape{16, 6, 6}));
  EXPECT_EQ(layer_named(network, "second").tensor("bias"), nullptr);
  EXPECT_EQ(layer_named(network, "linear1").tensor("weight")->size(), 16 * 7);
  ModelSettings settings = config.model;
  settings.name = "lenet";
  EXPECT_NE(message_of([&] { model_layers(settings, 7); }).find("model.layers"), std::string::npos);
  settings.name = "layers";
  settings.layers.clear();
  EXPECT_NE(message_of([&] { model_layers(settings, 7); }).find("at least one layer"), std::string::npos);
  settings.layers = {layer::linear("", 0), layer::relu(""), layer::linear("", 0)};  // only the last may leave it open
  EXPECT_NE(message_of([&] { model_layers(settings, 7); }).find("model.layers.out = 0 (layer 'linear1')"),
            std::string::npos);
}

// A number is both height and width; two are height, width. Groups split the channels.
TEST(Model, ListedWindowsAndGroups) {
  const auto listed = [](const std::string& layers) {
    return parse_config("", "", {"model.name=layers", "model.cut=conv1", "model.layers=[" + layers + "]"});
  };
  const std::string layers =
      "{ kind = 'conv', out = 6, kernel = [1, 25], stride = [1, 2], padding = [0, 12] }, "
      "{ kind = 'max_pool', kernel = [3, 1], padding = [1, 0] }, "
      "{ kind = 'conv', out = 12, kernel = 3, padding = 1, groups = 6 }, { kind = 'linear' }";
  const Config config = listed(layers);
  const Network network = build_network(model_layers(config.model, 5), "conv1", {3, 4, 60}, 5);
  EXPECT_EQ(network.layers[0].out, (FeatureShape{6, 4, 30}));
  EXPECT_EQ(network.layers[0].tensor("weight")->shape, (std::vector<std::int64_t>{6, 3, 1, 25}));
  EXPECT_EQ(network.layers[1].out, (FeatureShape{6, 4, 30}));
  EXPECT_EQ(network.layers[2].tensor("weight")->shape, (std::vector<std::int64_t>{12, 1, 3, 3}));
  EXPECT_EQ(network.layers[2].tensor("weight")->fan_in, 9);
  EXPECT_EQ(listed("{ kind = 'conv', out = 2, kernel = [3, 3] }").model.layers,
            listed("{ kind = 'conv', out = 2, kernel = 3, groups = 1 }").model.layers);
  const std::string written = to_toml(config);
  EXPECT_NE(written.find("kernel = [1, 25], stride = [1, 2], padding = [0, 12], bias = true }"), std::string::npos);
  EXPECT_NE(written.find("kernel = 3, stride = 1, padding = 1, bias = true, groups = 6 }"), std::string::npos);
  EXPECT_EQ(parse_config(written, "", {}).model.layers, config.model.layers);
  const auto error_of = [&](const std::string& one) { return message_of([&] { listed(one); }); };
  EXPECT_NE(error_of("{ kind = 'conv', out = 2, kernel = [3] }").find("[height, width]"), std::string::npos);
  EXPECT_NE(error_of("{ kind = 'conv', out = 2, kernel = [3, 0] }").find("[1, 65536]"), std::string::npos);
  EXPECT_NE(error_of("{ kind = 'max_pool', kernel = [2, 5], padding = [2, 0] }").find("padding = 2 x 0"),
            std::string::npos);
  const std::string odd = message_of([&] {
    build_network(model_layers(listed("{ kind = 'conv', out = 4, kernel = 1, groups = 2 }").model, 4), "conv1",
                  {3, 1, 1}, 4);
  });
  EXPECT_NE(odd.find("2 groups, which do not divide its 3 channels"), std::string::npos);
  const std::string narrow = message_of([&] {
    build_network(model_layers(listed("{ kind = 'conv', out = 4, kernel = [1, 3] }").model, 4), "conv1", {3, 9, 2}, 4);
  });
  EXPECT_NE(narrow.find("window 1 x 3"), std::string::npos);
}

// Every experiment that comes with the project parses, and its net can be built for its data set's images.
TEST(Model, ExperimentsCanBeBuilt) {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(test::source_dir() + "/experiments")) {
    if (file.path().extension() != ".toml" || file.path().string().ends_with(".sweep.toml")) continue;
    SCOPED_TRACE(file.path().filename().string());
    const Config config = load_config(file.path().string(), {});
    const FeatureShape input = config.data.name == "cifar10" ? FeatureShape{3, 32, 32} : FeatureShape{1, 28, 28};
    EXPECT_NO_THROW(
        build_network(model_layers(config.model, 10), config.model.cut, input, 10, network_options(config.model)));
    EXPECT_NO_THROW(mode_map(config.train));
    ++count;
  }
  EXPECT_GE(count, 5);
}

TEST(Model, BadGraphsAreNamed) {
  const auto error_of = [](std::vector<LayerSpec> layers) {
    return message_of([&] { build_network(layers, layers[0].name, {1, 8, 8}, 4); });
  };
  EXPECT_NE(error_of({layer::conv("a", 4, 3, 1, 1), layer::conv("a", 4, 3, 1, 1)}).find("two layers"),
            std::string::npos);
  EXPECT_NE(error_of({layer::conv("a", 4, 3, 1, 1), layer::add("b", "a", "z")}).find("no earlier layer"),
            std::string::npos);
  EXPECT_NE(error_of({layer::conv("a", 4, 3, 1, 1), layer::conv("b", 8, 3, 1, 1), layer::add("c", "b", "a")})
                .find("of another shape"),
            std::string::npos);
  EXPECT_NE(error_of({layer::conv("a", 4, 3, 1, 1)}).find("256 features for 4 classes"), std::string::npos);
}

TEST(LearningRate, StepsAndMilestones) {
  OptimizerSettings settings;
  settings.lr = 1.0;
  settings.gamma = 0.5;
  settings.schedule = RateSchedule::kStep;
  settings.step_epochs = 2;
  const std::vector<float> step = learning_rates(settings, 3, 6);
  for (std::size_t t = 0; t < 18; ++t) EXPECT_FLOAT_EQ(step[t], std::pow(0.5f, static_cast<float>(t / 6))) << t;
  settings.schedule = RateSchedule::kMultistep;
  settings.milestones = {1, 4};
  const std::vector<float> multi = learning_rates(settings, 3, 6);
  for (std::size_t t = 0; t < 18; ++t) EXPECT_FLOAT_EQ(multi[t], t < 3 ? 1.0f : t < 12 ? 0.5f : 0.25f) << t;
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
  settings.schedule = RateSchedule::kConstant;
  EXPECT_FLOAT_EQ(learning_rates(settings, 4, 3)[11], 1.0f);
}

// The clock of a run: kind by the mode, order and round by the settings.
TEST(Modes, HaveTheirClocks) {
  const auto clock = [](const std::string& mode, const std::string& order) {
    const Config config = parse_config(
        "", "", test::where_read({"train.service_order=" + order, "train.round=7"}, {"train.mode=" + mode}));
    return clock_mode_of(config, mode_map(config.train));
  };
  for (const char* mode : {"psl", "psl_local", "sflv1", "sflv3", "sglr", "epsl", "gapsl", "gcpsl", "mergesfl"}) {
    EXPECT_EQ(clock(mode, "cyclic").kind, ClockKind::kBarrier) << mode;
  }
  EXPECT_EQ(clock("sflv2", "reverse").kind, ClockKind::kChain);
  EXPECT_EQ(clock("sl", "reverse").kind, ClockKind::kRelay);
  EXPECT_EQ(clock("cpsl", "reverse").kind, ClockKind::kClusters);
  EXPECT_EQ(clock("central", "reverse").kind, ClockKind::kServer);
  EXPECT_EQ(clock("fedprox", "reverse").kind, ClockKind::kLocal);
  EXPECT_EQ(clock("sflv2", "cyclic").service_order, ServiceOrder::kCyclic);
  EXPECT_EQ(clock("sflv2", "reverse").service_order, ServiceOrder::kReverse);
  EXPECT_EQ(clock("sl", "random").service_order, ServiceOrder::kRandom);
  EXPECT_EQ(clock("sflv1", "cyclic").round_steps, 7);
}

TEST(Modes, AreMaps) {
  TrainSettings settings;
  EXPECT_FALSE(mode_map(settings).part[kClientSide].many());
  settings.mode = "psl_local";
  EXPECT_TRUE(mode_map(settings).part[kClientSide].many());
  EXPECT_FALSE(mode_map(settings).part[kServerSide].many());
  settings.mode = "sflv2";
  EXPECT_TRUE(mode_map(settings).deals() && mode_map(settings).averages());
  settings.mode = "sfl";
  EXPECT_NE(message_of([&] { mode_map(settings); }).find("psl_local"), std::string::npos);
}

}  // namespace
}  // namespace splitsim

// The clock that knows the network: what a cut costs, in closed form, and the table of all cuts.
#include "runtime/study/cut_table.hpp"

#include <gtest/gtest.h>

#include <sstream>

#include "runtime/model/models.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using Overrides = std::vector<std::string>;

// LeNet on 28x28: every product counted by hand.
TEST(MultiplyAdds, OfLenet) {
  ModelSettings settings;
  settings.name = "lenet";
  const auto macs = [&](const std::string& cut, int side) {
    return multiply_adds(build_network(model_layers(settings, 10), cut, {1, 28, 28}, 10, network_options(settings)),
                         side);
  };
  const std::int64_t conv1 = 28 * 28 * 6 * 25, conv2 = 10 * 10 * 16 * 6 * 25;
  const std::int64_t fc = 400 * 120 + 120 * 84 + 84 * 10;
  EXPECT_EQ(macs("conv1", kClientSide), conv1);
  EXPECT_EQ(macs("pool1", kClientSide), conv1);  // pools and ReLUs multiply nothing
  EXPECT_EQ(macs("pool2", kClientSide), conv1 + conv2);
  EXPECT_EQ(macs("pool2", kServerSide), fc);
  EXPECT_EQ(macs("fc2", kServerSide), 840);
}

TEST(MultiplyAdds, GroupsAndStridesCount) {
  ModelSettings settings;
  settings.name = "layers";
  settings.cut = "conv1";
  settings.layers = parse_config("", "",
                                 {"model.name=layers", "model.cut=conv1",
                                  "model.layers=[{kind='conv', out=8, kernel=3, stride=2, padding=1, groups=4},"
                                  "{kind='linear', out=0}]"})
                        .model.layers;
  const Network network = build_network(model_layers(settings, 3), "conv1", {4, 16, 16}, 3, network_options(settings));
  EXPECT_EQ(multiply_adds(network, kClientSide), 8 * 8 * 8 * 1 * 9);
  EXPECT_EQ(multiply_adds(network, kServerSide), 8 * 8 * 8 * 3);
}

class Cuts : public testing::Test {
 protected:
  // One client, one batch of all 600 samples, links of 8 Mbit/s: a byte takes a microsecond.
  Scene scene(Overrides more = {}) const {
    Overrides overrides = {"model.name=mlp",
                           "model.cut=fc1",
                           "clock.compute=flops",
                           "clock.client_gflops={kind='constant',value=2.0}",
                           "clock.server_gflops=100",
                           "clock.backward_ratio=3.0",
                           "clock.delay_ms={kind='constant',value=0.0}",
                           "clock.uplink_mbps={kind='constant',value=8.0}",
                           "clock.downlink_mbps={kind='constant',value=8.0}",
                           "clock.model_sync=none",
                           "clock.server_ms.fixed=0",
                           "sampler.batch=600"};
    overrides.insert(overrides.end(), more.begin(), more.end());
    Config config = data_.config(overrides);
    config.partition.clients = 1;
    config.partition.kind = "iid";
    return make_scene(config);
  }
  test::SmallData data_;  // 16x16, four classes
};

TEST_F(Cuts, AStepIsItsWorkAndItsBytes) {
  // mlp: 256 -> 256 -> 128 -> 4.
  const double macs[] = {256.0 * 256, 256.0 * 128, 128.0 * 4};
  for (const auto& [cut, layers, features] :
       {std::tuple{"fc1", 1, 256}, {"relu1", 1, 256}, {"fc2", 2, 128}, {"fc3", 3, 4}}) {
    const Scene at = scene({std::string("model.cut=") + cut});
    double client = 0.0, server = 0.0;
    for (int i = 0; i < 3; ++i) (i < layers ? client : server) += macs[i];
    EXPECT_EQ(at.cut.client_macs, static_cast<std::int64_t>(client));
    EXPECT_EQ(at.cut.server_macs, static_cast<std::int64_t>(server));
    // Nanoseconds: two operations a multiply-add, forward and three times that backward; bytes both ways, and the
    // label.
    const double expected = 600 * (2 * client / 2.0 * 4 + 2 * server / 100.0 * 4 + 1000.0 * (features * 4 * 2 + 4));
    for (const CutRow& row : cut_table(at)) {
      if (row.cut != cut) continue;
      EXPECT_NEAR(row.step_s, expected * 1e-9, 600 * 3e-9) << cut;  // roundings of three times
    }
  }
}

TEST_F(Cuts, CompressedBytesCount) {
  // 256 levels, and a range; a quarter of the gradients, with the 8 bits of a place among 256.
  const std::int64_t up = 256 + 8, down = 64 * 4 + 64;
  const Scene at = scene({"cut.up=int8", "cut.down=top_k", "cut.keep=0.25", "cut.noise=0.1"});
  EXPECT_EQ(at.cut.activation, up);
  EXPECT_EQ(at.cut.gradient, down);
  const CutRow row = cut_table(at)[0], plain = cut_table(scene())[0];
  EXPECT_EQ(row.cut, plain.cut);
  EXPECT_EQ(row.activation_bytes, up);
  EXPECT_EQ(row.gradient_bytes, down);
  EXPECT_NEAR(plain.step_s - row.step_s, 600 * 1e-6 * static_cast<double>(2 * 1024 - up - down), 600 * 3e-9);
  EXPECT_EQ(cut_table(at).size(), cut_table(scene()).size());
}

TEST_F(Cuts, TheTableHasEveryCutOnceAndNamesTheFastest) {
  const std::vector<CutRow> slow_link = cut_table(scene());
  std::vector<std::string> names;
  for (const CutRow& row : slow_link) {
    names.push_back(row.cut);
    EXPECT_EQ(row.macs[0] + row.macs[1], 256 * 256 + 256 * 128 + 128 * 4);
    EXPECT_EQ(row.parameters[0] + row.parameters[1], 257 * 256 + 257 * 128 + 129 * 4);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"fc1", "relu1", "fc2", "relu2", "fc3"}));
  // Few bytes late in the net; little work early in it.
  EXPECT_NE(to_text(slow_link).find("shortest step: model.cut = \"fc3\""), std::string::npos);
  const std::string slow_client = to_text(cut_table(scene({"clock.client_gflops={kind='constant',value=0.001}"})));
  EXPECT_NE(slow_client.find("shortest step: model.cut = \"fc1\""), std::string::npos) << slow_client;
  std::istringstream lines(slow_client);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 80u) << line;
  EXPECT_TRUE(cut_table(scene({"train.mode=central"})).empty());
  EXPECT_TRUE(cut_table(scene({"train.mode=fedavg"})).empty());
}

TEST_F(Cuts, FasterIsNeverSlower) {
  double before = 1e300;
  for (const char* speed : {"0.5", "1.0", "2.0", "64.0"}) {
    const auto rows = cut_table(scene({std::string("clock.client_gflops={kind='constant',value=") + speed + "}"}));
    EXPECT_LT(rows[0].step_s, before);
    before = rows[0].step_s;
  }
  EXPECT_LT(cut_table(scene({"clock.server_gflops=1000"}))[0].step_s, cut_table(scene())[0].step_s);
}

TEST_F(Cuts, WhoRunsTheWholeNetDoesAllItsWork) {
  const std::int64_t all = 256 * 256 + 256 * 128 + 128 * 4;
  const Scene central = scene({"train.mode=central"}), fedavg = scene({"train.mode=fedavg"});
  EXPECT_EQ(central.cut.client_macs, 0);
  EXPECT_EQ(central.cut.server_macs, all);
  EXPECT_EQ(fedavg.cut.client_macs, all);
  EXPECT_EQ(fedavg.cut.server_macs, 0);
  EXPECT_EQ(fedavg.cut.activation + fedavg.cut.label, 0);
  EXPECT_EQ(fedavg.cut.client_model, 4 * (257 * 256 + 257 * 128 + 129 * 4));
}

TEST_F(Cuts, EnergyIsWorkBytesAndWaiting) {
  const test::TempDir out;
  const Config config = data_.config({"model.name=mlp", "model.cut=fc1", "train.epochs=1", "clock.joule_per_gmac=2.0",
                                      "clock.joule_per_mbyte=3.0", "clock.idle_watt=0.25"});
  CpuContext ctx(1);
  Experiment<CpuContext>(ctx, config).run({.out_dir = out.path()});
  for (const ClientRecord& client : read_csv<ClientRecord>(out / "clients.csv")) {
    // One epoch: every sample once, forward and (backward_ratio) twice that backward.
    const double joule = 2.0 * 3 * static_cast<double>(client.samples) * 256 * 256 * 1e-9 +
                         3.0 * static_cast<double>(client.bytes_up + client.bytes_down) * 1e-6 +
                         0.25 * static_cast<double>(client.waiting_ns) * 1e-9;
    EXPECT_GT(joule, 0.0);
    EXPECT_NEAR(client.energy_j, joule, 1e-12 * joule);
  }
}

}  // namespace
}  // namespace splitsim

// Sweep files and the axes of the command line: what they mean, and that mistakes are named with their line.
#include "runtime/sweep/read/sweep_spec.hpp"

#include <gtest/gtest.h>

#include "runtime/sweep/read/axis_values.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;

std::vector<std::string> labels(const Axis& axis) {
  std::vector<std::string> all;
  for (const AxisValue& value : axis.values) all.push_back(value.label);
  return all;
}

constexpr const char* kWhole = R"(
[set]
train.epochs = 3
clock.delay_ms = { kind = "two_speed", base = 10.0 }

[variants.stragglers]
none   = { clock.barrier = "two" }
severe = { clock.barrier = "one", clock.uplink_mbps = { kind = "constant", value = 5.0 } }

[grid]
sampler.kind = ["ugs", "fls"]
partition.clients = [16, 64]
train.lr = [0.10, 1.0]

[zip.scale]
sampler.batch = [64, 128]
data.validation = [0.1, 0.25]

[variants.last]
a = { partition.alpha = 1 }
b = { partition.alpha = 2.5 }

[slurm]
args = ["--time=1:00:00"]
)";

TEST(SweepFile, AxesComeInTheOrderOfTheFile) {
  const SweepSpec spec = parse_sweep(kWhole, "/some/where/x.sweep.toml");
  ASSERT_EQ(spec.common.size(), 2u);
  EXPECT_EQ(spec.common[0].text, "train.epochs=3");
  EXPECT_EQ(spec.common[0].place, "/some/where/x.sweep.toml:3:16");
  EXPECT_EQ(spec.common[0].folder, "/some/where");
  EXPECT_EQ(spec.common[1].text, R"(clock.delay_ms={"base" = 10.0, "kind" = "two_speed"})");
  std::vector<std::string> names;
  for (const Axis& axis : spec.axes) names.push_back(axis.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"stragglers", "sampler.kind", "partition.clients", "train.lr", "scale", "last"}));
  EXPECT_EQ(labels(spec.axes[0]), (std::vector<std::string>{"none", "severe"}));
  EXPECT_EQ(spec.axes[0].keys, (std::vector<std::string>{"clock.barrier", "clock.uplink_mbps"}));
  EXPECT_EQ(spec.axes[0].values[1].overrides.size(), 2u);
  EXPECT_EQ(labels(spec.axes[1]), (std::vector<std::string>{"ugs", "fls"}));
  EXPECT_EQ(labels(spec.axes[3]), (std::vector<std::string>{"0.1", "1"}));
  EXPECT_EQ(labels(spec.axes[4]), (std::vector<std::string>{"64+0.1", "128+0.25"}));
  EXPECT_EQ(spec.axes[4].values[1].overrides[0].text, "sampler.batch=128");
  EXPECT_EQ(spec.axes[4].values[1].overrides[1].text, "data.validation=0.25");
  EXPECT_EQ(spec.slurm_args, (std::vector<std::string>{"--time=1:00:00"}));
}

TEST(SweepFile, RangesHaveBothEnds) {
  const SweepSpec spec = parse_sweep("grid.seed = \"3..7\"\ngrid.sampler.batch = \"32..128:32\"", "s.toml");
  EXPECT_EQ(labels(spec.axes[0]), (std::vector<std::string>{"3", "4", "5", "6", "7"}));
  EXPECT_EQ(spec.axes[0].values[4].overrides[0].text, "seed=7");
  EXPECT_TRUE(spec.axes[0].is_seed());
  EXPECT_EQ(labels(spec.axes[1]), (std::vector<std::string>{"32", "64", "96", "128"}));
  EXPECT_FALSE(spec.axes[1].is_seed());
  EXPECT_FALSE(range_of("1...5", "p"));
  EXPECT_FALSE(range_of("1..5.0", "p"));
  EXPECT_EQ(*range_of("-2..2:3", "p"), (std::vector<std::int64_t>{-2, 1}));
}

TEST(SweepFile, MistakesAreNamedWithTheirLine) {
  const auto refused = [](const std::string& text, const std::string& part) {
    expect_input_error([&] { parse_sweep(text, "x.toml"); }, part);
  };
  refused("[grid\n", "x.toml:1:");
  refused("base = 3", "x.toml:1:8: base: allowed: the path");
  refused("\nbase = \"none.toml\"", "x.toml:2:8: base: cannot read");
  refused("sed = 1", "x.toml:1:1: unknown key \"sed\"");
  refused("[gird]\nseed = [1]", "unknown key \"gird\"; did you mean grid?");
  refused("seed = 1", "x.toml:1:1: unknown key \"seed\"; settings of all runs go below [set]");
  refused("[grid]\nseed = 1", "x.toml:2:8: seed: allowed: a list of values");
  refused("[grid]\nseed = []", "x.toml:2:8: seed: allowed: a list of values");
  refused("[grid]\nseed = \"5..1\"", "x.toml:2:8: range \"5..1\"");
  refused("[grid]\nseed = \"1..5:0\"", "range \"1..5:0\"");
  refused("[grid]\nseed = \"1..900000\"", "at most 100000");
  refused("[zip.a]\nseed = [1, 2]\nsampler.batch = [1]", "x.toml:3:9: sampler.batch has 1 values and seed has 2");
  refused("[zip]\na = 3", "x.toml:2:5: zip.a: allowed: a table");
  refused("[variants.a]\nb = 1", "x.toml:2:5: variants.a.b: allowed: a table");
  refused("[variants.a]\nb = {}", "variants.a: allowed: names");
  refused("[slurm]\npartition = \"x\"", "x.toml:2:1: unknown key slurm.partition; known: args");
  refused("[slurm]\nargs = \"x\"", "slurm.args: allowed: a list");
  refused("[set]\nseed = 1\n[grid]\nseed = [2]", "seed is set for every run and varied by axis seed");
  refused("[grid]\nseed = [1]\n[zip.s]\nseed = [2]", "seed is varied by the axes seed and s");
  refused("[grid]\nseed = [1, 2, 1]", "axis seed: two values \"1\"");
  refused("[variants.run]\na = { seed = 1 }", "axis run: index.csv has a column of this name");
}

TEST(SweepOptions, ListsRangesAndTables) {
  SweepSpec spec;
  add_grid(spec, "sampler.kind=ugs, fls");
  add_grid(spec, "seed=1..3,9");
  add_grid(spec, R"(clock.delay_ms={kind="constant",value=1.0},{kind="constant",value=2.0})");
  add_grid(spec, R"(train.client_optimizer.milestones=[1,2],[3])");
  EXPECT_EQ(labels(spec.axes[0]), (std::vector<std::string>{"ugs", "fls"}));
  EXPECT_EQ(labels(spec.axes[1]), (std::vector<std::string>{"1", "2", "3", "9"}));
  EXPECT_EQ(labels(spec.axes[2]), (std::vector<std::string>{"constant:value=1", "constant:value=2"}));
  EXPECT_EQ(labels(spec.axes[3]), (std::vector<std::string>{"1+2", "3"}));
  add_zip(spec, {"partition.clients=4,8", "sampler.batch=32,64"});
  EXPECT_EQ(spec.axes[4].name, "clients+batch");
  EXPECT_EQ(labels(spec.axes[4]), (std::vector<std::string>{"4+32", "8+64"}));
  for (const char* bad : {"seed", "seed=", "=3", "seed=1,,2", "seed=1,"}) {
    expect_input_error([&] { add_grid(spec, bad); }, "--grid");
  }
  expect_input_error([&] { add_zip(spec, {"seed=1,2", "data.seed=1"}); }, "data.seed has 1 values and seed has 2");
}

}  // namespace
}  // namespace splitsim

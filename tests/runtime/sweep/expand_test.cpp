// The runs of a sweep: their order, names and configs, and what is refused before anything runs.
#include <gtest/gtest.h>

#include <filesystem>
#include <set>

#include "runtime/sweep/sweep.hpp"
#include "tests/paths.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::expect_input_error;
using test::TempDir;

std::vector<std::string> names(const Sweep& sweep) {
  std::vector<std::string> all;
  for (const SweepRun& run : sweep.runs) all.push_back(run.name);
  return all;
}

Sweep expanded(const std::string& text) { return expand(parse_sweep(text, "x.toml")); }

TEST(SweepRuns, LastAxisVariesFastestAndConfigsAreThoseOfTheReader) {
  const Sweep sweep = expanded(
      "[set]\ntrain.epochs = 7\n[grid]\nsampler.kind = [\"ugs\", \"lds\"]\nseed = \"1..2\"\npartition.clients = [16, "
      "8]");
  EXPECT_EQ(names(sweep),
            (std::vector<std::string>{"ugs-seed=1-clients=16", "ugs-seed=1-clients=8", "ugs-seed=2-clients=16",
                                      "ugs-seed=2-clients=8", "lds-seed=1-clients=16", "lds-seed=1-clients=8",
                                      "lds-seed=2-clients=16", "lds-seed=2-clients=8"}));
  EXPECT_EQ(sweep.runs[5].labels, (std::vector<std::string>{"lds", "1", "8"}));
  const Config alone =
      parse_config("", "default", {"train.epochs=7", "sampler.kind=lds", "seed=1", "partition.clients=8"});
  EXPECT_EQ(to_toml(sweep.runs[5].config), to_toml(alone));
  EXPECT_EQ(sweep.runs[5].config_sha256, config_sha256(alone));
  EXPECT_TRUE(sweep.axes[1].seed);
  EXPECT_FALSE(sweep.axes[0].seed);
}

TEST(SweepRuns, ExperimentsExpand) {
  int count = 0;
  for (const auto& file : std::filesystem::directory_iterator(std::string(test::kSourceDir) + "/experiments")) {
    if (!file.path().string().ends_with(".sweep.toml")) continue;
    SCOPED_TRACE(file.path().filename().string());
    EXPECT_GT(expand(read_sweep(file.path().string())).runs.size(), 1u);
    ++count;
  }
  EXPECT_GE(count, 3);
}

TEST(SweepRuns, ValuesAddedLaterRenameNothing) {
  const Sweep few = expanded("grid.seed = [1, 2]\ngrid.sampler.kind = [\"ugs\"]\ngrid.train.lr = [0.1]");
  const Sweep many = expanded(
      "grid.seed = [7, 2, 1]\ngrid.sampler.kind = [\"fls\", \"lds\", \"ugs\"]\ngrid.train.lr = [0.5, 0.1, 0.01]");
  int found = 0;
  for (const SweepRun& run : few.runs) {
    for (const SweepRun& same : many.runs) {
      if (same.labels != run.labels) continue;
      EXPECT_EQ(same.name, run.name);
      ++found;
    }
  }
  EXPECT_EQ(found, 2);
}

TEST(SweepRuns, NamesAreFolderNames) {
  const Sweep sweep = expanded(R"(
[grid]
partition.seed = [1]
sampler.seed = [2]
clock.delay_ms = [{ kind = "constant", value = 1.0 }]
[variants.stragglers]
"10 % ../slow" = { train.epochs = 2 }
)");
  ASSERT_EQ(sweep.runs.size(), 1u);
  const std::string& name = sweep.runs[0].name;
  EXPECT_TRUE(name.starts_with("partition.seed=1-sampler.seed=2-delay_ms=constant_value=1-")) << name;
  EXPECT_EQ(name.find_first_of("/% :"), std::string::npos) << name;
  EXPECT_NE(name.find("stragglers=10___.._slow-"), std::string::npos) << name;

  std::string variants = "[variants.v]\n";
  const std::string same(100, 'a');
  for (const char* end : {"x", "y"}) {
    variants += same + end + " = { sampler.batch = " + (*end == 'x' ? "8" : "16") + " }\n";
  }
  const Sweep longest = expanded(variants);
  EXPECT_LE(longest.runs[0].name.size(), 60u);
  EXPECT_NE(longest.runs[0].name, longest.runs[1].name);
}

TEST(SweepRuns, MistakesNameTheRunAndThePlace) {
  const auto refused = [](const std::string& text, const std::string& part) {
    expect_input_error([&] { expanded(text); }, part);
  };
  refused("[grid]\nsampler.knid = [\"ugs\"]", "x.toml:2:17: unknown key sampler.knid; did you mean sampler.kind?");
  refused("[grid]\nsampler.batch = [8, 0]", "run batch=0: x.toml:2:21: sampler.batch = 0: allowed:");
  refused("[set]\nsampler.btch = 3", "x.toml:2:16: unknown key sampler.btch; did you mean sampler.batch?");
  refused("[set]\nsampler.delta = 1.0", "x.toml:2:17: sampler.delta = 1.0:");
  // ugs does not read delta: the run is named, and so is the place of its value.
  refused("[grid]\nsampler.kind = [\"lds\", \"ugs\"]\nsampler.delta = [1.0]",
          "run ugs-delta=1: x.toml:3:18: sampler.delta = 1.0: sampler.kind = \"ugs\" does not read it");
  // What only the whole config tells.
  refused("[grid]\npartition.kind = [\"file\"]", "run file: partition.file = \"\"");
  refused("[grid]\nseed = \"1..1000\"\nsampler.batch = \"1..1000\"", "more than 100000 runs");
}

TEST(SweepRuns, EqualConfigsAreRefused) {
  expect_input_error([] { expanded("[variants.a]\none = { seed = 1 }\ntwo = { seed = 1 }"); },
                     "the runs (a = one) and (a = two) are the same experiment");
  expect_input_error(
      [] {
        expanded(
            "[grid]\nsampler.batch = [8, 16]\n[variants.a]\none = { sampler.kind = \"ugs\" }\n"
            "two = { partition.kind = \"extended_dirichlet\" }");
      },
      "are the same experiment");
}

TEST(SweepRuns, PathsOfASweepFileCountFromItsFolder) {
  const TempDir dir;
  std::filesystem::create_directories(dir / "inner");
  test::spill(dir / "base.toml", "[data]\nname = \"mnist\"\ndir = \"of_base\"\n");
  test::spill(dir / "inner/x.toml", "base = \"../base.toml\"\n[grid]\ndata.dir = [\"here\", \"../there\"]\nseed = [1]");
  EXPECT_THROW(expand(read_sweep(dir / "inner/x.toml")), InputError);  // paths are no part of an experiment
  test::spill(dir / "inner/x.toml",
              "base = \"../base.toml\"\n[variants.v]\na = { data.dir = \"here\", seed = 1 }\nb = { seed = 2 }");
  const Sweep sweep = expand(read_sweep(dir / "inner/x.toml"));
  EXPECT_EQ(sweep.runs[0].config.data.dir, dir / "inner/here");
  EXPECT_EQ(sweep.runs[1].config.data.dir, dir / "of_base");
}

TEST(SweepDirectory, WhatIsStoredIsTheSameSweep) {
  const TempDir dir;
  const SweepFiles files{dir.path()};
  EXPECT_FALSE(is_sweep_directory(dir.path()));
  const Sweep sweep = expanded("[grid]\nsampler.kind = [\"ugs\", \"lds\"]\nseed = \"1..2\"\n[slurm]\nargs = [\"-n1\"]");
  store_sweep(sweep, files);
  EXPECT_TRUE(is_sweep_directory(dir.path()));
  const Sweep again = load_sweep(files);
  ASSERT_EQ(again.runs.size(), sweep.runs.size());
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    EXPECT_EQ(again.runs[i].name, sweep.runs[i].name);
    EXPECT_EQ(again.runs[i].labels, sweep.runs[i].labels);
    EXPECT_EQ(again.runs[i].config_sha256, sweep.runs[i].config_sha256);
  }
  EXPECT_EQ(axes_json(again), axes_json(sweep));
  EXPECT_EQ(again.slurm_args, sweep.slurm_args);
  test::spill(files.path("sweep.json"), "{\"source\": 3");
  expect_input_error([&] { load_sweep(files); }, "cannot read '" + files.path("sweep.json") + "'");
}

}  // namespace
}  // namespace splitsim

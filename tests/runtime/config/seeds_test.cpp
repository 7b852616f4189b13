// Seeds of parts: each moves its part and nothing else.
#include "runtime/config/seeds.hpp"

#include <gtest/gtest.h>

#include "runtime/config/keys/keys.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

struct Hashes {
  std::string partition, schedule, timeline, model;
  double first_loss = 0.0;
};

// One epoch of two random parts each: jittered clock, weights that train at rate 0 and so stay as they began.
Hashes hashes_of(const test::SmallData& data, const std::vector<std::string>& seeds) {
  std::vector<std::string> overrides = {
      "train.epochs=1", "train.lr=0.0",  "clock.jitter={kind=\"uniform\",low=0.5,high=2}",
      "model.name=mlp", "model.cut=fc1", "data.augment.flip=true"};
  overrides.insert(overrides.end(), seeds.begin(), seeds.end());
  CpuContext ctx;
  Hashes hashes;
  RunOptions options;
  options.on_epoch = [&](const EpochRecord& epoch) { hashes.first_loss = epoch.train_loss; };
  const Summary summary = Experiment<CpuContext>(ctx, data.config(overrides)).run(options);
  hashes.partition = summary.partition_sha256;
  hashes.schedule = summary.schedule_sha256;
  hashes.timeline = summary.timeline_sha256;
  hashes.model = summary.model_sha256;
  return hashes;
}

TEST(Seeds, EachMovesItsPart) {
  const test::SmallData data(240, 20);
  const Hashes base = hashes_of(data, {});
  const auto expect_moved = [&](const std::string& seed, bool partition, bool schedule, bool timeline, bool model) {
    const Hashes now = hashes_of(data, {seed});
    EXPECT_EQ(now.partition != base.partition, partition) << seed;
    EXPECT_EQ(now.schedule != base.schedule, schedule) << seed;
    EXPECT_EQ(now.timeline != base.timeline, timeline) << seed;
    EXPECT_EQ(now.model != base.model, model) << seed;
  };
  expect_moved("clock.seed=5", false, false, true, false);
  expect_moved("model.seed=5", false, false, false, true);
  expect_moved("sampler.seed=5", false, true, true, false);
  // Who owns a sample shows in the schedule and in what clients do.
  expect_moved("partition.seed=5", true, true, true, false);
  expect_moved("data.seed=5", false, false, false, false);
  EXPECT_NE(hashes_of(data, {"data.seed=5"}).first_loss, base.first_loss);  // other flips
  expect_moved("seed=5", true, true, true, true);

  // All of them set to another seed's value are that seed.
  const Hashes other = hashes_of(data, {"seed=5"});
  const Hashes apart =
      hashes_of(data, {"data.seed=5", "partition.seed=5", "sampler.seed=5", "model.seed=5", "clock.seed=5"});
  EXPECT_EQ(apart.schedule, other.schedule);
  EXPECT_EQ(apart.timeline, other.timeline);
  EXPECT_EQ(apart.model, other.model);
  EXPECT_EQ(apart.first_loss, other.first_loss);
}

TEST(Seeds, AreTheExperimentsUnlessSet) {
  Config config = parse_config("seed = 9\nsampler.seed = 3\n", "", {});
  EXPECT_EQ(seeds_of(config).sampler, 3u);
  EXPECT_EQ(seeds_of(config).model, 9u);
  EXPECT_NE(to_toml(config).find("seed = 3"), std::string::npos);
  EXPECT_EQ(to_toml(parse_config("seed = 9", "", {})).find("seed"),
            to_toml(parse_config("seed = 9", "", {})).rfind("seed"));
  // The same experiment, said twice.
  EXPECT_EQ(config_sha256(parse_config("seed = 9", "", {})),
            config_sha256(parse_config("seed = 9", "", {"model.seed=9"})));
  EXPECT_NE(config_sha256(parse_config("seed = 9", "", {})), config_sha256(config));
}

}  // namespace
}  // namespace splitsim

// Each setting that comes to nothing has its warning, and a sensible experiment has none.
#include "runtime/config/silent_settings.hpp"

#include <gtest/gtest.h>

namespace splitsim {
namespace {

const std::vector<std::int64_t> kEven(32, 100);

std::vector<std::string> sampling(const std::vector<std::string>& overrides, SamplingFacts facts = {kEven, true}) {
  return silent_settings(parse_config("", "", overrides), facts);
}
std::vector<std::string> training(const std::vector<std::string>& overrides) {
  const Config config = parse_config("", "", overrides);
  return silent_settings(config, mode_map(config.train), TrainingFacts{400, 10});
}
void expect_one(const std::vector<std::string>& texts, const std::string& start) {
  ASSERT_EQ(texts.size(), 1u) << start;
  EXPECT_EQ(texts.front().find(start), 0u) << texts.front();
}

TEST(SilentSettings, TheDefaultsSayNothing) {
  EXPECT_EQ(sampling({}).size(), 0u);
  EXPECT_EQ(training({}).size(), 0u);
  for (const char* kind : {"fls", "fpls"}) EXPECT_EQ(sampling({std::string("sampler.kind=") + kind}).size(), 0u);
  EXPECT_EQ(sampling({"partition.clients=4"}, {{25, 25, 25, 25}, true}).size(), 0u);
}

TEST(SilentSettings, OfPartitionsAndSamplers) {
  std::vector<std::int64_t> sizes = kEven;
  sizes[3] = sizes[4] = 0;
  expect_one(sampling({}, {sizes, true}), "partition.clients = 32: 2 of them have no samples and never take part");
  sizes[4] = 7;
  expect_one(sampling({}, {sizes, true}), "partition.clients = 32: 1 of them has no samples and never takes part");
  expect_one(sampling({"sampler.kind=fls", "sampler.batch=31"}),
             "sampler.batch = 31 for 32 clients: fls gives one sample per client and step, so batches have up to 32");
  expect_one(sampling({"sampler.kind=fpls"}, {sizes, true}).size() == 2
                 ? std::vector<std::string>{sampling({"sampler.kind=fpls"}, {sizes, true}).back()}
                 : std::vector<std::string>{},
             "sampler.batch = 128: the shares of 1 client round to 0 samples");
  expect_one(sampling({"sampler.kind=urn"}), "sampler.delta = 0.0: urn draws as ugs does");
  expect_one(sampling({"sampler.kind=urn", "sampler.delta=2"}, {kEven, false}),
             "sampler.delta = 2: all clients have the same delay");
  EXPECT_EQ(sampling({"sampler.kind=urn", "sampler.delta=2"}).size(), 0u);
  expect_one(sampling({"sampler.kind=lbpack"}, {kEven, false}),
             "sampler.kind = lbpack: all clients are of one delay level");
  EXPECT_EQ(sampling({"sampler.kind=lbpack"}).size(), 0u);
  expect_one(sampling({"sampler.kind=lds", "sampler.observed=1601"}), "sampler.observed = 1601: 1600 are observed");
  EXPECT_EQ(sampling({"sampler.kind=lds", "sampler.observed=1600"}).size(), 0u);
  expect_one(sampling({"clock.delay_ms.share=0.01"}), "clock.delay_ms.share = 0.01: of 32 clients that is none");
}

TEST(SilentSettings, OfTraining) {
  expect_one(training({"eval.every_steps=51"}), "eval.every_steps = 51: the run has 50 steps");
  EXPECT_EQ(training({"eval.every_steps=50"}).size(), 0u);
  expect_one(training({"eval.every_steps=5", "eval.step_images=400"}),
             "eval.step_images = 400: all 400 test images are used");
  EXPECT_EQ(training({"eval.every_steps=5", "eval.step_images=399"}).size(), 0u);
  expect_one(training({"train.mode=sflv1", "train.round=11"}), "train.round = 11: an epoch has 10 steps");
  expect_one(training({"train.checkpoint_epochs=6"}), "train.checkpoint_epochs = 6: the run has 5 epochs");
  expect_one(training({"eval.every_epochs=6"}), "eval.every_epochs = 6: the run has 5 epochs");
  expect_one(training({"train.client_optimizer.warmup_epochs=5"}), "train.client_optimizer.warmup_epochs = 5: the run");
  expect_one(training({"train.server_optimizer={schedule=\"step\",step_epochs=5}"}),
             "train.server_optimizer.step_epochs = 5: the run has 5 epochs, so its rate is constant");
  expect_one(training({"train.client_optimizer={schedule=\"multistep\",milestones=[2,5,9]}"}),
             "train.client_optimizer.milestones: 5 and later are not reached in 5 epochs");
  expect_one(training({"train.loss=focal", "train.focal_gamma=0"}), "train.focal_gamma = 0.0: the focal loss is");
  expect_one(training({"train.weights=class_balanced", "train.balance=0"}), "train.balance = 0.0: all classes");
  EXPECT_EQ(training({"train.loss=focal", "train.weights=class_balanced"}).size(), 0u);
  EXPECT_EQ(training({"train.optimizer={schedule=\"multistep\",milestones=[2,4]}"}).size(), 0u);
}

}  // namespace
}  // namespace splitsim

// Whole experiments on samples that are not pixels.
#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <string>
#include <vector>

#include "base/npy.hpp"
#include "runtime/plan/scene.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "runtime/run/experiment_group.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using Overrides = std::vector<std::string>;

/// The same numbers as pixels and as floats, and whom they come from.
class TwoReadings {
 public:
  explicit TwoReadings(std::int64_t train, std::vector<std::int64_t> sample = {3, 4, 6}) : sample_(std::move(sample)) {
    write("x", "y", train, 1);
    write("x_test", "y_test", 40, 2);
    NpyArray<std::int32_t> clients{{train}, {}};
    for (std::int64_t s = 0; s < train; ++s) clients.values.push_back(static_cast<std::int32_t>(s * s % 5));  // 3 squares
    write_npy(dir_ / "client.npy", clients);
  }
  Config config(const std::string& read_as, Overrides overrides = {}) const {
    return parse_config("data = { name = 'npy', dir = '" + dir_.path() + "', read_as = '" + read_as +
                            "' }\npartition = { kind = 'by_column', clients = 3 }\nsampler.batch = 20\ntrain.epochs = 2\n",
                        "test", test::small_net(std::move(overrides)));
  }

 private:
  void write(const std::string& x, const std::string& y, std::int64_t count, std::uint32_t step) {
    std::int64_t size = 1;
    for (const std::int64_t extent : sample_) size *= extent;
    std::vector<std::int64_t> shape = sample_;
    shape.insert(shape.begin(), count);
    NpyArray<std::uint8_t> values{shape, std::vector<std::uint8_t>(static_cast<std::size_t>(count * size))};
    NpyArray<std::int32_t> labels{{count}, {}};
    for (std::int64_t s = 0; s < count; ++s) {
      labels.values.push_back(static_cast<std::int32_t>(s % 4));
      for (std::int64_t i = 0; i < size; ++i) {
        const std::uint32_t noise = random_bits(5, {Purpose::kTest, static_cast<std::uint32_t>(s * size + i), step}).x;
        values.values[static_cast<std::size_t>(s * size + i)] =
            static_cast<std::uint8_t>(noise % 120 + (i % 4 == s % 4 ? 100 : 0));
      }
    }
    write_npy(dir_ / (x + ".npy"), values);
    write_npy(dir_ / (y + ".npy"), labels);
  }

  test::TempDir dir_;
  std::vector<std::int64_t> sample_;
};

template <class Context>
class FeaturesExperiment : public test::OnContext<Context> {
 protected:
  Summary run(const Config& config, const RunOptions& options = {}) {
    return Experiment<Context>(this->ctx(), config).run(options);
  }
  // Fewer on a device, which may be emulated.
  static constexpr std::int64_t kSamples = Context::kIsDevice ? 60 : 240;
};
TYPED_TEST_SUITE(FeaturesExperiment, test::Contexts);

// A pixel p is (p / 255 - m / 255) / (s / 255), a float (p - m) / s: the same but for rounding.
TYPED_TEST(FeaturesExperiment, FloatImagesLearnAsThePixelsThatTheyAre) {
  const TwoReadings data(this->kSamples, {4, 6, 3});
  for (const Overrides& more : {Overrides{}, Overrides{"data.augment.flip=true", "data.validation=0.25"}}) {
    test::TempDir a, b;
    const Summary pixels = this->run(data.config("images", more), {.out_dir = a.path()});
    const Summary floats = this->run(data.config("float_images", more), {.out_dir = b.path()});
    EXPECT_EQ(pixels.schedule_sha256, floats.schedule_sha256);
    EXPECT_EQ(pixels.partition_sha256, floats.partition_sha256);
    const auto x = read_csv<StepRecord>(a / "steps.csv"), y = read_csv<StepRecord>(b / "steps.csv");
    ASSERT_EQ(x.size(), y.size());
    ASSERT_GT(x.size(), 3u);
    for (std::size_t t = 0; t < x.size(); ++t) {
      EXPECT_NEAR(x[t].train_loss, y[t].train_loss, 1e-4) << t;  // of about 1, after tens of roundings of 2^-24
    }
    EXPECT_NE(x.front().train_loss, x.back().train_loss);
  }
}

TYPED_TEST(FeaturesExperiment, WindowsAreLearntFromCheckpointsOnToTheSameBits) {
  const TwoReadings data(this->kSamples, {6, 12});
  const Config config = data.config("windows");
  test::TempDir whole, parts;
  const Summary expected = this->run(config, {.out_dir = whole.path()});
  if (!TypeParam::kIsDevice) {
    EXPECT_GT(expected.test.accuracy.value(), 0.6);  // of four classes
  }
  std::atomic<bool> stop = false;
  RunOptions options{.out_dir = parts.path(), .interrupt = &stop};
  options.on_epoch = [&](const EpochRecord&) { stop = true; };
  EXPECT_EQ(this->run(config, options).status, "interrupted");
  const Summary found = this->run(config, {.out_dir = parts.path(), .resume = true});
  EXPECT_EQ(found.model_sha256, expected.model_sha256);
}

// Experiments of one engine may hold other data: here other noise, and another clean set.
TYPED_TEST(FeaturesExperiment, TogetherEachLearnsFromItsOwnFeatures) {
  const TwoReadings data(this->kSamples, {6, 12});
  const std::vector<Config> configs = {data.config("windows"), data.config("windows", {"partition.pixel_noise=0.5"}),
                                       data.config("windows", {"partition.brightness_sd=0.5", "partition.label_noise=0.2"})};
  std::vector<RunOptions> options(configs.size());
  const std::vector<Summary> together = ExperimentGroup<TypeParam>(this->ctx(), configs).run(options);
  std::set<std::string> models;
  for (std::size_t e = 0; e < configs.size(); ++e) {
    const Summary alone = this->run(configs[e]);
    EXPECT_EQ(alone.schedule_sha256, together[e].schedule_sha256);
    if (!TypeParam::kIsDevice) {
      EXPECT_EQ(alone.model_sha256, together[e].model_sha256) << e;
    }
    EXPECT_NEAR(alone.test.loss.value(), together[e].test.loss.value(), 1e-3);
    models.insert(together[e].model_sha256);
  }
  EXPECT_EQ(models.size(), configs.size());
}

TEST(FeaturesScene, ClientsOfTheDataStayTheirsThroughAValidationSplit) {
  const TwoReadings data(240, {6, 12});
  const Scene scene = make_scene(data.config("windows", {"data.validation=0.2"}));
  EXPECT_EQ(scene.population.owner, scene.dataset.train_clients);
  EXPECT_EQ(scene.dataset.train_size(), 192);
  EXPECT_EQ(scene.dataset.validation_size(), 48);
  test::expect_input_error([&] { make_scene(data.config("windows", {"partition.clients=4"})); }, "partition.clients = 4",
                           "by_column: 3");
}

}  // namespace
}  // namespace splitsim

// Whole experiments with a link that loses something: what crosses, what is remembered, and what makes no sense.
#include <gtest/gtest.h>

#include <atomic>

#include "base/error.hpp"
#include "runtime/record/records.hpp"
#include "runtime/run/experiment.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/small_data.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using Overrides = std::vector<std::string>;

template <class Context>
class LinkExperiment : public test::OnContext<Context> {
 protected:
  Summary run(const Overrides& overrides, const RunOptions& options = {}) {
    return Experiment<Context>(this->ctx(), config(overrides)).run(options);
  }
  Config config(Overrides more) const {
    Overrides overrides = {"model.name=mlp", "model.cut=relu1"};  // 256 features cross
    overrides.insert(overrides.end(), more.begin(), more.end());
    return data_.config(overrides);
  }
  // Fewer on a device, which may be emulated.
  static constexpr std::int64_t kSamples = Context::kIsDevice ? 120 : 600;
  test::SmallData data_{kSamples, 60};
};
TYPED_TEST_SUITE(LinkExperiment, test::Contexts);

TYPED_TEST(LinkExperiment, LearnsThroughALinkThatLosesAndCountsWhatCrosses) {
  const Summary plain = this->run({});
  const auto bytes = [&](const Summary& summary) {
    if (!TypeParam::kIsDevice) {
      EXPECT_GT(summary.test.accuracy.value(), 0.8);  // four classes
    }
    EXPECT_LT(summary.virtual_time_s, plain.virtual_time_s);
    EXPECT_EQ(summary.schedule_sha256, plain.schedule_sha256);
    return std::pair(summary.bytes_up - summary.model_bytes_up, summary.bytes_down - summary.model_bytes_down);
  };
  const std::int64_t sent = 3 * this->kSamples, top = 26 * 4 + 26;  // a tenth, with places of 8 bits
  EXPECT_EQ(bytes(this->run({"cut.up=top_k"})), std::pair(sent * (top + 4), sent * 1024));
  EXPECT_EQ(bytes(this->run({"cut.up=random_top_k", "cut.down=top_k", "train.mode=sglr"})),
            std::pair(sent * (top + 4), sent * top));
  EXPECT_EQ(bytes(this->run({"cut.up=int8", "cut.down=int4"})), std::pair(sent * (264 + 4), sent * (128 + 8)));
  // Of the epoch's steps of 40 every fourth sends, or the second; nothing comes back but averages.
  const Summary one_way = this->run(
      {"train.mode=cse_fsl", TypeParam::kIsDevice ? "train.upload_every=2" : "train.upload_every=4", "cut.up=int8"});
  EXPECT_EQ(one_way.bytes_up - one_way.model_bytes_up, 3 * (TypeParam::kIsDevice ? 1 : 3) * 40 * (264 + 4));
  EXPECT_EQ(one_way.bytes_down, one_way.model_bytes_down);
  EXPECT_GT(one_way.model_bytes_down, 0);
  const Summary noisy = this->run({"cut.noise=0.5", "cut.clip_norm=20.0"});
  EXPECT_NE(noisy.model_sha256, plain.model_sha256);
  EXPECT_EQ(noisy.bytes_up, plain.bytes_up);
  if (!TypeParam::kIsDevice) {
    EXPECT_GT(noisy.test.accuracy.value(), 0.8);
  }
}

// Within an epoch no sample is sent twice: the first one does not know of the memory.
TYPED_TEST(LinkExperiment, WhatIsLostComesBackInTheNextEpoch) {
  const Overrides link = {"cut.up=int4", "cut.down=top_k", "cut.keep=0.02"};
  const auto model = [&](Overrides more) {
    more.insert(more.end(), link.begin(), link.end());
    return this->run(more).model_sha256;
  };
  EXPECT_EQ(model({"train.epochs=1", "cut.error_feedback=true"}), model({"train.epochs=1"}));
  EXPECT_NE(model({"train.epochs=2", "cut.error_feedback=true"}), model({"train.epochs=2"}));
}

TYPED_TEST(LinkExperiment, AStopLosesNoMemory) {
  for (const char* mode : {"psl", "psl_local", "cse_fsl"}) {
    SCOPED_TRACE(mode);
    Overrides link = {"cut.up=random_top_k", "cut.error_feedback=true", "cut.noise=0.1"};
    link.push_back(std::string("train.mode=") + mode);
    link.push_back(std::string(mode) == "cse_fsl" ? "train.upload_every=2" : "cut.down=int4");
    const test::TempDir out, undisturbed;
    const Summary whole = this->run(link, {.out_dir = undisturbed.path()});
    std::atomic<bool> stop = false;
    RunOptions options{.out_dir = out.path(), .interrupt = &stop};
    options.on_progress = [&](const ProgressState& at) { stop = at.epoch == 1 && at.step >= 1; };
    EXPECT_EQ(this->run(link, options).status, "interrupted");
    const Summary resumed = this->run(link, {.out_dir = out.path(), .resume = true});
    EXPECT_EQ(whole.model_sha256, resumed.model_sha256);
    EXPECT_EQ(whole.bytes_up, resumed.bytes_up);
    EXPECT_EQ(read_csv<ClientRecord>(out / "clients.csv"), read_csv<ClientRecord>(undisturbed / "clients.csv"));
  }
}

TEST(LinkConfig, RefusesWhatMakesNoSense) {
  const test::SmallData data;
  const auto refused = [&](const Overrides& overrides, const char* part, const char* other = "") {
    test::expect_input_error([&] { data.config(overrides); }, part, other);
  };
  refused({"train.mode=central", "cut.up=int8"}, "cut.up", "central");
  refused({"train.mode=fedavg", "cut.noise=1.0"}, "cut.noise", "fedavg");
  refused({"train.mode=cse_fsl", "cut.down=int8"}, "cut.down", "cse_fsl");
  refused({"cut.error_feedback=true"}, "cut.error_feedback", "cut.up");
  refused({"cut.up=int8", "cut.keep=0.5"}, "cut.keep", "top_k");
  refused({"cut.up=top_k", "cut.keep=0.0"}, "cut.keep", "(0, 1]");
  refused({"cut.up=top_k", "cut.error_feedback=true", "sampler.kind=relay", "sampler.local_epochs=2"},
          "cut.error_feedback", "local_epochs > 1");
  refused({"train.upload_every=2"}, "train.upload_every", "cse_fsl");
  const Config config = data.config({"train.mode=cse_fsl", "model.name=mlp", "model.cut=fc3"});
  test::expect_input_error([&] { make_scene(config); }, "model.cut", "a layer on the server");
}

}  // namespace
}  // namespace splitsim

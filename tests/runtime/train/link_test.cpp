// The link and the auxiliary heads through the engine: which memory is whose, what a device and a host keep of it, and
// that whatever diverges shows. The kernels have their own tests (tests/kernels/nn/compression_test.cpp).
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::random_input;
using test::Rig;
using test::RigInput;

template <class B>
class LinkTest : public test::OnBackend<B> {
 protected:
  using Context = typename B::Context;
  static constexpr std::int64_t kFeatures = 6 * 14 * 14;

  /// Nothing learns, so that what two runs send is the same.
  RigInput input(const CutSettings& cut) {
    RigInput in = random_input(5, 3, 12, 29);
    in.layout = B::kLayout;
    in.options.cut = cut;
    in.train.mode = "psl_local";
    for (OptimizerSettings* side : {&in.train.client_optimizer, &in.train.server_optimizer}) {
      side->lr = 0.0;
      side->weight_decay = 0.0;
    }
    return in;
  }
  std::vector<float> kept(const CutSettings& cut, int epochs = 1) {
    const RigInput in = input(cut);
    Rig<Context> rig(this->ctx(), in);
    for (int epoch = 0; epoch < epochs; ++epoch) rig.run_epoch(epoch);
    return rig.engine.download().kept;
  }
};
TYPED_TEST_SUITE(LinkTest, test::Backends);

TYPED_TEST(LinkTest, EachDirectionHasAMemoryOfItsOwn) {
  CutSettings up{.up = Compression::kInt4, .error_feedback = true}, both = up, down = up;
  both.down = down.down = Compression::kTopK;
  both.keep = down.keep = up.keep = 0.2;
  const std::vector<float> of_up = this->kept(up), of_both = this->kept(both);
  const auto size = static_cast<std::size_t>(36 * TestFixture::kFeatures);
  ASSERT_EQ(of_up.size(), size);
  ASSERT_EQ(of_both.size(), 2 * size);
  EXPECT_TRUE(std::equal(of_up.begin(), of_up.end(), of_both.begin()));
  // What was not among the largest is kept: four of five gradients of every sample that was there.
  const auto lost = std::count_if(of_both.begin() + static_cast<std::ptrdiff_t>(size), of_both.end(),
                                  [](float v) { return v != 0.0f; });
  EXPECT_GT(lost, 0);
  EXPECT_NE(of_both, this->kept(both, 2));
  down.up = Compression::kNone;
  EXPECT_EQ(this->kept(down).size(), size);
  both.error_feedback = false;
  EXPECT_TRUE(this->kept(both).empty());
}

TYPED_TEST(LinkTest, MemoryGoesWithTheState) {
  const RigInput in = this->input({.up = Compression::kRandomTopK, .down = Compression::kInt8, .error_feedback = true});
  Rig<typename TestFixture::Context> whole(this->ctx(), in), first(this->ctx(), in), second(this->ctx(), in);
  whole.run_epoch();
  whole.run_epoch(1);
  first.run_epoch();
  second.engine.upload(first.engine.download());
  second.run_epoch(1);
  EXPECT_EQ(whole.engine.download().kept, second.engine.download().kept);
  TrainingState other = first.engine.download();
  other.kept.pop_back();
  test::expect_input_error([&] { second.engine.upload(other); }, "checkpoint", "what steps remember");
}

// A server that has left all bounds is seen, though the steps' losses are the heads'.
TYPED_TEST(LinkTest, ADivergedServerShows) {
  RigInput in = this->input({});
  in.train.mode = "cse_fsl";
  in.train.server_optimizer.lr = 1e30;
  Rig<typename TestFixture::Context> rig(this->ctx(), in);
  const std::vector<StepMetrics> first = rig.run_epoch(), second = rig.run_epoch(1);
  EXPECT_EQ(first[0].finite, 1);
  EXPECT_TRUE(std::any_of(second.begin(), second.end(), [](const StepMetrics& m) { return m.finite == 0; }));
  for (const StepMetrics& m : second) EXPECT_TRUE(m.loss - m.loss == 0.0);
}

}  // namespace
}  // namespace splitsim

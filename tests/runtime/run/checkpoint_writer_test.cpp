// Checkpoints are of the moment when they were asked for, whatever trains on; what goes wrong is said at the next call.
#include "runtime/run/checkpoint_writer.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "tests/contexts.hpp"
#include "tests/runtime/train/engine_rig.hpp"
#include "tests/temp_dir.hpp"

namespace splitsim {
namespace {

using test::random_input;
using test::Rig;
using test::RigInput;

const RunIdentity kIdentity{"of a test", {{"images", "a"}}};

RunState state_after(std::int32_t epochs) {
  RunState state;
  state.epochs = epochs;
  state.participation = Participation(3);
  return state;
}

template <class Context>
class CheckpointWriterTest : public test::OnContext<Context> {
 protected:
  static RigInput input() {
    RigInput in = random_input(3, 4, 12, 61);
    in.train.mode = "psl_local";
    in.train.epochs = 3;
    in.train.client_optimizer.kind = "adam";  // two moments and step counts
    in.train.server_optimizer.momentum = 0.9;
    in.train.weights = SampleWeights::kAbsgd;  // kept from step to step
    return in;
  }
  static void expect_equal(const TrainingState& a, const TrainingState& b) {
    for (int side = 0; side < 2; ++side) {
      EXPECT_EQ(a.parameters[side], b.parameters[side]);
      for (int moment = 0; moment < 2; ++moment) EXPECT_EQ(a.moments[side][moment], b.moments[side][moment]);
      EXPECT_EQ(a.taken[side], b.taken[side]);
    }
    EXPECT_EQ(a.kept, b.kept);
  }
};
TYPED_TEST_SUITE(CheckpointWriterTest, test::Contexts);

TYPED_TEST(CheckpointWriterTest, SavesTheMomentOfTheCall) {
  const RigInput in = this->input();
  std::vector<TrainingState> expected;  // after each epoch
  Rig<TypeParam> alike(this->ctx(), in);
  for (int epoch = 0; epoch < 3; ++epoch) {
    alike.run_epoch(epoch);
    expected.push_back(alike.engine.download());
  }
  EXPECT_NE(expected[0].parameters[0], expected[1].parameters[0]);

  const test::TempDir dir;
  Rig<TypeParam> rig(this->ctx(), in);
  CheckpointWriter<TypeParam> writer(this->ctx(), rig.engine, dir.path(), kIdentity);
  for (int epoch = 0; epoch < 3; ++epoch) {
    if (epoch > 0) rig.engine.begin_epoch(epoch, in.schedule.steps());
    for (std::int64_t t = 0; t < in.schedule.steps(); ++t) rig.engine.enqueue_step();
    writer.save(state_after(epoch + 1));  // nobody has waited for the steps
    if (epoch == 1) continue;             // the third waits for the second
    RunState loaded = state_after(0);
    if (epoch == 0) {  // trains on meanwhile
      rig.engine.begin_epoch(1, in.schedule.steps());
      rig.engine.enqueue_step();
    }
    writer.finish();
    load_checkpoint(dir.path(), kIdentity, loaded);
    EXPECT_EQ(loaded.epochs, epoch + 1);
    this->expect_equal(loaded.training, expected[static_cast<std::size_t>(epoch)]);
    if (epoch == 0) rig.engine.upload(loaded.training);
  }
}

TYPED_TEST(CheckpointWriterTest, SaysWhatWentWrongAndGoesOn) {
  const RigInput in = this->input();
  const test::TempDir dir;
  const std::string gone = dir.path() + "/file";
  std::ofstream(gone) << "in the way of a folder";
  Rig<TypeParam> rig(this->ctx(), in);
  rig.run_epoch();
  CheckpointWriter<TypeParam> writer(this->ctx(), rig.engine, gone, kIdentity);
  const auto save = [&] {
    writer.save(state_after(1));
    writer.finish();
  };
  EXPECT_THROW(save(), InputError);
  EXPECT_NO_THROW(writer.finish());  // it has been said
  std::filesystem::remove(gone);
  std::filesystem::create_directories(gone);
  EXPECT_NO_THROW(save());
  RunState loaded = state_after(0);
  load_checkpoint(gone, kIdentity, loaded);
  this->expect_equal(loaded.training, rig.engine.download());
}

}  // namespace
}  // namespace splitsim

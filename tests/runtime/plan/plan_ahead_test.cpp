// Plans made an epoch ahead are those made when they are due, and what is trained on is the epoch's own schedule.
#include "runtime/plan/plan_ahead.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "tests/contexts.hpp"
#include "tests/runtime/small_data.hpp"

namespace splitsim {
namespace {

template <class Context>
class PlanAheadTest : public test::OnContext<Context> {
 protected:
  Scene scene() {
    return make_scene(data_.config({"sampler.kind=ugs", "clock.jitter={kind=\"lognormal\",mean=1.0,cv=0.4}"}));
  }
  std::vector<std::int32_t> read(const std::int32_t* from, std::size_t count) {
    std::vector<std::int32_t> values(count);
    this->ctx().download(values.data(), from, count * sizeof(std::int32_t));
    return values;
  }
  test::SmallData data_;
};
TYPED_TEST_SUITE(PlanAheadTest, test::Contexts);

TYPED_TEST(PlanAheadTest, EqualsPlanningWhenItIsDue) {
  auto& ctx = this->ctx();
  const Scene scene = this->scene();
  constexpr std::int32_t kEpochs = 4;
  PlanAhead<TypeParam> ahead(ctx, scene);
  ahead.start(0, nullptr);
  const DevicePopulation<TypeParam> population(ctx, scene.population);
  EpochPlanner<TypeParam> planner(ctx, scene.population, population, scene.config, scene.timing.profile, scene.timing);
  planner.start();
  for (std::int32_t epoch = 0; epoch < kEpochs; ++epoch) {
    const EpochPlan plan = ahead.take(epoch + 1 < kEpochs);
    const EpochPlan due = planner.plan(static_cast<std::uint32_t>(epoch), true);
    EXPECT_EQ(plan.schedule_sha256, due.schedule.sha256()) << epoch;
    EXPECT_EQ(plan.timeline_sha256, due.timeline.sha256()) << epoch;
    EXPECT_EQ(plan.deviation, due.deviation) << epoch;
    EXPECT_EQ(plan.drift, due.drift) << epoch;
    EXPECT_EQ(plan.clock.now_ns, planner.clock().state().now_ns) << epoch;
    const ScheduleView view = ahead.schedule();
    EXPECT_EQ(this->read(view.sample, due.schedule.sample.size()), due.schedule.sample) << epoch;
    EXPECT_EQ(this->read(view.client, due.schedule.client.size()), due.schedule.client) << epoch;
    EXPECT_EQ(this->read(view.step_first, due.schedule.step_first.size()), due.schedule.step_first) << epoch;
    EXPECT_EQ(this->read(view.active_first, due.schedule.active_first.size()), due.schedule.active_first) << epoch;
    EXPECT_EQ(this->read(view.active_client, due.schedule.active_client.size()), due.schedule.active_client) << epoch;
    EXPECT_EQ(this->read(view.active_slot, due.schedule.active_slot.size()), due.schedule.active_slot) << epoch;
  }
}

TYPED_TEST(PlanAheadTest, GoesOnWhereAClockWas) {
  const Scene scene = this->scene();
  PlanAhead<TypeParam> whole(this->ctx(), scene), rest(this->ctx(), scene);
  whole.start(0, nullptr);
  const ClockState between = whole.take(true).clock;
  rest.start(1, &between);
  EXPECT_EQ(whole.take(true).timeline_sha256, rest.take(false).timeline_sha256);
}  // the third epoch of `whole` may still be in the making

}  // namespace
}  // namespace splitsim

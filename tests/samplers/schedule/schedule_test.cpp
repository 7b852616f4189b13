// Schedules as values: hashes, checks, and the round trip through the device, which completes the active lists.
#include "samplers/schedule/schedule.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "base/error.hpp"
#include "kernels/device/philox.hpp"
#include "tests/contexts.hpp"

namespace splitsim {
namespace {

template <class Context>
class ScheduleTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(ScheduleTest, test::Contexts);

Schedule example() {
  Schedule schedule;
  schedule.sample = {4, 0, 2, 5, 1, 3};
  schedule.client = {0, 0, 2, 2, 2, 7};
  schedule.step_first = {0, 3, 3, 6};  // the second step is empty
  return schedule;
}
constexpr ScheduleBounds kRoomy{100, 10, 8, 4};

TYPED_TEST(ScheduleTest, UploadCompletesActiveLists) {
  ScheduleBuffer<TypeParam> buffer(this->ctx(), kRoomy);
  upload(this->ctx(), example(), buffer);
  const Schedule back = download(buffer);
  EXPECT_EQ(back.sample, example().sample);
  EXPECT_EQ(back.client, example().client);
  EXPECT_EQ(back.step_first, example().step_first);
  EXPECT_EQ(back.active_first, (std::vector<std::int32_t>{0, 2, 2, 4}));
  EXPECT_EQ(back.active_client, (std::vector<std::int32_t>{0, 2, 2, 7}));
  EXPECT_EQ(back.active_slot, (std::vector<std::int32_t>{0, 2, 3, 5}));
}

TYPED_TEST(ScheduleTest, NobodyActiveStaysSo) {
  Schedule central = example();
  central.client.assign(central.client.size(), 0);
  central.active_first.assign(central.step_first.size(), 0);
  ScheduleBuffer<TypeParam> buffer(this->ctx(), kRoomy);
  upload(this->ctx(), example(), buffer);  // leaves other lists behind
  upload(this->ctx(), central, buffer);
  const Schedule back = download(buffer);
  EXPECT_EQ(back.active_first, (std::vector<std::int32_t>{0, 0, 0, 0}));
  EXPECT_TRUE(back.active_client.empty());
  EXPECT_TRUE(back.nobody_active());
}

// Steps that end within, at and beyond the tiles that the lists are built from; empty steps at both ends.
TYPED_TEST(ScheduleTest, ActiveListsOfLongSchedules) {
  Schedule schedule;
  schedule.step_first = {0, 0};
  std::vector<std::int32_t> first{0, 0}, active_client, active_slot;
  for (std::uint32_t t = 0; t < 400; ++t) {
    const auto length = static_cast<std::int32_t>(t % 5 == 0 ? 256 : random_u64(1, {Purpose::kTest, t}) % 700);
    std::int32_t client = 0, last = -1;
    for (std::int32_t j = 0; j < length; ++j) {
      client += random_u64(2, {Purpose::kTest, t, static_cast<std::uint32_t>(j)}) % 3 == 0 ? 1 : 0;
      if (client != last) {
        active_client.push_back(client);
        active_slot.push_back(static_cast<std::int32_t>(schedule.sample.size()));
      }
      last = client;
      schedule.client.push_back(client);
      schedule.sample.push_back(static_cast<std::int32_t>(schedule.sample.size()));
    }
    schedule.step_first.push_back(static_cast<std::int32_t>(schedule.sample.size()));
    first.push_back(static_cast<std::int32_t>(active_client.size()));
  }
  schedule.step_first.push_back(schedule.step_first.back());
  first.push_back(first.back());

  ScheduleBuffer<TypeParam> buffer(this->ctx(), {schedule.slots() + 999, schedule.steps() + 9, 700, 700});
  upload(this->ctx(), schedule, buffer);
  const Schedule back = download(buffer);
  EXPECT_EQ(back.active_first, first);
  EXPECT_EQ(back.active_client, active_client);
  EXPECT_EQ(back.active_slot, active_slot);
}

TYPED_TEST(ScheduleTest, UploadRefusesWhatIsNoSchedule) {
  const auto refused = [&](const std::function<void(Schedule&)>& change, ScheduleBounds bounds = kRoomy) {
    Schedule schedule = example();
    change(schedule);
    ScheduleBuffer<TypeParam> buffer(this->ctx(), bounds);
    EXPECT_THROW(upload(this->ctx(), schedule, buffer), InputError);
  };
  refused([](Schedule& s) { s.client.pop_back(); });
  refused([](Schedule& s) { s.client[1] = 3; });  // descends within a step
  refused([](Schedule& s) { s.client[0] = -1; });
  refused([](Schedule& s) { s.sample[2] = -1; });
  refused([](Schedule& s) { s.step_first.clear(); });
  refused([](Schedule& s) { s.step_first[0] = 1; });
  refused([](Schedule& s) { s.step_first[1] = 4; });
  refused([](Schedule& s) { s.step_first.back() = 5; });
  refused([](Schedule&) {}, {5, 10, 8, 4});
  refused([](Schedule&) {}, {100, 2, 8, 4});
  refused([](Schedule&) {}, {100, 10, 2, 4});
  refused([](Schedule&) {}, {100, 10, 8, 1});
}

TEST(ScheduleValue, HashCoversSamplesClientsAndSteps) {
  const std::string hash = example().sha256();
  EXPECT_EQ(hash.size(), 64u);
  Schedule other = example();
  other.active_first = {0, 2, 2, 4};  // follows from the rest
  EXPECT_EQ(other.sha256(), hash);
  other = example();
  std::swap(other.sample[0], other.sample[1]);
  EXPECT_NE(other.sha256(), hash);
  other = example();
  other.client[5] = 6;
  EXPECT_NE(other.sha256(), hash);
  other = example();
  other.step_first[1] = 2;
  EXPECT_NE(other.sha256(), hash);
}

}  // namespace
}  // namespace splitsim

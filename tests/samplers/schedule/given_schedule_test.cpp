// Schedules that the caller makes (sampler.kind = "callable"): those of a file of the same rows, held to the same, and to
// bounds that epoch 0 sets.
#include "samplers/schedule/given_schedule.hpp"

#include <gtest/gtest.h>

#include "base/npy.hpp"
#include "samplers/registry.hpp"
#include "samplers/schedule/schedule_file.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

template <class Context>
class GivenScheduleTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(GivenScheduleTest, test::Contexts);

using Rows = std::vector<std::int32_t>;

// Clients 0, 1, 2 own samples {0, 1, 2}, {3, 4}, {5, 6}.
Population small() { return make_population({0, 0, 0, 1, 1, 2, 2}, {0, 1, 0, 1, 0, 1, 0}, 3, 2); }
Rows three_steps() { return {0, 0, 2, 0, 0, 0, 0, 2, 6, 1, 1, 3, 1, 2, 5, 2, 0, 1, 2, 1, 4}; }
Rows two_steps() { return {0, 0, 0, 0, 0, 1, 0, 1, 3, 1, 0, 2, 1, 1, 4, 1, 2, 5, 1, 2, 6}; }

SamplerSettings settings_of(const std::string& kind) {
  SamplerSettings settings;
  settings.kind = kind;
  settings.batch = 3;
  return settings;
}

TYPED_TEST(GivenScheduleTest, IsWhatAFileOfTheseRowsIs) {
  const Population population = small();
  const Profile profile = reference::profile_of({1000, 2000, 3000});
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const test::ScratchFolder folder;
  ScheduleSource source;
  source.rows = [&](std::uint32_t epoch, const Population& of, const Profile& seen) {
    EXPECT_EQ(&of, &population);
    EXPECT_EQ(&seen, &profile);
    return epoch == 1 ? two_steps() : three_steps();
  };
  source.most_batch = 4;
  const auto given = make_sampler(this->ctx(), population, device, profile, settings_of("callable"), &source);
  EXPECT_EQ(given->bounds().slots, 7);
  EXPECT_EQ(given->bounds().steps, 3);
  EXPECT_EQ(given->bounds().batch, 4);
  EXPECT_EQ(given->bounds().active, 3);
  ScheduleBuffer<TypeParam> out(this->ctx(), given->bounds());
  const std::uint64_t before = this->ctx().counters().allocations;
  for (const std::uint32_t epoch : {0u, 1u, 0u}) {
    given->build(5, epoch, out);
    const Schedule made = download(out);
    SamplerSettings settings = settings_of("file");
    settings.file = folder.file("schedule.npy");
    write_npy(settings.file, NpyArray<std::int32_t>{{7, 3}, epoch == 1 ? two_steps() : three_steps()});
    const Schedule file = load_schedule(settings.file);
    EXPECT_EQ(made.sha256(), file.sha256()) << epoch;
    EXPECT_EQ(made.active_first, epoch == 1 ? (Rows{0, 2, 5}) : (Rows{0, 2, 4, 6})) << epoch;
  }
  EXPECT_EQ(this->ctx().counters().allocations, before);
}

TYPED_TEST(GivenScheduleTest, NamesEpochAndRowOfWhatIsWrong) {
  const Population population = small();
  const Profile profile = reference::profile_of({1000, 2000, 3000});
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  const auto refused = [&](const Rows& later, const std::vector<std::string>& parts) {
    ScheduleSource source;
    source.rows = [&](std::uint32_t epoch, const Population&, const Profile&) {
      return epoch == 0 ? three_steps() : later;
    };
    const auto given = make_sampler(this->ctx(), population, device, profile, settings_of("callable"), &source);
    ScheduleBuffer<TypeParam> out(this->ctx(), given->bounds());
    test::expect_input_error([&] { given->build(1, 4, out); }, parts);
  };
  Rows rows = three_steps();
  rows[2] = 3;
  refused(rows, {"sampler, epoch 4", "row 0", "client 0 gives sample 3, which client 1 owns"});
  rows = three_steps();
  rows[2] = 0;
  refused(rows, {"sampler, epoch 4", "row 1", "sample 0 for the 2. time"});
  refused(two_steps(), {"sampler, epoch 4", "4 samples in a step", "at most 3", "max_batch"});
  rows = three_steps();
  rows[18] = 3;  // a step more
  refused(rows, {"sampler, epoch 4", "4 steps", "at most 3", "max_steps"});
  rows = three_steps();
  const Rows again = three_steps();
  for (std::size_t i = 0; i < again.size(); ++i) rows.push_back(again[i] + (i % 3 == 0 ? 3 : 0));
  refused(rows, {"sampler, epoch 4", "14 rows", "7", "as in epoch 0"});
  rows = three_steps();
  for (std::size_t i = 1; i < rows.size(); i += 3) rows[i] = -1;
  refused(rows, {"sampler, epoch 4", "no client takes part"});
}

TYPED_TEST(GivenScheduleTest, IsRefusedWithoutAFunction) {
  const Population population = small();
  const Profile profile = reference::profile_of({1000, 2000, 3000});
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  test::expect_input_error([&] { make_sampler(this->ctx(), population, device, profile, settings_of("callable")); },
                           {"sampler.kind = \"callable\"", "splitsim.run"});
}

}  // namespace
}  // namespace splitsim

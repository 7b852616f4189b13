// Schedules as files: round trips, the sampler `file`, and what damaged or foreign files are refused with.
#include "samplers/schedule/schedule_file.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <iterator>

#include "base/npy.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

template <class Context>
class ScheduleFileTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(ScheduleFileTest, test::Contexts);

TYPED_TEST(ScheduleFileTest, RoundTripKeepsTheHash) {
  const test::ScratchFolder folder;
  const std::string path = folder.file("schedule.npy");
  const Population population = reference::population_of({50, 0, 1, 120, 29}, 4);
  const Profile profile = reference::profile_of({1000, 5000, 2000, 9000, 1});
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (const SamplerInfo& info : sampler_infos()) {
    if (info.name == "file" || info.name == "callable") continue;
    SamplerSettings settings;
    settings.kind = info.name;
    settings.batch = 16;
    settings.local_epochs = info.name == "relay" ? 2 : 1;
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    sampler->build(3, 2, out);
    const Schedule drawn = download(out);
    save_schedule(path, drawn);
    const Schedule loaded = load_schedule(path);
    EXPECT_EQ(loaded.sha256(), drawn.sha256()) << info.name;
    EXPECT_NO_THROW(check_schedule_file(path, loaded, population)) << info.name;

    settings.kind = "file";
    settings.file = path;
    const auto again = make_sampler(this->ctx(), population, device, profile, settings);
    EXPECT_EQ(again->bounds().slots, drawn.slots());
    EXPECT_EQ(again->bounds().steps, drawn.steps());
    EXPECT_LE(again->bounds().batch, sampler->bounds().batch);
    EXPECT_LE(again->bounds().active, sampler->bounds().active);
    ScheduleBuffer<TypeParam> copy(this->ctx(), again->bounds());
    const ContextCounters before = this->ctx().counters();
    for (const std::uint32_t epoch : {0u, 7u}) {  // the same whatever seed and epoch
      again->build(epoch, epoch, copy);
    }
    EXPECT_EQ(this->ctx().counters().allocations, before.allocations);
    const Schedule replayed = download(copy);
    EXPECT_EQ(replayed.sha256(), drawn.sha256()) << info.name;
    EXPECT_EQ(replayed.active_first, drawn.active_first) << info.name;
    EXPECT_EQ(replayed.active_client, drawn.active_client) << info.name;
    EXPECT_EQ(replayed.active_slot, drawn.active_slot) << info.name;
  }
}

// Seven slots in three steps; clients 0, 1, 2 own samples {0, 1, 2}, {3, 4}, {5, 6}.
Population small() { return make_population({0, 0, 0, 1, 1, 2, 2}, {0, 1, 0, 1, 0, 1, 0}, 3, 2); }
NpyArray<std::int32_t> rows() { return {{7, 3}, {0, 0, 2, 0, 0, 0, 0, 2, 6, 1, 1, 3, 1, 2, 5, 2, 0, 1, 2, 1, 4}}; }

TEST(ScheduleFile, IsRowsOfStepClientSample) {
  const test::ScratchFolder folder;
  const std::string path = folder.file("schedule.npy");
  write_npy(path, rows());
  const Schedule schedule = load_schedule(path);
  EXPECT_EQ(schedule.step_first, (std::vector<std::int32_t>{0, 3, 5, 7}));
  EXPECT_EQ(schedule.client, (std::vector<std::int32_t>{0, 0, 2, 1, 2, 0, 1}));
  EXPECT_EQ(schedule.sample, (std::vector<std::int32_t>{2, 0, 6, 3, 5, 1, 4}));
  EXPECT_TRUE(schedule.active_first.empty());
  EXPECT_NO_THROW(check_schedule_file(path, schedule, small()));
  const ScheduleBounds bounds = bounds_of(schedule);
  EXPECT_EQ(bounds.slots, 7);
  EXPECT_EQ(bounds.steps, 3);
  EXPECT_EQ(bounds.batch, 3);
  EXPECT_EQ(bounds.active, 2);
  const std::vector<std::int32_t> values = rows().values;
  write_npy(path, NpyArray<std::int64_t>{{7, 3}, {values.begin(), values.end()}});
  EXPECT_EQ(load_schedule(path).sha256(), schedule.sha256());
  save_schedule(path, schedule);
  EXPECT_EQ(read_npy<std::int32_t>(path).values, rows().values);
}

TEST(ScheduleFile, NamesFileAndRowOfWhatIsWrong) {
  const test::ScratchFolder folder;
  const std::string path = folder.file("schedule.npy");
  const auto refused = [&](std::size_t row, std::vector<std::int32_t> now, std::vector<std::string> parts) {
    NpyArray<std::int32_t> array = rows();
    std::copy(now.begin(), now.end(), array.values.begin() + static_cast<std::ptrdiff_t>(3 * row));
    write_npy(path, array);
    parts.push_back(path);
    test::expect_input_error([&] { check_schedule_file(path, load_schedule(path), small()); }, parts);
  };
  refused(0, {1, 0, 2}, {"row 0", "step 1", "step 0"});
  refused(0, {-1, 0, 2}, {"row 0", "step -1"});
  refused(3, {2, 1, 3}, {"row 3", "step 2 after step 0", "gaps"});
  refused(4, {0, 2, 5}, {"row 4", "step 0 after step 1"});
  refused(1, {0, 3, 0}, {"row 2", "client 2 after client 3 in step 0", "sorted"});
  refused(1, {0, -1, 0}, {"row 1", "client -1", "every row"});
  refused(0, {0, -1, 2}, {"row 1", "client 0", "every row"});
  refused(5, {2, -2, 1}, {"row 5", "client -2"});
  refused(6, {2, 1, -4}, {"row 6", "sample -4"});
  refused(6, {2, 1, 7}, {"row 6", "sample 7", "0 to 6"});
  refused(6, {2, 2, 4}, {"row 6", "client 2 gives sample 4", "client 1 owns"});
  refused(6, {2, 7, 4}, {"row 6", "client 7"});
  refused(6, {2, 1, 3}, {"row 6", "sample 3 for the 2. time"});
}

TEST(ScheduleFile, RefusesOtherFiles) {
  const test::ScratchFolder folder;
  const std::string path = folder.file("schedule.npy");
  const auto refused = [&](std::vector<std::string> parts) {
    parts.push_back(path);
    test::expect_input_error([&] { check_schedule_file(path, load_schedule(path), small()); }, parts);
  };
  refused({"cannot be read"});
  write_npy(path, NpyArray<std::int32_t>{{21}, rows().values});
  refused({"(21,)", "(slots, 3)"});
  write_npy(path, NpyArray<std::int32_t>{{3, 7}, rows().values});
  refused({"(3, 7)", "(slots, 3)"});
  write_npy(path, NpyArray<std::int32_t>{{0, 3}, {}});
  refused({"0 rows"});
  write_npy(path, NpyArray<float>{{1, 3}, {0, 0, 0}});
  refused({"'<f4'", "integers"});
  write_npy(path, NpyArray<std::int64_t>{{1, 3}, {0, 0, std::int64_t{1} << 31}});
  refused({"entry 2 is 2147483648", "to 2147483647"});
  NpyArray<std::int32_t> short_one = rows();
  short_one.shape[0] = 6;
  short_one.values.resize(18);
  write_npy(path, short_one);
  refused({"6 rows", "7 samples", "equally often"});
  write_npy(path, rows());
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 5);
  refused({"truncated"});
  std::ofstream(path, std::ios::trunc) << "step,client,sample\n";
  refused({"not a .npy file"});
}

TEST(ScheduleFile, RefusesToWriteWhatItCannotSay) {
  const test::ScratchFolder folder;
  Schedule schedule;
  schedule.sample = {0, 1};
  schedule.client = {0, 0};
  schedule.step_first = {0, 1, 1, 2};
  test::expect_input_error([&] { save_schedule(folder.file("s.npy"), schedule); }, {"s.npy", "step 1", "empty"});
  schedule.step_first = {0, 1, 2};
  const std::string nowhere = folder.file("missing/s.npy");
  test::expect_input_error([&] { save_schedule(nowhere, schedule); }, {nowhere});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(ScheduleFile, SettingMustNameIt) {
  const Population population = small();
  SamplerSettings settings;
  settings.kind = "file";
  settings.batch = 3;
  test::expect_input_error(
      [&] {
        check_sampler_settings(settings, population, reference::profile_of({1, 2, 3}));
      },
      {"sampler.file", "\"\"", "sampler.kind"});
}

}  // namespace
}  // namespace splitsim

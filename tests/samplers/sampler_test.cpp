// What every sampler of the registry promises, and what its settings refuse.
#include "samplers/registry.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

template <class Context>
class SamplerTest : public test::OnContext<Context> {
 protected:
  Schedule draw(const Population& population, const Profile& profile, const SamplerSettings& settings,
                std::uint64_t seed, std::uint32_t epoch) {
    const DevicePopulation<Context> device(this->ctx(), population);
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<Context> out(this->ctx(), sampler->bounds());
    sampler->build(seed, epoch, out);
    return download(out);
  }
};
TYPED_TEST_SUITE(SamplerTest, test::Contexts);

std::vector<std::int64_t> uneven_delays(int clients) {
  std::vector<std::int64_t> delay(static_cast<std::size_t>(clients));
  for (int k = 0; k < clients; ++k) delay[k] = 1000000 * (k % 5 == 0 ? 10 : 1) + 37 * k;
  return delay;
}

/// All but `file` and `callable`, which need one (schedule_file_test.cpp, given_schedule_test.cpp).
std::vector<SamplerInfo> drawing_samplers() {
  std::vector<SamplerInfo> infos = sampler_infos();
  std::erase_if(infos, [](const SamplerInfo& info) { return info.name == "file" || info.name == "callable"; });
  return infos;
}

SamplerSettings settings_of(const std::string& kind, std::int64_t batch) {
  SamplerSettings settings;
  settings.kind = kind;
  settings.batch = batch;
  settings.delta = 0.7;
  return settings;
}

TYPED_TEST(SamplerTest, EverySampleExactlyOncePerEpoch) {
  const bool holds = rc::check("every sample once, within bounds, sorted, active lists right", [&] {
    const Population population = *reference::any_population();
    const Profile profile = reference::profile_of(uneven_delays(population.clients));
    const auto batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    for (const SamplerInfo& info : drawing_samplers()) {
      if (info.name == "lds" && population.samples() < 4) continue;  // refused
      SamplerSettings settings = settings_of(info.name, batch);
      settings.chunks = *rc::gen::element(ChunkRule::kEven, ChunkRule::kLastShort);
      settings.delay_signal = *rc::gen::element(DelaySignal::kParticipation, DelaySignal::kTypicalStep);
      const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
      const ScheduleBounds bounds = sampler->bounds();
      ScheduleBuffer<TypeParam> out(this->ctx(), bounds);
      for (const std::uint32_t epoch : {0u, 3u}) {
        sampler->build(17, epoch, out);
        const Schedule schedule = download(out);
        RC_ASSERT(schedule.slots() == population.samples());
        RC_ASSERT(schedule.slots() <= bounds.slots);
        RC_ASSERT(schedule.steps() <= bounds.steps);
        RC_ASSERT(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size() ==
                  static_cast<std::size_t>(population.samples()));
        RC_ASSERT(*std::min_element(schedule.sample.begin(), schedule.sample.end()) == 0);
        RC_ASSERT(schedule.step_first.front() == 0);
        RC_ASSERT(schedule.step_first.back() == schedule.slots());
        std::vector<std::int32_t> active_first{0}, active_client, active_slot;
        for (std::int64_t t = 0; t < schedule.steps(); ++t) {
          const int first = schedule.step_first[t], last = schedule.step_first[t + 1];
          RC_ASSERT(first < last);
          RC_ASSERT(last - first <= bounds.batch);
          for (int i = first; i < last; ++i) {
            RC_ASSERT(schedule.client[i] == population.owner[schedule.sample[i]]);
            if (i > first) RC_ASSERT(schedule.client[i - 1] <= schedule.client[i]);
            if ((i == first || schedule.client[i - 1] != schedule.client[i])) {
              active_client.push_back(schedule.client[i]);
              active_slot.push_back(i);
            }
          }
          active_first.push_back(static_cast<std::int32_t>(active_client.size()));
          RC_ASSERT(active_first[t + 1] - active_first[t] <= bounds.active);
        }
        RC_ASSERT(schedule.active_first == active_first);
        RC_ASSERT(schedule.active_client == active_client);
        RC_ASSERT(schedule.active_slot == active_slot);
      }
    }
  });
  EXPECT_TRUE(holds);
}

TYPED_TEST(SamplerTest, StepsPerEpoch) {
  const Population population = reference::population_of({100, 37, 0, 300, 5}, 3);  // 442 samples
  const Profile profile = reference::profile_of(uneven_delays(5));
  const auto steps = [&](const char* kind) {
    return this->draw(population, profile, settings_of(kind, 50), 1, 0).steps();
  };
  EXPECT_EQ(steps("ugs"), 9);  // ceil(442 / 50)
  EXPECT_EQ(steps("urn"), 9);
  EXPECT_EQ(steps("fls"), 30);   // b = 10: ceil(300 / 10)
  EXPECT_EQ(steps("fpls"), 10);  // b = 11, 4, 1, 34, 1: max(ceil(100/11), ceil(37/4), 0, ceil(300/34), 5)
}

TYPED_TEST(SamplerTest, UrnWithoutDeltaIsUgs) {
  const Population population = reference::population_of({100, 37, 0, 300, 5}, 3);
  const Profile profile = reference::profile_of(uneven_delays(5));
  SamplerSettings urn = settings_of("urn", 32);
  urn.delta = 0.0;
  const Schedule ugs = this->draw(population, profile, settings_of("ugs", 32), 5, 2);
  EXPECT_EQ(this->draw(population, profile, urn, 5, 2).sha256(), ugs.sha256());
  // Equal delays have no z-score, whatever delta.
  urn.delta = 3.0;
  EXPECT_EQ(this->draw(population, reference::profile_of(std::vector<std::int64_t>(5, 900)), urn, 5, 2).sha256(),
            ugs.sha256());
  EXPECT_NE(this->draw(population, profile, urn, 5, 2).sha256(), ugs.sha256());
}

TYPED_TEST(SamplerTest, UrnDrawsSlowClientsFirst) {
  const Population population = reference::population_of({200, 200, 200, 200}, 2);
  const Profile profile = reference::profile_of({1000, 9000, 1000, 1000});
  const auto first_of_slow = [&](double delta) {
    SamplerSettings settings = settings_of("urn", 80);
    settings.delta = delta;
    const Schedule schedule = this->draw(population, profile, settings, 1, 0);
    return std::count(schedule.client.begin(), schedule.client.begin() + 80, 1);
  };
  EXPECT_EQ(first_of_slow(100.0), 80);
  EXPECT_EQ(first_of_slow(-100.0), 0);
  EXPECT_GT(first_of_slow(2.0), first_of_slow(-2.0));
}

// Hashes of whole epochs: results must not change from version to version, compiler to compiler, backend to backend.
// Those of ugs, fls and fpls were reproduced by a program of 30 lines in another language, with a Philox of
// its own.
TYPED_TEST(SamplerTest, SchedulesKeepTheirFingerprints) {
  std::vector<std::int32_t> owner(60000), label(60000);
  for (std::uint32_t i = 0; i < owner.size(); ++i) {
    const std::uint64_t random = random_u64(1, {Purpose::kTest, i});  // sizes rise linearly
    owner[i] = static_cast<std::int32_t>(std::max(random % 128, random / 128 % 128));
    label[i] = static_cast<std::int32_t>(random_u64(2, {Purpose::kTest, i}) % 10);
  }
  const Population population = make_population(owner, label, 128, 10);
  const Profile profile = reference::profile_of(uneven_delays(128));
  const auto hash = [&](const char* kind) {
    return this->draw(population, profile, settings_of(kind, 500), 1, 0).sha256();
  };
  EXPECT_EQ(hash("ugs"), "5bf2925cca79719cedca487c7c5dbedffd8a2d68ebd09a6bb7a6a1f935df3f40");
  EXPECT_EQ(hash("urn"), "49cb87e480c2e0ab7b14a21d7101ceabec41976be2faacc818f16f585745c9f0");
  EXPECT_EQ(hash("fls"), "a541f07fbc41279fa51ae8029cf0f277a28d32881f81233be530e187b69f8eba");
  EXPECT_EQ(hash("pack"), "d979f49075196715626c7755781139b5a38268d67316041a83528be6edd07d11");
  EXPECT_EQ(hash("lbpack"), "9d49cc322430dad35f78c903e68c3231c9b91cacfda48b5d615cb7125ad91b65");
  EXPECT_EQ(hash("fpls"), "7b7dfaec2cd314b3d5065e57abcbcbd4b4928fc51e19bdf8c3e3cce97dbecc9a");
}

TYPED_TEST(SamplerTest, BuildingAllocatesNothing) {
  const Population population = reference::population_of(std::vector<int>(50, 400), 3);
  const Profile profile = reference::profile_of(uneven_delays(50));
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (const SamplerInfo& info : drawing_samplers()) {
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings_of(info.name, 64));
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    const ContextCounters before = this->ctx().counters();
    for (std::uint32_t epoch = 0; epoch < 3; ++epoch) sampler->build(1, epoch, out);
    const ContextCounters after = this->ctx().counters();
    EXPECT_EQ(after.allocations, before.allocations) << info.name;
    if (info.is.on_host) continue;
    EXPECT_EQ(after.host_reads, before.host_reads) << info.name;
    EXPECT_EQ(after.synchronizations, before.synchronizations) << info.name;
  }
}

TEST(SamplerThreads, AnyNumberGivesTheSameBits) {
  std::vector<std::int32_t> owner(200000), label(200000, 0);
  for (std::uint32_t i = 0; i < owner.size(); ++i) {  // uneven: a third of all at one client
    const std::uint64_t random = random_u64(1, {Purpose::kTest, i});
    owner[i] = random % 3 == 0 ? 7 : static_cast<std::int32_t>(random / 3 % 3000);
  }
  const Population population = make_population(owner, label, 3000, 1);
  const Profile profile = reference::profile_of(uneven_delays(3000));
  for (const SamplerInfo& info : drawing_samplers()) {
    for (const std::int64_t batch : {128, 50000}) {
      std::set<std::string> hashes;
      for (const int threads : {1, 2, 7}) {
        CpuContext ctx(threads);
        const DevicePopulation<CpuContext> device(ctx, population);
        const auto sampler = make_sampler(ctx, population, device, profile, settings_of(info.name, batch));
        ScheduleBuffer<CpuContext> out(ctx, sampler->bounds());
        sampler->build(4, 1, out);
        const Schedule schedule = download(out);
        std::string lists;
        for (const auto* list : {&schedule.active_first, &schedule.active_client, &schedule.active_slot}) {
          lists.append(reinterpret_cast<const char*>(list->data()), list->size() * sizeof(std::int32_t));
        }
        hashes.insert(schedule.sha256() + lists);
      }
      EXPECT_EQ(hashes.size(), 1u) << info.name << ", B = " << batch;
    }
  }
  CpuContext restore_default_threads;
}

TEST(SamplerSettingsCheck, NamesKeyValueAndAllowed) {
  const Population population = reference::population_of({100, 37, 0, 300, 5}, 3);
  const Profile profile = reference::profile_of(uneven_delays(5));
  CpuContext ctx;
  const DevicePopulation<CpuContext> device(ctx, population);
  const auto refused = [&](const SamplerSettings& settings, const std::vector<std::string>& parts) {
    test::expect_input_error([&] { make_sampler(ctx, population, device, profile, settings); }, parts);
  };
  refused(settings_of("usg", 32), {"sampler.kind", "usg", "ugs", "urn", "lds", "fls", "fpls"});
  refused(settings_of("ugs", 0), {"sampler.batch", "0", "1 to 442"});
  refused(settings_of("fls", 443), {"sampler.batch", "443", "442"});
  refused(settings_of("ugs", -5), {"sampler.batch", "-5"});
  SamplerSettings settings = settings_of("urn", 32);
  for (const double delta : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    settings.delta = delta;
    refused(settings, {"sampler.delta", "finite"});
  }
  settings.delta = 400.0;  // the slow one of five has z = 2
  refused(settings, {"sampler.delta = 400", "client 0", "-700 to 700"});
  test::expect_input_error(
      [&] {
        make_sampler(ctx, population, device, reference::profile_of({1, 2}), settings_of("ugs", 32));
      },
      {"profile", "2", "5"});
}

}  // namespace
}  // namespace splitsim

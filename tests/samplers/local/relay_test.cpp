// relay: turns, passes and their orders.
#include "samplers/local/relay.hpp"

#include <gtest/gtest.h>

#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/sampling.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

template <class Context>
class RelayTest : public test::OnContext<Context> {
 protected:
  Schedule draw(const Population& population, const std::string& kind, std::int64_t batch, std::int64_t local_epochs,
                std::uint32_t epoch, ScheduleBounds* bounds = nullptr) {
    SamplerSettings settings;
    settings.kind = kind;
    settings.batch = batch;
    settings.local_epochs = local_epochs;
    const Profile profile = reference::profile_of(std::vector<std::int64_t>(population.clients, 1000));
    const DevicePopulation<Context> device(this->ctx(), population);
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<Context> out(this->ctx(), sampler->bounds());
    sampler->build(8, epoch, out);
    if (bounds != nullptr) *bounds = sampler->bounds();
    return download(out);
  }
};
TYPED_TEST_SUITE(RelayTest, test::Contexts);

/// Local orders of one pass, from the addressed uniforms.
std::vector<std::vector<int>> orders_of_pass(const Population& population, std::uint64_t seed, std::uint32_t epoch,
                                             std::uint32_t pass) {
  std::vector<std::vector<std::pair<double, int>>> keyed(static_cast<std::size_t>(population.clients));
  for (std::int32_t i = 0; i < population.samples(); ++i) {
    const Address at{Purpose::kSampleKey, static_cast<std::uint32_t>(i), pass, epoch, 0};
    keyed[population.owner[i]].emplace_back(neg_log_uniform(random_u64(seed, at)), i);
  }
  std::vector<std::vector<int>> orders(keyed.size());
  for (std::size_t k = 0; k < keyed.size(); ++k) {
    std::sort(keyed[k].begin(), keyed[k].end());
    for (const auto& [key, sample] : keyed[k]) orders[k].push_back(sample);
  }
  return orders;
}

TYPED_TEST(RelayTest, EqualsSimulation) {
  const bool holds = rc::check("clients one after another, each with all its passes", [&] {
    const Population population = *reference::any_population();
    const auto batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const auto local_epochs = *rc::gen::inRange<std::int64_t>(1, 4);
    for (const std::uint32_t epoch : {0u, 4u}) {
      std::vector<std::vector<std::pair<int, int>>> steps;
      for (int k = 0; k < population.clients; ++k) {
        for (std::uint32_t pass = 0; pass < local_epochs; ++pass) {
          const std::vector<int> order = orders_of_pass(population, 8, epoch, pass)[k];
          for (std::size_t i = 0; i < order.size(); ++i) {
            if (i % static_cast<std::size_t>(batch) == 0) steps.emplace_back();
            steps.back().emplace_back(k, order[i]);
          }
        }
      }
      Schedule expected;
      reference::finish(expected, steps);
      ScheduleBounds bounds;
      const Schedule schedule = this->draw(population, "relay", batch, local_epochs, epoch, &bounds);
      RC_ASSERT(schedule.sha256() == expected.sha256());
      RC_ASSERT(schedule.active_first == expected.active_first);
      RC_ASSERT(schedule.active_client == expected.active_client);
      RC_ASSERT(schedule.active_slot == expected.active_slot);
      RC_ASSERT(bounds.slots == population.samples() * local_epochs);
      RC_ASSERT(bounds.steps == schedule.steps());
      RC_ASSERT(bounds.batch <= batch);
      RC_ASSERT(bounds.active == 1);
    }
  });
  EXPECT_TRUE(holds);
}

TYPED_TEST(RelayTest, PassesHaveOrdersOfTheirOwn) {
  const Population population = reference::population_of({500}, 2);
  const Schedule schedule = this->draw(population, "relay", 500, 3, 0);
  const auto pass = [&](int p) {
    return std::vector<int>(schedule.sample.begin() + 500 * p, schedule.sample.begin() + 500 * (p + 1));
  };
  EXPECT_NE(pass(0), pass(1));
  EXPECT_NE(pass(1), pass(2));
  EXPECT_EQ(pass(0), this->draw(population, "fls", 500, 1, 0).sample);
}

TEST(RelaySettings, LocalEpochsAreLimited) {
  const Population population = reference::population_of({100, 37}, 3);
  const Profile profile = reference::profile_of({1, 2});
  SamplerSettings settings;
  settings.kind = "relay";
  for (const std::int64_t passes : {std::int64_t{0}, std::int64_t{-3}, std::int64_t{15675064}}) {
    settings.local_epochs = passes;
    test::expect_input_error([&] { check_sampler_settings(settings, population, profile); },
                             {"sampler.local_epochs = " + std::to_string(passes), "1 to 15675063"});
  }
  settings.local_epochs = 15675063;  // 137 times that is below 2^31
  EXPECT_NO_THROW(check_sampler_settings(settings, population, profile));
}

}  // namespace
}  // namespace splitsim

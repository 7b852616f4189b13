// fls and fpls: batch sizes, layouts, and whole epochs against a simulation.
#include "samplers/local/local.hpp"

#include <gtest/gtest.h>

#include "tests/contexts.hpp"
#include "tests/reference/populations.hpp"
#include "tests/reference/sampling.hpp"

namespace splitsim {
namespace {

template <class Context>
class LocalTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LocalTest, test::Contexts);

TEST(LocalBatches, RoundHalfToEven) {
  const auto fls = [](int clients, std::int64_t batch) {
    return fls_batches(reference::population_of(std::vector<int>(clients, 1), 1), batch).front();
  };
  EXPECT_EQ(fls(4, 128), 32);
  EXPECT_EQ(fls(2, 1), 1);    // 0.5 -> 0 -> at least 1
  EXPECT_EQ(fls(2, 3), 2);    // 1.5 -> 2
  EXPECT_EQ(fls(2, 5), 2);    // 2.5 -> 2
  EXPECT_EQ(fls(2, 7), 4);    // 3.5 -> 4
  EXPECT_EQ(fls(3, 4), 1);    // 1.33
  EXPECT_EQ(fls(3, 5), 2);    // 1.67
  EXPECT_EQ(fls(100, 3), 1);  // 0.03
  const Population population = reference::population_of({10, 30, 0, 60}, 2);
  EXPECT_EQ(fpls_batches(population, 25), (std::vector<std::int64_t>{2, 8, 1, 15}));  // 2.5, 7.5, 0, 15
  EXPECT_EQ(fpls_batches(population, 15), (std::vector<std::int64_t>{2, 4, 1, 9}));   // 1.5, 4.5, 0, 9
  EXPECT_EQ(fls_batches(population, 6), (std::vector<std::int64_t>{2, 2, 2, 2}));     // 1.5
}

TYPED_TEST(LocalTest, OrdersAreThoseOfTheKeys) {
  const Population population = reference::population_of({9000, 0, 1, 3000, 20}, 3);
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  PairSort<TypeParam> pairs(this->ctx(), population.samples());
  local_order(this->ctx(), device, pairs, 5, 9);
  std::vector<std::int32_t> order(static_cast<std::size_t>(population.samples())), expected;
  this->ctx().download(order.data(), pairs.values().data(), order.size() * sizeof order[0]);
  for (const auto& of_client : reference::local_orders(population, 5, 9)) {
    expected.insert(expected.end(), of_client.begin(), of_client.end());
  }
  EXPECT_EQ(order, expected);
}

TYPED_TEST(LocalTest, EqualsSimulation) {
  const bool holds = rc::check("fls and fpls equal a simulation", [&] {
    const Population population = *reference::any_population();
    const auto batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    for (const auto& batches : {fls_batches(population, batch), fpls_batches(population, batch)}) {
      LocalSchedule<TypeParam> sampler(this->ctx(), device, local_layout(population, batches));
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler.bounds());
      for (const std::uint32_t epoch : {0u, 1u}) {
        sampler.build(8, epoch, out);
        const Schedule schedule = download(out), expected = reference::local(population, batches, 8, epoch);
        RC_ASSERT(schedule.sample == expected.sample);
        RC_ASSERT(schedule.client == expected.client);
        RC_ASSERT(schedule.step_first == expected.step_first);
        RC_ASSERT(schedule.active_first == expected.active_first);
        RC_ASSERT(schedule.active_client == expected.active_client);
        RC_ASSERT(schedule.active_slot == expected.active_slot);
      }
      std::int64_t steps = 0;  // max_k ceil(n_k / b_k)
      for (int k = 0; k < population.clients; ++k) {
        steps = std::max(steps, (population.size(k) + batches[k] - 1) / batches[k]);
      }
      RC_ASSERT(out.steps == steps);
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace splitsim

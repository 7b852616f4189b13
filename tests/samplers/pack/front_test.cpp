// The front: no schedule lies below it, its two forms agree, its laws in whole samples, and what ugs has in the mean.
#include "samplers/pack/front.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <numeric>

#include "samplers/pack/ugs_expectation.hpp"
#include "tests/samplers/pack/pack_helpers.hpp"

namespace splitsim {
namespace {

using reference::any_delays;
using reference::delays_only;

/// Random steps; now and then slow clients first, or classes apart, to come near the front.
Schedule any_schedule(const Population& population, const std::vector<std::int64_t>& delay, std::int64_t steps) {
  const int shape = *rc::gen::inRange(0, 4);
  std::vector<std::int32_t> order(static_cast<std::size_t>(population.samples()));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[*rc::gen::inRange<std::size_t>(0, i)]);
  std::stable_sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    if (shape == 1) return delay[population.owner[a]] > delay[population.owner[b]];
    if (shape == 2) return population.label[a] < population.label[b];
    return shape == 3 && population.owner[a] < population.owner[b];
  });
  Schedule schedule;
  const Chunks chunks{population.samples(), (population.samples() + steps - 1) / steps, true};
  for (std::int64_t t = 0; t <= chunks.steps(); ++t) {
    schedule.step_first.push_back(static_cast<std::int32_t>(chunks.first(t)));
  }
  for (const std::int32_t sample : order) {
    schedule.sample.push_back(sample);
    schedule.client.push_back(population.owner[sample]);
  }
  return schedule;
}

TEST(Front, NoScheduleLiesBelow) {
  EXPECT_TRUE(rc::check("deviation at a schedule's time, time at its deviation", [] {
    // Steps of one size: the bound counts samples where a schedule counts steps.
    const auto steps = *rc::gen::inRange<std::int64_t>(1, 12);
    const auto batch = *rc::gen::inRange<std::int64_t>(1, 12);
    const int clients = *rc::gen::inRange(1, 8), classes = *rc::gen::inRange(1, 5);
    std::vector<std::int32_t> owner, label;
    for (std::int64_t i = 0; i < steps * batch; ++i) {
      owner.push_back(*rc::gen::inRange(0, clients));
      label.push_back((owner.back() + *rc::gen::inRange(0, 2)) % classes);
    }
    const Population population = make_population(owner, label, clients, classes);
    const std::vector<std::int64_t> delay = any_delays(clients);
    const LevelStock stock = level_stock(population, delays_only(delay), 0);
    const double rest = *rc::gen::element(0.0, 100.0);
    const Front front(stock, rest);
    const auto seen = reference::measure(any_schedule(population, delay, steps), population, delay);
    const double step_ns = seen.delay_ns + rest;
    RC_ASSERT(step_ns >= front.fastest_ns() * (1.0 - 1e-12));
    RC_ASSERT(seen.deviation >= front.least_deviation(step_ns).deviation - 1e-7);
    RC_ASSERT(step_ns >= front.least_time(seen.deviation).step_ns * (1.0 - 1e-7));
  }));
}

TEST(Front, WaterFillingIsTheLinearProgram) {
  EXPECT_TRUE(rc::check("two levels", [] {
    const Population population = *reference::any_population();
    std::vector<std::int64_t> delay;
    for (int k = 0; k < population.clients; ++k) delay.push_back(*rc::gen::element(100, 1000));
    const LevelStock stock = level_stock(population, delays_only(delay), 2);
    if (stock.levels() != 2) return;
    const Front front(stock, 7.0);
    FrontProgram program(stock, {1007.0, 107.0});
    const auto samples = static_cast<double>(stock.samples);
    for (const double part : {0.0, 0.3, 0.8, 1.0}) {
      const double at = front.fastest_ns() + part * (front.balanced_ns() - front.fastest_ns());
      const FrontPoint filled = front.least_deviation(at);
      RC_ASSERT(std::abs(filled.step_ns - at) <= 1e-7 * at);
      double deviation = 0.0;  // the closed form
      for (int c = 0; c < stock.classes; ++c) {
        const double share = static_cast<double>(stock.class_total[c]) / samples;
        deviation += 4.0 * std::max(0.0, static_cast<double>(stock.held_to(0)[c]) - share * filled.law.position[0]);
      }
      RC_ASSERT(std::abs(filled.deviation - deviation / samples) < 1e-9);
      RC_ASSERT(std::abs(program.least_deviation(at).deviation - filled.deviation) < 1e-6);
      RC_ASSERT(front.least_time(filled.deviation).step_ns <= at * (1.0 + 1e-7));
    }
  }));
}

TEST(Front, TimeAndDeviationAreOneCurve) {
  const Population population = reference::skewed_population(40, 6, 60, 3);
  const LevelStock stock = level_stock(population, delays_only(reference::pareto_delays(40, 5)), 0);
  ASSERT_EQ(stock.levels(), 40);
  const Front front(stock, 1e5);
  double last = 3.0;
  for (int i = 0; i <= 10; ++i) {
    const double at = front.fastest_ns() + 0.1 * i * (front.balanced_ns() - front.fastest_ns());
    const FrontPoint point = front.least_deviation(at);
    EXPECT_LE(point.step_ns, at * (1.0 + 1e-6));
    EXPECT_LE(point.deviation, last + 1e-9);
    EXPECT_NEAR(front.least_time(point.deviation).step_ns, at, 1e-5 * at) << i;
    last = point.deviation;
  }
  EXPECT_NEAR(last, 0.0, 1e-6);
  EXPECT_GT(front.least_deviation(0.0).deviation, 0.2);
}

void expect_law(const DealingLaw& law, const LevelStock& stock, const Chunks& chunks) {
  ASSERT_EQ(law.level_end.size(), static_cast<std::size_t>(stock.levels()));
  EXPECT_EQ(law.level_end.back(), chunks.steps());
  std::vector<std::int64_t> before(static_cast<std::size_t>(stock.classes), 0);
  for (std::int64_t b = 0; b < law.blocks(); ++b) {
    std::int64_t sum = 0;
    for (int c = 0; c < stock.classes; ++c) {
      const std::int64_t dealt = law.dealt[static_cast<std::size_t>(b * stock.classes + c)];
      EXPECT_GE(dealt, before[c]);
      before[c] = dealt;
      sum += dealt;
    }
    EXPECT_EQ(sum, law.position[b]);
    EXPECT_EQ(chunks.first(step_at(chunks, sum)), sum) << "a block ends within a step";
  }
  EXPECT_EQ(before, stock.class_total);
  for (int j = 0; j < stock.levels(); ++j) {  // what a level holds is dealt by its end
    std::int64_t b = 0;
    while (law.position[b] < chunks.first(law.level_end[j])) ++b;
    EXPECT_EQ(law.position[b], chunks.first(law.level_end[j]));
    for (int c = 0; c < stock.classes; ++c) {
      EXPECT_GE(law.dealt[static_cast<std::size_t>(b * stock.classes + c)], stock.held_to(j)[c]) << j << " " << c;
    }
  }
}

TEST(DealingLaw, WholeSamplesInWholeSteps) {
  EXPECT_TRUE(rc::check("balanced, and points of the front", [] {
    const Population population = *reference::any_population();
    const LevelStock stock = level_stock(population, delays_only(any_delays(population.clients)), 0);
    const Chunks chunks{population.samples(), *rc::gen::inRange<std::int64_t>(1, population.samples() + 1),
                        *rc::gen::arbitrary<bool>()};
    const DealingLaw balanced = balanced_law(stock, chunks);
    expect_law(balanced, stock, chunks);
    for (int j = 0; j + 1 < stock.levels(); ++j) {  // the first step by which every class has its share dealt
      std::int64_t t = 0;
      for (int c = 0; c < stock.classes; ++c) {
        while (stock.class_total[c] * chunks.first(t) < stock.held_to(j)[c] * stock.samples) ++t;
      }
      RC_ASSERT(balanced.level_end[j] >= t);
      if (j == 0) RC_ASSERT(balanced.level_end[j] == t);
    }
    const Front front(stock, 10.0);
    for (const double part : {0.0, 0.4, 0.9}) {
      const double at = front.fastest_ns() + part * (front.balanced_ns() - front.fastest_ns());
      const FrontPoint point = front.least_deviation(at);
      const DealingLaw law = rounded_law(point.law, stock, chunks);
      expect_law(law, stock, chunks);
      // A block's end moves by less than a step and a class by a sample (more steps only where rounding wanted them).
      if (law.blocks() == stock.levels()) {
        const double moved = 2.0 * static_cast<double>(law.blocks() * (chunks.batch + stock.classes));
        RC_ASSERT(law_deviation(law, stock) <= point.deviation + 2.0 * moved / static_cast<double>(stock.samples));
      }
    }
  }));
}

/// Every subset of `size` of `samples` things.
template <class Visit>
void for_each_subset(int samples, int size, const Visit& visit) {
  for (unsigned set = 0; set < 1u << samples; ++set) {
    if (__builtin_popcount(set) == size) visit(set);
  }
}

TEST(UgsMeans, AreThoseOfAllBatches) {
  const std::vector<std::int64_t> delay = {50, 20, 20, 400}, sizes = {3, 2, 4, 1}, totals = {5, 4, 1};
  const std::vector<int> owner = {0, 0, 0, 1, 1, 2, 2, 2, 2, 3}, label = {0, 0, 0, 0, 0, 1, 1, 1, 1, 2};
  for (const int batch : {1, 2, 5, 10}) {
    double slowest = 0.0, deviation = 0.0, sets = 0.0;
    for_each_subset(10, batch, [&](unsigned set) {
      std::int64_t most = 0;
      double count[3] = {};
      for (int i = 0; i < 10; ++i) {
        if (!(set >> i & 1)) continue;
        most = std::max(most, delay[owner[i]]);
        count[label[i]] += 1.0;
      }
      slowest += static_cast<double>(most);
      for (int c = 0; c < 3; ++c) deviation += std::abs(count[c] / batch - static_cast<double>(totals[c]) / 10.0);
      sets += 1.0;
    });
    const Chunks chunks{10, batch, true};
    EXPECT_NEAR(ugs_delay_ns(delay, sizes, chunks), slowest / sets, 1e-9) << batch;
    EXPECT_NEAR(ugs_deviation(totals, chunks), deviation / sets, 1e-12) << batch;
  }
  // Two sizes: 10 in steps of 4, 4, 2 or 4, 3, 3.
  const auto of = [&](std::int64_t batch) { return ugs_delay_ns(delay, sizes, {10, batch, true}); };
  double four = 0.0, three = 0.0, n4 = 0.0, n3 = 0.0;
  for (const int batch : {3, 4}) {
    for_each_subset(10, batch, [&](unsigned set) {
      std::int64_t most = 0;
      for (int i = 0; i < 10; ++i) most = set >> i & 1 ? std::max(most, delay[owner[i]]) : most;
      (batch == 4 ? four : three) += static_cast<double>(most);
      (batch == 4 ? n4 : n3) += 1.0;
    });
  }
  EXPECT_NEAR(of(4), (four / n4 + 2.0 * three / n3) / 3.0, 1e-9);
  EXPECT_NEAR(ugs_delay_ns(delay, sizes, {10, 4, false}), (2.0 * four / n4 + of(2)) / 3.0, 1e-9);
}

}  // namespace
}  // namespace splitsim

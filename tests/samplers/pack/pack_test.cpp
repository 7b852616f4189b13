// pack and lbpack as samplers: the law step by step, budgets, counts of ugs, what is refused.
#include "samplers/pack/pack.hpp"

#include <gtest/gtest.h>

#include <set>

#include "samplers/pack/step_cover.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/samplers/pack/pack_helpers.hpp"
#include "tests/samplers/population/partition_helpers.hpp"

namespace splitsim {
namespace {

using reference::class_counts;
using reference::delays_only;
using reference::measure;
using reference::skewed_population;

SamplerSettings settings_of(const char* kind, std::int64_t batch) {
  SamplerSettings settings;
  settings.kind = kind;
  settings.batch = batch;
  return settings;
}

template <class Context>
class PackTest : public test::OnContext<Context> {
 protected:
  Schedule draw(const Population& population, const Profile& profile, const SamplerSettings& settings,
                std::uint64_t seed = 1, std::uint32_t epoch = 0) {
    const DevicePopulation<Context> device(this->ctx(), population);
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<Context> out(this->ctx(), sampler->bounds());
    sampler->build(seed, epoch, out);
    return download(out);
  }
};
TYPED_TEST_SUITE(PackTest, test::Contexts);

void expect_every_sample_once(const Schedule& schedule, const Population& population) {
  EXPECT_EQ(schedule.slots(), population.samples());
  EXPECT_EQ(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size(),
            static_cast<std::size_t>(population.samples()));
}

// Slow first, every step has its block's rate of each class within 1 + rate (C - 2) samples (each class is cut at two
// places, rounded there by less than one; the place of the cut gives way by what the others are rounded), blocks have
// exactly what the law deals, and levels are over where it says.
TYPED_TEST(PackTest, FollowsTheLawStepByStep) {
  EXPECT_TRUE(rc::check("law", [&] {
    const Population population = *reference::any_population();
    const Profile profile = delays_only(reference::any_delays(population.clients));
    SamplerSettings settings = settings_of("pack", *rc::gen::inRange<std::int64_t>(1, population.samples() + 1));
    settings.chunks = *rc::gen::element(ChunkRule::kEven, ChunkRule::kLastShort);
    settings.levels = *rc::gen::inRange(0, 5);
    settings.order = StepOrder::kSlowFirst;
    const LevelStock stock = level_stock(population, profile, settings.levels);
    if (*rc::gen::arbitrary<bool>()) settings.budget_deviation = *rc::gen::inRange(10, 40) * 0.1;
    DealingLaw law;
    try {
      law = pack_law(population, profile, stock, settings);
    } catch (const InputError&) {  // ugs deviates so little, or not at all
      return;
    }
    const Schedule schedule = this->draw(population, profile, settings, 3, 1);
    expect_every_sample_once(schedule, population);
    const auto counts = class_counts(schedule, population);
    std::vector<double> dealt(static_cast<std::size_t>(population.classes), 0.0), before = dealt;
    std::int64_t b = 0, from = 0;
    for (std::int64_t t = 0; t < schedule.steps(); ++t) {
      const double part = static_cast<double>(schedule.step_first[t + 1] - schedule.step_first[t]) /
                          static_cast<double>(law.position[b] - from);
      for (int c = 0; c < population.classes; ++c) {
        const auto at = static_cast<std::size_t>(b * population.classes + c);
        const double block = static_cast<double>(law.dealt[at]) - before[c];
        const double rate = block / static_cast<double>(law.position[b] - from);
        RC_ASSERT(std::abs(counts[t][c] - block * part) < 1.0 + rate * std::max(0, population.classes - 2) + 1e-9);
        dealt[c] += counts[t][c];
      }
      if (schedule.step_first[t + 1] != law.position[b]) continue;
      for (int c = 0; c < population.classes; ++c) {
        before[c] = static_cast<double>(law.dealt[static_cast<std::size_t>(b * population.classes + c)]);
        RC_ASSERT(dealt[c] == before[c]);
      }
      from = law.position[b++];
    }
    for (std::int64_t t = 0; t < schedule.steps(); ++t) {
      for (int i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
        RC_ASSERT(t < law.level_end[stock.level[schedule.client[i]]]);
      }
    }
  }));
}

TYPED_TEST(PackTest, ShuffledStepsAreTheSameSteps) {
  const Population population = skewed_population(20, 5, 80, 1);
  const Profile profile = delays_only(reference::pareto_delays(20, 2));
  const auto steps = [&](StepOrder order, std::uint32_t epoch) {
    SamplerSettings settings = settings_of("pack", 37);
    settings.order = order;
    const Schedule schedule = this->draw(population, profile, settings, 9, epoch);
    std::vector<std::vector<int>> found;
    for (std::int64_t t = 0; t < schedule.steps(); ++t) {
      found.emplace_back(schedule.sample.begin() + schedule.step_first[t],
                         schedule.sample.begin() + schedule.step_first[t + 1]);
    }
    return found;
  };
  auto shuffled = steps(StepOrder::kShuffled, 2), sorted = steps(StepOrder::kSlowFirst, 2);
  EXPECT_NE(shuffled, sorted);
  EXPECT_NE(shuffled, steps(StepOrder::kShuffled, 3));
  std::sort(shuffled.begin(), shuffled.end());
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(shuffled, sorted);
}

// Points of the front: the time is within the budget, and the deviation within 2 % or the rounding terms of the bound of
// any schedule at that time. Rounding classes costs rounding_deviation(); rounding the end of each level j to a step costs
// sum_j (v_j - v_(j+1)), which is v_0, once per epoch: as much less time the bound is taken at.
TYPED_TEST(PackTest, ReachesTheFront) {
  const Population population = skewed_population(64, 10, 400, 7);
  for (const bool two_speeds : {true, false}) {
    std::vector<std::int64_t> delay = reference::pareto_delays(64, 11);
    if (two_speeds) {
      for (int k = 0; k < 64; ++k) delay[k] = k % 10 == 0 ? 10000000 : 1000000;
    }
    const Profile profile = delays_only(delay);
    const auto slowest = static_cast<double>(*std::max_element(delay.begin(), delay.end()));
    const Chunks chunks{population.samples(), 128, true};
    const LevelStock exact = level_stock(population, profile, 0);
    const UgsMeans ugs = ugs_means(population, profile, chunks);
    const Front front(exact, 0.0);
    const double rounding = rounding_deviation(population.class_total, chunks);
    for (const double part : {0.05, 0.25, 0.6, 1.0}) {
      SamplerSettings settings = settings_of("pack", 128);
      settings.levels = 64;
      const double aim = front.fastest_ns() + part * (front.balanced_ns() - front.fastest_ns());
      // Whole steps: the slowest level may need one more.
      settings.budget_time = (aim + slowest / static_cast<double>(chunks.steps())) / ugs.step_ns;
      const Schedule schedule = this->draw(population, profile, settings);
      expect_every_sample_once(schedule, population);
      const auto seen = measure(schedule, population, delay);
      EXPECT_LE(seen.delay_ns, settings.budget_time * ugs.step_ns * (1.0 + 1e-9));
      const double bound = front.least_deviation(seen.delay_ns).deviation;
      EXPECT_GE(seen.deviation, bound - 1e-9);
      const double step = slowest / static_cast<double>(chunks.steps());
      const double earlier = front.least_deviation(seen.delay_ns - step).deviation;
      EXPECT_LE(seen.deviation, std::max(1.02 * bound, earlier + 1.3 * rounding)) << two_speeds << " " << part;
      settings.budget_time = 0.0;
      settings.budget_deviation = (bound + rounding) / ugs.deviation;
      const auto other = measure(this->draw(population, profile, settings), population, delay);
      EXPECT_LE(other.deviation, bound + 1.3 * rounding);
      EXPECT_LE(other.delay_ns, 1.02 * aim + slowest / static_cast<double>(chunks.steps()));
    }
  }
}

TYPED_TEST(PackTest, BalancedIsTheFastestWithoutDeviation) {
  const Population population = skewed_population(64, 10, 400, 7);
  const std::vector<std::int64_t> delay = reference::pareto_delays(64, 11);
  const Chunks chunks{population.samples(), 128, true};
  SamplerSettings settings = settings_of("pack", 128);
  settings.levels = 0;
  const auto seen = measure(this->draw(population, delays_only(delay), settings), population, delay);
  const Front front(level_stock(population, delays_only(delay), 0), 0.0);
  const double slowest = static_cast<double>(*std::max_element(delay.begin(), delay.end()));
  EXPECT_GE(seen.delay_ns, front.balanced_ns() * 0.98);
  EXPECT_LE(seen.delay_ns, front.balanced_ns() + slowest / chunks.steps());  // one step more for rounding
  EXPECT_NEAR(seen.deviation, rounding_deviation(population.class_total, chunks), 0.01);
  // Fewer levels: more time, more clients in a step.
  double last_time = seen.delay_ns, last_active = 0.0;
  for (const int levels : {16, 8, 2}) {
    settings.levels = levels;
    const Schedule schedule = this->draw(population, delays_only(delay), settings);
    const double active = static_cast<double>(schedule.active_first.back()) / static_cast<double>(schedule.steps());
    EXPECT_GE(measure(schedule, population, delay).delay_ns, last_time * 0.99) << levels;
    EXPECT_GT(active, last_active) << levels;
    last_time = measure(schedule, population, delay).delay_ns;
    last_active = active;
  }
}

TYPED_TEST(PackTest, LbPackHasTheClassCountsOfUgs) {
  EXPECT_TRUE(rc::check("counts", [&] {
    const Population population = *reference::any_population();
    const Profile profile = delays_only(reference::any_delays(population.clients));
    SamplerSettings settings = settings_of("lbpack", *rc::gen::inRange<std::int64_t>(1, population.samples() + 1));
    settings.chunks = *rc::gen::element(ChunkRule::kEven, ChunkRule::kLastShort);
    settings.levels = 0;
    SamplerSettings like = settings;
    like.kind = "ugs";
    const auto counts = class_counts(this->draw(population, profile, like, 5, 2), population);
    for (const StepOrder order : {StepOrder::kShuffled, StepOrder::kSlowFirst}) {
      settings.order = order;
      const Schedule schedule = this->draw(population, profile, settings, 5, 2);
      expect_every_sample_once(schedule, population);
      RC_ASSERT(class_counts(schedule, population) == counts);
      if (order == StepOrder::kShuffled) continue;
      std::vector<std::int64_t> fastest(static_cast<std::size_t>(population.classes), 1 << 30), step = fastest;
      for (std::int64_t t = 0; t < schedule.steps(); ++t) {  // no step has a slower client of a class than one before
        std::vector<std::int64_t> slowest(fastest.size(), -1);
        step = fastest;
        for (int i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
          const int c = population.label[schedule.sample[i]];
          const std::int64_t delay = profile.delay_ns[schedule.client[i]];
          slowest[c] = std::max(slowest[c], delay);
          step[c] = std::min(step[c], delay);
        }
        for (std::size_t c = 0; c < step.size(); ++c) RC_ASSERT(slowest[c] <= fastest[c]);
        fastest = step;
      }
    }
  }));
}

TYPED_TEST(PackTest, LbPackOfEqualDelaysIsUgs) {
  const Population population = skewed_population(30, 7, 90, 4);
  const Profile profile = delays_only(std::vector<std::int64_t>(30, 1000));
  const std::string ugs = this->draw(population, profile, settings_of("ugs", 64), 3, 1).sha256();
  SamplerSettings settings = settings_of("lbpack", 64);
  EXPECT_EQ(this->draw(population, profile, settings, 3, 1).sha256(), ugs);
  settings.order = StepOrder::kSlowFirst;
  EXPECT_EQ(this->draw(population, profile, settings, 3, 1).sha256(), ugs);
}

TYPED_TEST(PackTest, LbPackCoversSlowClientsInFewSteps) {
  const Population population = skewed_population(64, 10, 400, 7);
  std::vector<std::int64_t> delay(64, 1000000);
  for (int k = 0; k < 64; k += 10) delay[k] = 10000000;
  const auto time_of = [&](const char* kind, StepOrder order) {
    SamplerSettings settings = settings_of(kind, 128);
    settings.order = order;
    return measure(this->draw(population, delays_only(delay), settings), population, delay).delay_ns;
  };
  const double ugs = time_of("ugs", StepOrder::kShuffled);
  const double in_order = time_of("lbpack", StepOrder::kSlowFirst), covered = time_of("lbpack", StepOrder::kShuffled);
  EXPECT_LT(in_order, 0.7 * ugs);
  EXPECT_LT(covered, 0.95 * in_order);
}

TEST(StepCover, EveryStepOnceTheFewestFirst) {
  // Slow clients hold 4 of class 0; steps 1 and 3 have two each, the others none.
  LevelStock stock;
  stock.classes = 2;
  stock.delay_ns = {10, 1};
  stock.held = {4, 0, 4, 12};
  stock.class_total = {4, 12};
  stock.samples = 16;
  EXPECT_EQ(covering_order({0, 4, 2, 2, 0, 4, 2, 2}, stock), (std::vector<std::int32_t>{1, 3, 0, 2}));
  stock.delay_ns = {10};
  stock.held = {4, 12};
  EXPECT_EQ(covering_order({0, 4, 2, 2, 0, 4, 2, 2}, stock), (std::vector<std::int32_t>{0, 1, 2, 3}));
}

TEST(PackSettings, NamesWhatIsFeasible) {
  const Population population = skewed_population(64, 10, 100, 7);
  std::vector<std::int64_t> delay(64, 1000000);
  for (int k = 0; k < 64; k += 10) delay[k] = 10000000;
  const auto refused = [&](double time, double deviation, const std::vector<std::string>& parts) {
    SamplerSettings settings = settings_of("pack", 64);
    settings.budget_time = time;
    settings.budget_deviation = deviation;
    const Profile profile = delays_only(delay);
    const LevelStock stock = level_stock(population, profile, 8);
    test::expect_input_error([&] { pack_law(population, profile, stock, settings); }, parts);
  };
  refused(0.01, 0.0, {"sampler.budget_time = 0.01", "allowed are 0.", "and more"});
  refused(0.0, 0.001, {"sampler.budget_deviation = 0.001", "allowed are 0.", "and more"});
  refused(0.5, 0.5, {"sampler.budget_time = 0.5 and sampler.budget_deviation = 0.5", "one of the two"});
  const Population wide = skewed_population(70, 3, 10, 1);
  SamplerSettings settings = settings_of("pack", 8);
  settings.levels = 0;
  settings.budget_time = 0.9;
  const Profile profile = delays_only(reference::pareto_delays(70, 1));
  test::expect_input_error([&] { pack_law(wide, profile, level_stock(wide, profile, 0), settings); },
                           {"sampler.levels = 0", "70 levels", "1 to 64"});
  // What the refusal names is feasible.
  SamplerSettings least = settings_of("pack", 64);
  least.budget_time = 0.01;
  const LevelStock stock = level_stock(population, delays_only(delay), 8);
  try {
    pack_law(population, delays_only(delay), stock, least);
    FAIL();
  } catch (const InputError& error) {
    const std::string text = error.what();
    least.budget_time = std::stod(text.substr(text.find("allowed are ") + 12));
  }
  EXPECT_NO_THROW(pack_law(population, delays_only(delay), stock, least));
}

}  // namespace
}  // namespace splitsim

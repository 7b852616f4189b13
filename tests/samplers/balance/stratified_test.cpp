// Stratified class targets: every count is p_c B rounded, tables use up every sample, and dealers supply them.
#include "samplers/balance/stratified.hpp"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/samplers/pack/pack_helpers.hpp"

namespace splitsim {
namespace {

TEST(StratifiedCounts, AreSharesRoundedUpOrDown) {
  EXPECT_TRUE(rc::check("rows, columns, entries", [] {
    const auto totals = *rc::gen::suchThat(
        rc::gen::container<std::vector<std::int64_t>>(*rc::gen::inRange<std::size_t>(1, 8),
                                                      rc::gen::inRange<std::int64_t>(0, 60)),
        [](const auto& list) { return std::accumulate(list.begin(), list.end(), std::int64_t{0}) > 0; });
    const std::int64_t samples = std::accumulate(totals.begin(), totals.end(), std::int64_t{0});
    const Chunks chunks{samples, *rc::gen::inRange<std::int64_t>(1, samples + 1), *rc::gen::arbitrary<bool>()};
    const std::vector<std::int32_t> counts = stratified_counts(totals, chunks, 3, 1);
    std::vector<std::int64_t> columns(totals.size(), 0);
    for (std::int64_t t = 0; t < chunks.steps(); ++t) {
      const std::int64_t size = chunks.first(t + 1) - chunks.first(t);
      std::int64_t row = 0;
      for (std::size_t c = 0; c < totals.size(); ++c) {
        const std::int64_t count = counts[static_cast<std::size_t>(t) * totals.size() + c];
        RC_ASSERT(std::abs(count * samples - totals[c] * size) < samples);  // |count - p_c B| < 1
        row += count;
        columns[c] += count;
      }
      RC_ASSERT(row == size);
    }
    RC_ASSERT(columns == totals);
  }));
}

template <class Context>
class StratifiedTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(StratifiedTest, test::Contexts);

TYPED_TEST(StratifiedTest, DealersSupplyTheCounts) {
  const Population population = reference::skewed_population(25, 6, 60, 2);
  const Profile profile = reference::profile_of(reference::pareto_delays(25, 3));
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  for (const char* kind : {"lb_greedy", "lb_flow"}) {
    for (const ChunkRule rule : {ChunkRule::kEven, ChunkRule::kLastShort}) {
      SamplerSettings settings;
      settings.kind = kind;
      settings.batch = 43;
      settings.chunks = rule;
      settings.target = ClassTarget::kStratified;
      const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
      std::set<std::vector<std::int32_t>> tables;
      for (const std::uint32_t epoch : {0u, 1u}) {
        sampler->build(8, epoch, out);
        const Schedule schedule = download(out);
        EXPECT_EQ(std::set<int>(schedule.sample.begin(), schedule.sample.end()).size(),
                  static_cast<std::size_t>(population.samples()));
        std::vector<std::int32_t> counts;
        for (const std::vector<int>& row : reference::class_counts(schedule, population)) {
          counts.insert(counts.end(), row.begin(), row.end());
        }
        EXPECT_EQ(counts,
                  stratified_counts(population.class_total, make_chunks(population.samples(), settings), 8, epoch))
            << kind;
        tables.insert(counts);
      }
      EXPECT_EQ(tables.size(), 2u);
    }
  }
}

// lb_greedy's rule is that of ugs's targets: with one class they are the same counts, and so the same schedule.
TYPED_TEST(StratifiedTest, WithOneClassTheTargetChangesNothing) {
  const Population population = reference::skewed_population(12, 1, 40, 2);
  const Profile profile = reference::profile_of(reference::pareto_delays(12, 3));
  const DevicePopulation<TypeParam> device(this->ctx(), population);
  std::set<std::string> hashes;
  for (const ClassTarget target : {ClassTarget::kUgs, ClassTarget::kStratified}) {
    SamplerSettings settings;
    settings.kind = "lb_greedy";
    settings.batch = 20;
    settings.target = target;
    const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
    ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
    sampler->build(1, 0, out);
    hashes.insert(download(out).sha256());
  }
  EXPECT_EQ(hashes.size(), 1u);
}

}  // namespace
}  // namespace splitsim

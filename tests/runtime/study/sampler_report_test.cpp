// Reports of samplers against recomputation from the schedules and timelines themselves.
#include "runtime/study/sampler_report.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "tests/contexts.hpp"

namespace splitsim {
namespace {

std::vector<std::int32_t> cyclic_labels(std::int64_t samples, std::int32_t classes) {
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < samples; ++i) labels.push_back(static_cast<std::int32_t>(i % classes));
  return labels;
}

TEST(Spread, CountsRanks) {
  std::vector<double> values;
  for (int i = 100; i > 0; --i) values.push_back(i);
  const Spread hundred = spread_of(values);
  EXPECT_DOUBLE_EQ(hundred.mean, 50.5);
  EXPECT_EQ(hundred.p95, 95.0);  // exactly 95 of 100 do not exceed it
  EXPECT_EQ(hundred.max, 100.0);
  values.push_back(101.0);
  EXPECT_EQ(spread_of(values).p95, 96.0);  // 95 of 101 are fewer than 95 %
  EXPECT_EQ(spread_of({7.0}).p95, 7.0);
  EXPECT_EQ(spread_of({}).max, 0.0);
}

TEST(Serfling, IsTheSmallestBoundOfItsInequality) {
  for (const std::int64_t batch : {1, 128, 4999, 5000}) {
    const double e = serfling_bound(5000, 10, batch);
    const double b = static_cast<double>(batch);
    EXPECT_NEAR(20.0 * std::exp(-2.0 * b * e * e / (1.0 - (b - 1.0) / 5000.0)), 0.05, 1e-12) << batch;
  }
  EXPECT_LT(serfling_bound(5000, 10, 128), serfling_bound(5000, 100, 128));
  EXPECT_GT(serfling_bound(5000, 10, 128, 0.01), serfling_bound(5000, 10, 128, 0.05));
}

TEST(LargestClassDeviation, OfAHandMadeSchedule) {
  // Pool: classes 0 0 0 1. Steps {0, 1}, {2, 3}, {}.
  const Population population = make_population({0, 0, 1, 1}, {0, 0, 0, 1}, 2, 2);
  Schedule schedule;
  schedule.sample = {0, 1, 2, 3};
  schedule.step_first = {0, 2, 4, 4};
  EXPECT_EQ(largest_class_deviation(schedule, population), (std::vector<double>{0.25, 0.25, 0.0}));
}

template <class Context>
class SamplerReportTest : public test::OnContext<Context> {
 protected:
  static Config config(const std::vector<std::string>& overrides) { return parse_config("", "test", overrides); }
  /// piece_slots: without a look at whole epochs, in such pieces.
  SamplerReport measure(const Config& config, std::int32_t epochs, std::vector<EpochPlan>* plans = nullptr,
                        std::int64_t piece_slots = 0) {
    const std::vector<std::int32_t> labels = cyclic_labels(3000, 10);
    Scene scene;
    scene.config = config;
    scene.population = make_partition(labels, 10, config.partition, config.seed);
    scene.mode = mode_map(config.train);
    scene.cut = {4704, 4, 1000};
    const Population& population = scene.population;
    Timing timing = make_timing(scene, config.clock, config.seed);
    timing.mode.held_entries = piece_slots;
    const DevicePopulation<Context> device_population(this->ctx(), population);
    population_ = population;
    if (piece_slots > 0) {
      return measure_sampler(this->ctx(), population, device_population, timing, config, "a sampler", epochs);
    }
    return measure_sampler(this->ctx(), population, device_population, timing, config, "a sampler", epochs,
                           [&](std::int32_t epoch, const EpochPlan& plan) {
                             if (plans == nullptr) return;
                             EXPECT_EQ(epoch, static_cast<std::int32_t>(plans->size()));
                             plans->push_back(plan);
                           });
  }
  Population population_;
};
TYPED_TEST_SUITE(SamplerReportTest, test::Contexts);

TYPED_TEST(SamplerReportTest, EqualsRecomputation) {
  for (const char* kind : {"ugs", "fls"}) {
    const Config config = this->config({std::string("sampler.kind=") + kind, "sampler.batch=100",
                                        "partition.clients=20", "clock.jitter={kind=\"lognormal\",mean=1.0,cv=0.3}"});
    std::vector<EpochPlan> plans;
    const SamplerReport report = this->measure(config, 3, &plans);
    ASSERT_EQ(plans.size(), 3u);
    double steps = 0.0, l1 = 0.0, drift = 0.0, moves = 0.0, active = 0.0, time = 0.0, largest = 0.0;
    std::int64_t least = 1000, most = 0;
    Sha256 schedules, timelines;
    for (const EpochPlan& plan : plans) {
      schedules.add(plan.schedule.sha256());
      timelines.add(plan.timeline.sha256());
      std::vector<double> shares_before(10, 0.0);
      for (std::int64_t t = 0; t < plan.schedule.steps(); ++t) {
        const auto i = static_cast<std::size_t>(t);
        std::vector<double> count(10, 0.0);
        std::vector<bool> seen(20, false);
        const std::int32_t first = plan.schedule.step_first[i], end = plan.schedule.step_first[i + 1];
        for (std::int32_t s = first; s < end; ++s) {
          const auto slot = static_cast<std::size_t>(s);
          count[static_cast<std::size_t>(plan.schedule.sample[slot] % 10)] += 1.0;
          seen[static_cast<std::size_t>(plan.schedule.client[slot])] = true;
        }
        double deviation = 0.0;
        for (const double c : count) {
          deviation += std::abs(c / (end - first) - 0.1);
          largest = std::max(largest, std::abs(c / (end - first) - 0.1));
        }
        const std::int64_t clients = std::count(seen.begin(), seen.end(), true);
        l1 += deviation;
        if (t > 0) {
          double from_before = 0.0;
          for (std::size_t c = 0; c < 10; ++c) from_before += std::abs(count[c] / (end - first) - shares_before[c]);
          drift += from_before;
          moves += 1.0;
        }
        for (std::size_t c = 0; c < 10; ++c) shares_before[c] = count[c] / (end - first);
        active += static_cast<double>(clients);
        least = std::min(least, clients);
        most = std::max(most, clients);
        time = std::max(time, static_cast<double>(plan.timeline.end_ns[i] - plan.timeline.start_ns[i]) * 1e-9);
        steps += 1.0;
      }
    }
    EXPECT_EQ(report.steps_per_epoch, steps / 3.0);
    EXPECT_NEAR(report.deviation.mean, l1 / steps, 1e-12);
    EXPECT_NEAR(report.drift_mean, drift / moves, 1e-12);
    EXPECT_NEAR(report.class_deviation.max, largest, 1e-12);
    EXPECT_LE(report.class_deviation.p95, report.class_deviation.max);
    EXPECT_NEAR(report.active_mean, active / steps, 1e-12);
    EXPECT_EQ(report.active_min, least);
    EXPECT_EQ(report.active_max, most);
    EXPECT_EQ(report.step_s.max, time);
    EXPECT_DOUBLE_EQ(report.virtual_time_s, static_cast<double>(plans.back().timeline.end_ns.back()) * 1e-9);
    EXPECT_NEAR(report.step_s.mean * steps, report.virtual_time_s, 1e-9);
    EXPECT_EQ(report.schedule_sha256, schedules.hex());
    EXPECT_EQ(report.timeline_sha256, timelines.hex());
    EXPECT_GT(report.waiting_mean.value(), 0.0);
    EXPECT_LE(report.waiting_mean.value(), report.waiting_max.value());
    EXPECT_LT(report.waiting_max.value(), 1.0);
    EXPECT_GE(report.memory_bytes, ScheduleBuffer<TypeParam>::bytes({3000, 30, 100, 20}));
  }
}

// Epochs that are looked at in pieces, of less than a step and of some, give the same figures with less memory, whatever
// the clock.
TYPED_TEST(SamplerReportTest, PiecesOfEpochsGiveTheSame) {
  const std::vector<std::vector<std::string>> cases = {
      {"sampler.kind=ugs"},
      {"sampler.kind=fls", "clock.barrier=one", "clock.model_sync=round", "train.round=3"},
      {"train.mode=sflv2", "sampler.kind=ugs"},
      {"train.mode=psl_local", "clock.barrier=run_ahead"},
      {"train.mode=central"},
      {"clients.availability=bernoulli", "clients.available=0.8"}};
  for (std::vector<std::string> keys : cases) {
    keys.insert(keys.end(), {"sampler.batch=100", "partition.clients=20"});
    const Config config = this->config(keys);
    const SamplerReport whole = this->measure(config, 2);
    for (const std::int64_t piece : {1, 250, 1000000}) {
      SamplerReport pieces = this->measure(config, 2, nullptr, piece);
      EXPECT_LE(pieces.memory_bytes, whole.memory_bytes) << keys[0];
      if (piece < 1000 && keys[0] == "sampler.kind=ugs") {
        EXPECT_LT(pieces.memory_bytes + 600 * 16, whole.memory_bytes);
      }
      pieces.setup_s = whole.setup_s;
      pieces.construction_s = whole.construction_s;
      pieces.samples_per_s = whole.samples_per_s;
      pieces.memory_bytes = whole.memory_bytes;
      EXPECT_EQ(to_csv({pieces}), to_csv({whole})) << keys[0] << ", " << piece;
    }
  }
}

// 40 epochs of 24 steps: by Serfling's inequality 5 % of the steps may exceed the bound; in fact almost none does.
TYPED_TEST(SamplerReportTest, UgsStaysWithinItsSerflingBound) {
  const Config config = this->config({"sampler.batch=128", "partition.clients=20"});
  const SamplerReport report = this->measure(config, 40);
  EXPECT_LT(report.class_deviation.p95, report.serfling_bound);
  EXPECT_EQ(report.serfling_bound, serfling_bound(3000, 10, 128));
}

TYPED_TEST(SamplerReportTest, AtTheServerNobodyWaits) {
  const SamplerReport report = this->measure(this->config({"train.mode=central"}), 1);
  EXPECT_FALSE(report.waiting_mean.has_value());
}

// With one client nobody waits for another: under two barriers it or the server is always at work.
TYPED_TEST(SamplerReportTest, ASingleClientNeverWaits) {
  const SamplerReport report = this->measure(this->config({"partition.clients=1", "partition.kind=iid"}), 1);
  EXPECT_EQ(report.waiting_max.value(), 0.0);
}

TEST(SamplerReportText, CsvAndJsonHaveTheSameCells) {
  SamplerReport report;
  report.name = "lds:prior=\"mean\",delta=1";
  report.epochs = 2;
  report.deviation = {0.1, 0.2, 0.30000000000000004};
  report.memory_bytes = 123456789012;
  const nlohmann::ordered_json rows = nlohmann::ordered_json::parse(to_json({report, report}));
  ASSERT_EQ(rows.size(), 2u);
  std::istringstream csv(to_csv({report}));
  std::string names, cells, more;
  std::getline(csv, names);
  std::getline(csv, cells);
  EXPECT_FALSE(std::getline(csv, more));
  std::string keys;
  for (const auto& [key, value] : rows[0].items()) {
    if (!keys.empty()) keys += ',';
    keys += key;
  }
  EXPECT_EQ(names, keys);
  EXPECT_EQ(cells.rfind("\"lds:prior=\"\"mean\"\",delta=1\",2,", 0), 0u) << cells;
  EXPECT_EQ(rows[0]["batch_deviation_max"].get<double>(), 0.30000000000000004);
  EXPECT_EQ(rows[0]["batch_deviation_tv_mean"].get<double>(), 0.05);
  EXPECT_TRUE(rows[0]["waiting_share_max"].is_null());
  EXPECT_NE(cells.find(",123456789012,"), std::string::npos);
  EXPECT_NE(to_table({report}).find(report.name), std::string::npos);
}

}  // namespace
}  // namespace splitsim

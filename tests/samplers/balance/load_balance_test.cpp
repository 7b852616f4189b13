// lb_greedy and lb_flow: class counts of ugs, the greedy rule against a plain simulation, the flow against all ways to
// supply a step.
#include "samplers/balance/load_balance.hpp"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <optional>

#include "samplers/balance/supply_flow.hpp"
#include "samplers/local/makespan.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/allocation.hpp"
#include "tests/reference/populations.hpp"

namespace splitsim {
namespace {

using reference::Counts;

/// All samples in ugs order.
std::vector<std::int32_t> ugs_order(const Population& population, std::uint64_t seed, std::uint32_t epoch) {
  return reference::keyed(population, {}, population.samples(), true, seed, epoch, false).sample;
}

ClientTimes any_times(std::int32_t clients) {
  ClientTimes times;
  for (std::int32_t k = 0; k < clients; ++k) {
    times.delay_ns.push_back(*rc::gen::inRange(0, 8));
    times.per_sample_ns.push_back(*rc::gen::inRange(1, 5));
  }
  return times;
}

/// What client k has left of class c, and how many of it the step wants: [K][C] and [C].
using Table = std::vector<Counts>;

struct Remaining {
  Remaining(const Population& population, const std::vector<std::int32_t>& order)
      : left(static_cast<std::size_t>(population.clients), Counts(static_cast<std::size_t>(population.classes), 0)) {
    for (const std::int32_t sample : order) {
      left[population.owner[sample]][population.label[sample]] += 1;
      queue[{population.owner[sample], population.label[sample]}].push_back(sample);
    }
  }
  /// The next sample of that client and class in key order.
  int take(int client, int label) {
    auto& samples = queue[{client, label}];
    const int sample = samples.front();
    samples.erase(samples.begin());
    left[client][label] -= 1;
    return sample;
  }
  Table left;
  std::map<std::pair<int, int>, std::vector<int>> queue;
};

/// Deals epochs by `choose`: (labels of the step in ugs order, stock) -> (client, sample) pairs.
template <class Choose>
Schedule simulate(const Population& population, const std::vector<std::int32_t>& order, const Chunks& chunks,
                  Choose choose) {
  Remaining stock(population, order);
  std::map<int, int> rank;
  for (const int sample : order) rank.emplace(sample, static_cast<int>(rank.size()));
  std::vector<std::vector<std::pair<int, int>>> steps;
  for (std::int64_t t = 0; t < chunks.steps(); ++t) {
    std::vector<int> labels;
    for (std::int64_t i = chunks.first(t); i < chunks.first(t + 1); ++i) labels.push_back(population.label[order[i]]);
    auto& step = steps.emplace_back(choose(labels, stock));
    std::sort(step.begin(), step.end(), [&](const auto& a, const auto& b) {
      return std::make_pair(a.first, rank[a.second]) < std::make_pair(b.first, rank[b.second]);
    });
  }
  Schedule schedule;
  reference::finish(schedule, steps);
  return schedule;
}

std::vector<std::pair<int, int>> greedy_step(const ClientTimes& times, const std::vector<int>& labels,
                                             Remaining& stock) {
  Counts given(stock.left.size(), 0);
  std::vector<std::pair<int, int>> step;
  for (const int c : labels) {
    int best = -1;
    for (int k = 0; k < static_cast<int>(given.size()); ++k) {
      if (stock.left[k][c] == 0) continue;
      if (best < 0 || times.finish_ns(k, given[k] + 1) < times.finish_ns(best, given[best] + 1)) best = k;
    }
    given[best] += 1;
    step.emplace_back(best, stock.take(best, c));
  }
  return step;
}

/// Every way to supply `demand` from `left`: visit(x), x [K][C].
void for_each_supply(const Table& left, const Counts& demand, const std::function<void(const Table&)>& visit) {
  Table x(left.size(), Counts(demand.size(), 0));
  const std::function<void(std::size_t)> fill = [&](std::size_t c) {
    if (c == demand.size()) {
      visit(x);
      return;
    }
    Counts column;
    for (const Counts& row : left) column.push_back(row[c]);
    reference::for_each_table(column, demand[c], [&](const Counts& counts) {
      for (std::size_t k = 0; k < x.size(); ++k) x[k][c] = counts[k];
      fill(c + 1);
    });
  };
  fill(0);
}

Counts row_sums(const Table& x) {
  Counts sums;
  for (const Counts& row : x) sums.push_back(std::accumulate(row.begin(), row.end(), std::int64_t{0}));
  return sums;
}

/// The documented choice by enumeration: the sorted list of (when its samples are finished, client) smallest, then the
/// table largest.
Table best_supply(const ClientTimes& times, const Table& left, const Counts& demand) {
  std::optional<std::vector<std::pair<std::int64_t, int>>> best_list;
  Table best;
  for_each_supply(left, demand, [&](const Table& x) {
    std::vector<std::pair<std::int64_t, int>> list;
    const Counts counts = row_sums(x);
    for (int k = 0; k < static_cast<int>(counts.size()); ++k) {
      for (std::int64_t j = 1; j <= counts[k]; ++j) list.emplace_back(times.finish_ns(k, j), k);
    }
    std::sort(list.begin(), list.end());
    if (!best_list || list < *best_list || (list == *best_list && x > best)) {
      best_list = list;
      best = x;
    }
  });
  return best;
}

std::int64_t least_completion(const ClientTimes& times, const Table& left, const Counts& demand) {
  std::int64_t least = std::numeric_limits<std::int64_t>::max();
  for_each_supply(left, demand,
                  [&](const Table& x) { least = std::min(least, reference::completion_ns(times, row_sums(x))); });
  return least;
}

/// Up to 4 clients, 3 classes and 14 samples: every epoch can be enumerated.
Population small_population() {
  const int clients = *rc::gen::inRange(1, 5), classes = *rc::gen::inRange(1, 4), samples = *rc::gen::inRange(1, 15);
  std::vector<std::int32_t> owner, label;
  for (int i = 0; i < samples; ++i) {
    owner.push_back(*rc::gen::inRange(0, clients));
    label.push_back(*rc::gen::inRange(0, classes));
  }
  return make_population(owner, label, clients, classes);
}

TEST(LoadBalance, FlowEqualsEnumeration) {
  const bool holds = rc::check("every step is optimal, with the documented ties", [] {
    const Population population = small_population();
    const ClientTimes times = any_times(population.clients);
    const Chunks chunks{population.samples(), *rc::gen::inRange<std::int64_t>(1, 7), *rc::gen::arbitrary<bool>()};
    const std::uint64_t seed = *rc::gen::arbitrary<std::uint64_t>();
    for (const std::uint32_t epoch : {0u, 1u, 2u, 3u}) {
      const auto order = ugs_order(population, seed, epoch);
      const auto dealer = make_flow_dealer(population, times);
      const Schedule schedule = balanced_schedule(population, order, chunks, *dealer);
      const Schedule expected =
          simulate(population, order, chunks, [&](const std::vector<int>& labels, Remaining& stock) {
            Counts demand(static_cast<std::size_t>(population.classes), 0);
            for (const int c : labels) demand[c] += 1;
            const Table x = best_supply(times, stock.left, demand);
            RC_ASSERT(reference::completion_ns(times, row_sums(x)) == least_completion(times, stock.left, demand));
            std::vector<std::pair<int, int>> step;
            for (int k = 0; k < population.clients; ++k) {
              for (int c = 0; c < population.classes; ++c) {
                for (std::int64_t i = 0; i < x[k][c]; ++i) step.emplace_back(k, stock.take(k, c));
              }
            }
            return step;
          });
      RC_ASSERT(schedule.sample == expected.sample);
      RC_ASSERT(schedule.client == expected.client);
      RC_ASSERT(schedule.step_first == expected.step_first);
    }
  });
  EXPECT_TRUE(holds);
}

TEST(LoadBalance, GreedyEqualsSimulation) {
  const bool holds = rc::check("greedy equals a look at all clients", [] {
    const Population population = *reference::any_population();
    const ClientTimes times = any_times(population.clients);
    const Chunks chunks{population.samples(), *rc::gen::inRange<std::int64_t>(1, population.samples() + 1), true};
    const auto order = ugs_order(population, 3, 1);
    const auto dealer = make_greedy_dealer(population, times);
    const Schedule schedule = balanced_schedule(population, order, chunks, *dealer);
    const Schedule expected =
        simulate(population, order, chunks,
                 [&](const std::vector<int>& labels, Remaining& stock) { return greedy_step(times, labels, stock); });
    RC_ASSERT(schedule.sample == expected.sample);
    RC_ASSERT(schedule.client == expected.client);
    RC_ASSERT(schedule.step_first == expected.step_first);
  });
  EXPECT_TRUE(holds);
}

TEST(LoadBalance, FlowReroutesWhatGreedyCannot) {
  // Client 0 is fast and has both classes, client 1 is slow and has only class 0; the first step wants two of each
  // class. Greedy has client 0 give class 0 first (2 and 4 against 5), then the rest of class 1 (6 and 8). The flow
  // sees that client 1 could be done with one by 5: 2, 4, 5, 6.
  const std::vector<std::int32_t> owner{0, 0, 0, 0, 1, 1}, label{0, 0, 1, 1, 0, 0};
  const Population population = make_population(owner, label, 2, 2);
  const ClientTimes times{{0, 0}, {2, 5}};
  const auto counts = [&](std::unique_ptr<StepDealer> dealer) {
    const Schedule schedule = balanced_schedule(population, {0, 1, 2, 3, 4, 5}, {6, 4, false}, *dealer);
    Counts first(2, 0);
    for (int i = 0; i < 4; ++i) first[schedule.client[i]] += 1;
    return first;
  };
  EXPECT_EQ(counts(make_greedy_dealer(population, times)), (Counts{4, 0}));
  EXPECT_EQ(counts(make_flow_dealer(population, times)), (Counts{3, 1}));
}

// With one class there is nothing to reroute: lb_flow deals as makespan does, ties included.
TEST(LoadBalance, FlowOfOneClassIsMakespan) {
  const bool holds = rc::check("one class", [] {
    Population population = *reference::any_population();
    population =
        make_population(population.owner, std::vector<std::int32_t>(population.owner.size(), 0), population.clients, 1);
    const ClientTimes times = any_times(population.clients);
    const auto batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    const auto dealer = make_flow_dealer(population, times);
    const Schedule schedule =
        balanced_schedule(population, ugs_order(population, 8, 0), {population.samples(), batch, false}, *dealer);
    const Schedule expected = reference::allocated(
        population, batch, 8, 0,
        [&](const Counts& left, std::int64_t wanted) { return reference::makespan_step(times, left, wanted); });
    RC_ASSERT(schedule.sha256() == expected.sha256());
  });
  EXPECT_TRUE(holds);
}

TEST(SupplyFlow, RoutesAndGivesUp) {
  // Client 0: class 0 (1); client 1: classes 0 and 1 (1 each); client 2: class 1 (5).
  SupplyFlow flow(3, 2, {{0, 0, 1, 0}, {1, 0, 1, 0}, {1, 1, 1, 0}, {2, 1, 5, 0}});
  const auto flows = [&] {
    Counts of;
    for (const SupplyLink& link : flow.links()) of.push_back(link.flow);
    return of;
  };
  flow.start({1, 2});
  EXPECT_TRUE(flow.add(1));  // class 0
  EXPECT_TRUE(flow.add(0));  // client 1 moves to class 1
  EXPECT_EQ(flows(), (Counts{1, 0, 1, 0}));
  EXPECT_FALSE(flow.add(1));  // class 0 is full, class 1 given
  EXPECT_TRUE(flow.add(2));
  EXPECT_FALSE(flow.add(2));
  EXPECT_FALSE(flow.add(0));
  EXPECT_EQ(flows(), (Counts{1, 0, 1, 1}));
  flow.consume(std::vector<SupplyLink>(flow.links()));
  flow.start({1, 4});
  EXPECT_FALSE(flow.add(0));
  EXPECT_TRUE(flow.add(1));
  EXPECT_FALSE(flow.add(1));
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(flow.add(2));
  EXPECT_FALSE(flow.add(2));
  EXPECT_EQ(flows(), (Counts{0, 1, 0, 4}));
}

template <class Context>
class LoadBalanceTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LoadBalanceTest, test::Contexts);

TYPED_TEST(LoadBalanceTest, ClassCountsOfEveryStepAreThoseOfUgs) {
  const bool holds = rc::check("class counts, key order, first step no later than greedy's", [&] {
    const Population population = *reference::any_population();
    Profile profile = reference::profile_of(std::vector<std::int64_t>(population.clients, 0));
    for (auto& delay : profile.delay_ns) delay = 1000 * *rc::gen::inRange(0, 200);
    SamplerSettings settings;
    settings.batch = *rc::gen::inRange<std::int64_t>(1, population.samples() + 1);
    settings.chunks = *rc::gen::element(ChunkRule::kEven, ChunkRule::kLastShort);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const ClientTimes times = client_times(population, profile, settings.batch);
    const auto draw = [&](const char* kind, std::uint32_t epoch) {
      settings.kind = kind;
      const auto sampler = make_sampler(this->ctx(), population, device, profile, settings);
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
      sampler->build(21, epoch, out);
      return download(out);
    };
    for (const std::uint32_t epoch : {0u, 5u}) {
      const Schedule ugs = draw("ugs", epoch);
      std::map<std::string, std::int64_t> first_step;
      for (const char* kind : {"lb_greedy", "lb_flow"}) {
        const Schedule schedule = draw(kind, epoch);
        RC_ASSERT(schedule.step_first == ugs.step_first);
        std::map<std::pair<int, int>, double> last_key;  // of a client and class
        for (std::int64_t t = 0; t < ugs.steps(); ++t) {
          Counts counts(static_cast<std::size_t>(population.classes), 0), given(population.clients, 0);
          for (int i = ugs.step_first[t]; i < ugs.step_first[t + 1]; ++i) {
            counts[population.label[ugs.sample[i]]] += 1;
            counts[population.label[schedule.sample[i]]] -= 1;
            given[schedule.client[i]] += 1;
            const double key = reference::exponential(21, epoch, schedule.sample[i]);
            double& last = last_key[{schedule.client[i], population.label[schedule.sample[i]]}];
            RC_ASSERT(last < key);
            last = key;
          }
          RC_ASSERT(counts == Counts(static_cast<std::size_t>(population.classes), 0));
          if (t == 0) first_step[kind] = reference::completion_ns(times, given);
        }
      }
      RC_ASSERT(first_step["lb_flow"] <= first_step["lb_greedy"]);
    }
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace splitsim

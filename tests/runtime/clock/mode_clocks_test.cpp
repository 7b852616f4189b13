// The clocks of clusters, of the server alone and of clients alone: closed forms, and loops that follow the protocols.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "tests/runtime/clock/clock_cases.hpp"

namespace splitsim {
namespace {

using test::clock_settings;
using test::EpochCase;

template <class Context>
class ModeClocks : public test::OnOneThread<Context> {
 protected:
  // Client k: fwd = 10 (k + 1) b, bwd = 3 (k + 1) b; the server 100 + 2 b.
  Profile profile(std::int32_t clients) const {
    Profile profile = test::zero_profile(clients);
    for (std::int32_t k = 0; k < clients; ++k) {
      const auto i = static_cast<std::size_t>(k);
      profile.forward_ns[i] = 10 * (k + 1);
      profile.backward_ns[i] = 3 * (k + 1);
      profile.up_ns[i] = upload_ns;
      profile.model_up_ns[i] = 1000 * (k + 1);
      profile.model_down_ns[i] = 100 * (k + 1);
    }
    profile.server_fixed_ns = 100;
    profile.server_per_sample_ns = 2;
    return profile;
  }
  std::vector<Timeline> build(const std::vector<EpochCase>& epochs, const LatencySettings& settings, ClockMode mode,
                              ClientWaiting* waiting = nullptr) {
    mode.track_waiting = true;
    Clock<Context> clock(this->ctx(), profile(6), settings, test::bounds_of(epochs), mode);
    const std::vector<Timeline> lines = test::timelines(this->ctx(), clock, epochs, 5);
    if (waiting != nullptr) *waiting = clock.waiting();
    return lines;
  }
  std::int64_t upload_ns = 0;  // of a sample
};
TYPED_TEST_SUITE(ModeClocks, test::Contexts);

// Clusters {0, 3}, {1, 5}, {2, 4}.
ClockMode clusters(ServiceOrder order = ServiceOrder::kCyclic) {
  ClockMode mode;
  mode.kind = ClockKind::kClusters;
  mode.service_order = order;
  mode.groups = {{0, 1, 2, 0, 2, 1}, 3};
  return mode;
}

TYPED_TEST(ModeClocks, ClustersTakeTheirTurns) {
  // Step 0: cluster 0 has 0 (2 samples) and 3 (1): fwd 20, 40; bwd 6, 12; server 106: 158.
  //         cluster 2 has 4 (3 samples): fwd 150, bwd 45, server 106: 301. Step 1: cluster 1 has 1 (1): 20 + 6 + 102.
  const std::vector<EpochCase> epochs = {{{{{0, 2}, {3, 1}, {4, 3}}}, {{{1, 1}}}, {}}};
  ClientWaiting waiting;
  const Timeline two = this->build(epochs, clock_settings(), clusters(), &waiting)[0];
  EXPECT_EQ(two.end_ns, (std::vector<std::int64_t>{459, 587, 687}));  // an empty step: the server's fixed time
  EXPECT_EQ(two.critical_forward, (std::vector<std::int32_t>{4, 1, -1}));
  EXPECT_EQ(two.critical_backward, (std::vector<std::int32_t>{4, 1, -1}));
  // Busy: own passes and its cluster's server time.
  EXPECT_EQ(waiting.waiting_ns, (std::vector<std::int64_t>{459 - 132, 0, 0, 459 - 158, 459 - 301, 0}));
  EXPECT_EQ(waiting.total_ns, (std::vector<std::int64_t>{459, 128, 0, 459, 459, 0}));
  const Timeline one = this->build(epochs, clock_settings("one"), clusters())[0];
  EXPECT_EQ(one.end_ns[0], (52 + 106) + (195 + 106));
}

// Whatever the order of turns, a step is the sum of its clusters; models that cross in every step lengthen each turn.
TYPED_TEST(ModeClocks, TheOrderOfClustersChangesNoSum) {
  for (const char* sync : {"none", "step"}) {
    std::vector<EpochCase> epochs(2);
    for (int t = 0; t < 40; ++t) {
      test::StepCase step;
      for (std::int32_t k = 0; k < 6; ++k) {
        const int samples = (7 * t + 5 * k) % 4;
        if (samples > 0) step.visits.emplace_back(k, samples);
      }
      epochs[static_cast<std::size_t>(t % 2)].push_back(step);
    }
    std::int64_t now = 0;
    std::vector<std::int64_t> expected;
    for (const EpochCase& epoch : epochs) {
      for (const test::StepCase& step : epoch) {
        std::map<int, std::array<std::int64_t, 3>> turns;  // fwd, bwd, samples
        const std::int64_t models = std::string(sync) == "step" ? 1 : 0;
        for (const auto& [k, b] : step.visits) {
          auto& [fwd, bwd, samples] = turns[clusters().groups.of[static_cast<std::size_t>(k)]];
          fwd = std::max<std::int64_t>(fwd, 10 * (k + 1) * b + models * 100 * (k + 1));
          bwd = std::max<std::int64_t>(bwd, 3 * (k + 1) * b + models * 1000 * (k + 1));
          samples += b;
        }
        if (turns.empty()) now += 100;
        for (const auto& [group, turn] : turns) now += turn[0] + turn[1] + 100 + 2 * turn[2];
        expected.push_back(now);
      }
    }
    for (const ServiceOrder order : {ServiceOrder::kCyclic, ServiceOrder::kReverse, ServiceOrder::kRandom}) {
      std::vector<std::int64_t> ends;
      for (const Timeline& line : this->build(epochs, clock_settings("two", sync), clusters(order))) {
        ends.insert(ends.end(), line.end_ns.begin(), line.end_ns.end());
      }
      EXPECT_EQ(ends, expected) << name_of(order) << " " << sync;
    }
  }
}

TYPED_TEST(ModeClocks, TheServerAloneCountsSamples) {
  const std::vector<EpochCase> epochs = {{{{{0, 2}, {5, 7}}}, {}, {{{1, 1}}}}};
  ClockMode mode;
  mode.kind = ClockKind::kServer;
  ClientWaiting waiting;
  const Timeline line = this->build(epochs, clock_settings(), mode, &waiting)[0];
  EXPECT_EQ(line.end_ns, (std::vector<std::int64_t>{118, 218, 320}));
  EXPECT_EQ(line.critical_forward, (std::vector<std::int32_t>{-1, -1, -1}));
  EXPECT_EQ(waiting.total_ns, std::vector<std::int64_t>(6, 0));
}

// Clients go on by themselves; every second step of an epoch sends, and the server works through what has come.
TYPED_TEST(ModeClocks, TheServerFollowsClientsThatDoNotWait) {
  const std::vector<EpochCase> epochs = {{{{{0, 2}, {2, 1}}}, {{{0, 1}, {1, 1}}}, {{{1, 3}}}, {}},
                                         {{{{2, 2}}}, {{{2, 1}, {4, 1}}}}};
  this->upload_ns = 17;
  for (const std::int64_t every : {1, 2, 5}) {
    ClockMode mode;
    mode.kind = ClockKind::kOneWay;
    mode.upload_every = every;
    ClientWaiting waiting;
    const auto lines = this->build(epochs, clock_settings("two", "none"), mode, &waiting);
    const Profile profile = this->profile(6);
    std::map<int, std::int64_t> ready, busy;
    std::int64_t end = 0, server = 0;
    for (std::size_t e = 0; e < epochs.size(); ++e) {
      for (std::size_t t = 0; t < epochs[e].size(); ++t) {
        const bool sends = (static_cast<std::int64_t>(t) + 1) % every == 0;
        std::int64_t arrived = 0, samples = 0;
        for (const auto& [k, b] : epochs[e][t].visits) {
          const auto i = static_cast<std::size_t>(k);
          const std::int64_t forward =
              profile.delay_ns[i] + b * profile.forward_ns[i] + (sends ? b * profile.up_ns[i] : 0);
          arrived = std::max(arrived, ready[k] + forward);
          const std::int64_t all = forward + b * (profile.backward_ns[i] + profile.down_ns[i]);
          ready[k] += all;
          busy[k] += all;
          samples += b;
          end = std::max(end, ready[k]);
        }
        if (sends) {
          server = std::max(server, arrived) + profile.server_fixed_ns + samples * profile.server_per_sample_ns;
          end = std::max(end, server);
        }
        EXPECT_EQ(lines[e].end_ns[t], end) << "every " << every << ", epoch " << e << " step " << t;
      }
    }
    for (const auto& [k, ns] : busy) EXPECT_EQ(waiting.total_ns[static_cast<std::size_t>(k)], ns);
    EXPECT_EQ(waiting.waiting_ns, std::vector<std::int64_t>(6, 0));
  }
}

// Clients by themselves: their own sums, until a round's end brings all who stepped to the same moment.
TYPED_TEST(ModeClocks, ClientsAloneMeetAtRoundEnds) {
  const std::vector<EpochCase> epochs = {{{{{0, 2}, {2, 1}}}, {{{0, 1}}}, {{{1, 3}}}, {}},
                                         {{{{2, 2}}}, {{{2, 1}, {4, 1}}}}};
  for (const bool rounds : {false, true}) {
    ClockMode mode;
    mode.kind = ClockKind::kLocal;
    mode.round_steps = 2;
    ClientWaiting waiting;
    const auto lines = this->build(epochs, clock_settings("two", rounds ? "round" : "none"), mode, &waiting);
    std::map<int, std::int64_t> ready, busy;
    std::int64_t end = 0;
    for (std::size_t e = 0; e < epochs.size(); ++e) {
      std::map<int, bool> stepped;
      for (std::size_t t = 0; t < epochs[e].size(); ++t) {
        std::int64_t start = epochs[e][t].visits.empty() ? end : INT64_MAX, last = -1;
        std::int32_t last_client = -1;
        for (const auto& [k, b] : epochs[e][t].visits) {
          start = std::min(start, ready[k]);
          ready[k] += 13 * (k + 1) * b;
          stepped[k] = true;
          if (ready[k] > last) {
            last = ready[k];
            last_client = k;
          }
        }
        end = std::max(end, last);
        if (rounds && (t % 2 == 1 || t + 1 == epochs[e].size())) {
          std::int64_t averaged = 0;
          for (const auto& [k, yes] : stepped) averaged = std::max(averaged, ready[k] + 1000 * (k + 1));
          for (const auto& [k, yes] : stepped) end = std::max(end, ready[k] = averaged + 100 * (k + 1));
          stepped.clear();
        }
        EXPECT_EQ(lines[e].start_ns[t], start) << e << " " << t;
        EXPECT_EQ(lines[e].end_ns[t], end) << e << " " << t;
        EXPECT_EQ(lines[e].critical_backward[t], last_client) << e << " " << t;
      }
    }
    EXPECT_EQ(waiting.waiting_ns, std::vector<std::int64_t>(6, 0)) << "nobody waits within a round";
  }
}

}  // namespace
}  // namespace splitsim

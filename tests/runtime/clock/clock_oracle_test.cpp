// Every clock against the event simulation in tests/reference/event_clock.hpp, on random small schedules with many
// ties.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "kernels/device/philox.hpp"
#include "samplers/latency/distribution_draw.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/event_clock.hpp"
#include "tests/runtime/clock/clock_cases.hpp"

namespace splitsim {
namespace {

using test::EpochCase;
using test::StepCase;

struct Case {
  Profile profile;
  LatencySettings settings;
  ClockMode mode;
  std::vector<EpochCase> epochs;
  std::uint64_t seed = 1;
};

void showValue(const Case& c, std::ostream& out) {
  out << "barrier " << name_of(c.settings.barrier) << ", model_sync " << name_of(c.settings.model_sync) << ", round "
      << c.mode.round_steps << ", order " << static_cast<int>(c.mode.service_order) << ", jitter "
      << distribution_info(c.settings.jitter.kind).name << ", seed " << c.seed;
  for (const auto* values : {&c.profile.delay_ns, &c.profile.forward_ns, &c.profile.backward_ns, &c.profile.up_ns,
                             &c.profile.down_ns, &c.profile.model_up_ns, &c.profile.model_down_ns}) {
    out << "\n ";
    for (const std::int64_t value : *values) out << " " << value;
  }
  for (const EpochCase& epoch : c.epochs) {
    out << "\nepoch";
    for (const StepCase& step : epoch) {
      out << " |";
      for (const auto& [client, samples] : step.visits) out << " " << client << ":" << samples;
      if (step.nobody > 0) out << " -:" << step.nobody;
    }
  }
}

rc::Gen<StepCase> any_step(std::int32_t clients) {
  return rc::gen::exec([=] {
    StepCase step;
    if (*rc::gen::inRange(0, 8) == 0) {
      step.nobody = *rc::gen::inRange(1, 5);
      return step;
    }
    for (std::int32_t k = 0; k < clients; ++k) {
      if (*rc::gen::arbitrary<bool>()) step.visits.push_back({k, *rc::gen::inRange(1, 5)});
    }
    if (step.visits.empty()) step.visits.push_back({*rc::gen::inRange(0, clients), 1});
    return step;
  });
}

rc::Gen<Case> any_case(ClockKind kind) {
  const auto draw = rc::gen::exec([=] {
    Case c;
    const auto clients = *rc::gen::inRange<std::int32_t>(1, 7);
    // Tiny times make ties common; jitter needs larger ones to have an effect.
    const std::int64_t scale = *rc::gen::element<std::int64_t>(1, 1000);
    c.profile = test::zero_profile(clients);
    for (auto* values : {&c.profile.delay_ns, &c.profile.forward_ns, &c.profile.backward_ns, &c.profile.up_ns,
                         &c.profile.down_ns, &c.profile.model_up_ns, &c.profile.model_down_ns}) {
      for (auto& value : *values) value = scale * *rc::gen::inRange(0, 5);
    }
    c.profile.server_fixed_ns = scale * *rc::gen::inRange(0, 4);
    c.profile.server_per_sample_ns = scale * *rc::gen::inRange(0, 3);
    c.settings.jitter = *rc::gen::element(
        Distribution{DistributionKind::kConstant, 1.0}, Distribution{DistributionKind::kConstant, 1.5},
        Distribution{DistributionKind::kUniform, 0.5, 2.0}, Distribution{DistributionKind::kTwoSpeed, 1.0, 0.3, 3.0},
        Distribution{DistributionKind::kGamma, 1.0, 0.7}, Distribution{DistributionKind::kZipf, 2.0, 1.0});
    c.settings.barrier = *rc::gen::element(Barrier::kTwo, Barrier::kOne);
    c.settings.model_sync = kind == ClockKind::kRelay
                                ? ModelSync::kNone
                                : *rc::gen::element(ModelSync::kNone, ModelSync::kStep, ModelSync::kRound);
    c.mode = {kind, *rc::gen::element(ServiceOrder::kCyclic, ServiceOrder::kReverse, ServiceOrder::kRandom),
              *rc::gen::inRange(0, 4), true};
    c.seed = *rc::gen::arbitrary<std::uint64_t>();
    const auto epochs = *rc::gen::inRange(1, 4);
    for (int e = 0; e < epochs; ++e) {
      c.epochs.push_back(*rc::gen::container<EpochCase>(*rc::gen::inRange<std::size_t>(0, 8), any_step(clients)));
    }
    return c;
  });
  return rc::gen::resize(rc::kNominalSize, draw);  // ranges would grow with the number of the test
}

/// The oracle's input: durations of single activities, by the definition of J, d, f, g, up, down.
std::vector<reference::Step> steps_of(const Case& c) {
  const Profile& p = c.profile;
  const Drawer jitter = make_drawer(c.settings.jitter);
  std::vector<reference::Step> steps;
  for (std::size_t epoch = 0; epoch < c.epochs.size(); ++epoch) {
    for (std::size_t t = 0; t < c.epochs[epoch].size(); ++t) {
      const StepCase& given = c.epochs[epoch][t];
      reference::Step step;
      std::int64_t batch = given.nobody;
      std::vector<std::pair<std::int64_t, reference::Visit>> served;  // (place in the service order, visit)
      for (const auto& client : given.visits) {
        const auto k = client.first;
        const auto b = client.second;
        const auto i = static_cast<std::size_t>(k);
        const auto at = [&](Purpose purpose) {
          return Address{purpose, static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(t),
                         static_cast<std::uint32_t>(epoch), 0};
        };
        const double factor = jitter(c.seed, at(Purpose::kJitter), p.clients(), b);
        const auto jittered = [factor](std::int64_t ns) { return std::llrint(factor * static_cast<double>(ns)); };
        reference::Visit visit{k, jittered(p.delay_ns[i] + b * p.forward_ns[i]) + b * p.up_ns[i],
                               b * p.down_ns[i] + jittered(b * p.backward_ns[i]),
                               p.server_fixed_ns + b * p.server_per_sample_ns};
        if (c.settings.model_sync == ModelSync::kStep) {
          visit.forward += p.model_down_ns[i];
          visit.backward += p.model_up_ns[i];
        }
        std::int64_t place = k;
        if (c.mode.service_order == ServiceOrder::kReverse) place = -k;
        if (c.mode.service_order == ServiceOrder::kRandom) place = random_bits(c.seed, at(Purpose::kServiceOrder)).x;
        served.push_back({place, visit});
        batch += b;
      }
      std::stable_sort(served.begin(), served.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
      for (const auto& [place, visit] : served) step.visits.push_back(visit);
      step.server = p.server_fixed_ns + batch * p.server_per_sample_ns;
      step.begins_epoch = t == 0;
      const auto round = static_cast<std::size_t>(c.mode.round_steps);
      step.ends_round =
          c.settings.model_sync == ModelSync::kRound && (t + 1 == c.epochs[epoch].size() || (round > 0 && (t + 1) % round == 0));
      steps.push_back(step);
    }
  }
  return steps;
}

reference::Result expected(const Case& c) {
  std::vector<reference::ClientLinks> links;
  for (std::size_t k = 0; k < c.profile.delay_ns.size(); ++k) {
    links.push_back({c.profile.model_up_ns[k], c.profile.model_down_ns[k]});
  }
  switch (c.mode.kind) {
    case ClockKind::kChain:
      return reference::Chain(steps_of(c), links).run();
    case ClockKind::kRelay:
      return reference::Relay(steps_of(c), links).run();
    case ClockKind::kRunAhead:
      return reference::RunAhead(steps_of(c), links).run();
    default:
      break;
  }
  if (c.settings.barrier == Barrier::kOne) return reference::OneBarrier(steps_of(c), links).run();
  return reference::TwoBarriers(steps_of(c), links).run();
}

template <class Context>
class ClockOracle : public test::OnOneThread<Context> {
 protected:
  void compare(ClockKind kind) {
    std::size_t visits = 0;
    const bool same = rc::check([&] {
      const Case c = *any_case(kind);
      for (const EpochCase& epoch : c.epochs) {
        for (const StepCase& step : epoch) visits += step.visits.size();
      }
      Clock<Context> clock(this->ctx(), c.profile, c.settings, test::bounds_of(c.epochs), c.mode);
      const std::vector<Timeline> epochs = test::timelines(this->ctx(), clock, c.epochs, c.seed);
      const reference::Result want = expected(c);
      std::vector<std::int64_t> start, end;
      std::vector<std::int32_t> forward, backward;
      for (const Timeline& epoch : epochs) {
        start.insert(start.end(), epoch.start_ns.begin(), epoch.start_ns.end());
        end.insert(end.end(), epoch.end_ns.begin(), epoch.end_ns.end());
        forward.insert(forward.end(), epoch.critical_forward.begin(), epoch.critical_forward.end());
        backward.insert(backward.end(), epoch.critical_backward.begin(), epoch.critical_backward.end());
      }
      RC_ASSERT(end == want.end);
      RC_ASSERT(start == want.start);
      RC_ASSERT(forward == want.critical_forward);
      RC_ASSERT(backward == want.critical_backward);
      RC_ASSERT(clock.now_ns() == (end.empty() ? 0 : end.back()));
      const ClientWaiting waiting = clock.waiting();
      for (std::int32_t k = 0; k < c.profile.clients(); ++k) {
        const auto i = static_cast<std::size_t>(k);
        RC_ASSERT(waiting.waiting_ns[i] == (want.waiting.count(k) ? want.waiting.at(k) : 0));
        RC_ASSERT(waiting.total_ns[i] == (want.total.count(k) ? want.total.at(k) : 0));
      }
      RC_ASSERT(test::entry_waits(this->ctx(), c.profile, c.settings, c.epochs, c.mode, c.seed) == want.visits);
    });
    EXPECT_TRUE(same);
    EXPECT_GT(visits, 500u);  // the generator must not have shrunk to nothing
  }
};
TYPED_TEST_SUITE(ClockOracle, test::Contexts);

TYPED_TEST(ClockOracle, Barriers) { this->compare(ClockKind::kBarrier); }
TYPED_TEST(ClockOracle, RunAhead) { this->compare(ClockKind::kRunAhead); }
TYPED_TEST(ClockOracle, Chain) { this->compare(ClockKind::kChain); }
TYPED_TEST(ClockOracle, Relay) { this->compare(ClockKind::kRelay); }

}  // namespace
}  // namespace splitsim

// The estimate of lds: EM and Newton's method against naive EM, the conditions of the optimum, and each other.
#include "samplers/keyed/lds_em.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "samplers/keyed/lds.hpp"
#include "samplers/registry.hpp"
#include "tests/contexts.hpp"
#include "tests/reference/lds.hpp"
#include "tests/samplers/keyed/lds_helpers.hpp"

namespace splitsim {
namespace {

using namespace test::lds;

template <class Context>
class LdsEmTest : public test::OnContext<Context> {};
TYPED_TEST_SUITE(LdsEmTest, test::Contexts);

/// A random EM problem on the device and as vectors.
template <class Context>
struct EmProblem {
  EmProblem(Context& context, const Population& population, bool mode, double concentration = 1.0)
      : ctx(context),
        mixture(reference::mixture_of(population, std::vector<bool>(population.samples()))),
        samples(population.samples()),
        solver(context, population),
        newton(context, population.clients, population.classes) {
    for (std::int32_t c = 0; c < population.classes; ++c) {
      observed.push_back(population.class_total[c] > 0 ? static_cast<std::int32_t>(random(c, 6) % 200) : 0);
    }
    observed[population.label[0]] = 77;
    observed[population.classes > 1 ? 1 : 0] = 0;  // a class that nobody drew
    // As in lds, empty clients have prior 0, and the prior's sum is about the number of labels; weights span four
    // orders.
    double weights = 0.0, labels = 0.0;
    for (const std::int32_t n : observed) labels += n;
    for (std::int32_t k = 0; k < population.clients; ++k) {
      const double weight = uniform53(random(k, 7)) * (mode ? 1.0 : std::pow(10.0, -double(k % 4)));
      prior.push_back(population.size(k) > 0 ? weight : 0.0);
      weights += prior.back();
    }
    for (double& a : prior) a *= concentration * labels / weights;
    counts.assign(observed.begin(), observed.end());
    device_observed = Buffer<std::int32_t, Context>(ctx, observed);
    device_prior = Buffer<double, Context>(ctx, prior);
  }
  std::vector<double> solve(double tolerance, std::int32_t iterations) {
    solver.run(device_observed.view(), device_prior.view(), samples, {tolerance, iterations});
    return weights();
  }
  std::vector<double> converge(double tolerance, std::int32_t iterations) {
    solver.run(newton, device_observed.view(), device_prior.view(), {tolerance, iterations});
    return weights();
  }
  std::vector<double> weights() {
    std::vector<double> pi(prior.size());
    ctx.download(pi.data(), solver.weights().data(), pi.size() * sizeof pi[0]);
    return pi;
  }
  /// max_k of |gradient_k / (S + A) - 1|: 0 at the optimum (Karush, Kuhn, Tucker), where every weight is positive.
  double miss(const std::vector<double>& pi) const {
    const auto q = reference::mix(mixture, pi);
    double right = 0.0, worst = 0.0;
    for (const double n : counts) right += n;
    for (const double a : prior) right += a;
    for (std::size_t k = 0; k < pi.size(); ++k) {
      if (mixture.start[k] == 0.0) continue;
      double left = prior[k] / pi[k];
      for (std::size_t c = 0; c < q.size(); ++c) left += counts[c] > 0 ? counts[c] * mixture.beta[k][c] / q[c] : 0.0;
      worst = std::max(worst, std::abs(left / right - 1.0));
    }
    return worst;
  }

  Context& ctx;
  reference::Mixture mixture;
  std::int64_t samples;
  std::vector<std::int32_t> observed;
  std::vector<double> counts, prior;
  MixtureEm<Context> solver;
  MixtureNewton<Context> newton;
  Buffer<std::int32_t, Context> device_observed;
  Buffer<double, Context> device_prior;
};

TYPED_TEST(LdsEmTest, EmEqualsNaiveEm) {
  for (const int clients : {1, 3, 40, 1300}) {
    EmProblem<TypeParam> problem(this->ctx(), skewed(9000, clients, 6, false), false);
    const auto expected = reference::em(problem.mixture, problem.counts, problem.prior);
    const auto pi = problem.solve(1e-5, 1000);
    for (int k = 0; k < clients; ++k) EXPECT_NEAR(pi[k], expected[k], 1e-11 * expected[k] + 1e-300) << k;
    EXPECT_GT(problem.solver.iterations(), 0);
    EXPECT_LE(problem.solver.iterations(), 1000);
    problem.solve(-1.0, 13);  // never content
    EXPECT_EQ(problem.solver.iterations(), 13);

    Buffer<double, TypeParam> out(this->ctx(), clients);
    problem.solver.add_responsibilities(problem.device_prior.view(), out.view());
    const auto sums = reference::responsibilities(problem.mixture, problem.counts,
                                                  reference::em(problem.mixture, problem.counts, problem.prior, 0, 13));
    const auto computed = out.download();
    for (int k = 0; k < clients; ++k) EXPECT_NEAR(computed[k], problem.prior[k] + sums[k], 1e-10 * (1 + sums[k]));
  }
}

TYPED_TEST(LdsEmTest, EmNeverDecreasesTheObjective) {
  for (const bool single : {false, true}) {
    for (const bool mode : {false, true}) {
      EmProblem<TypeParam> problem(this->ctx(), skewed(5000, 60, 8, single), mode);
      double before = reference::objective(problem.mixture, problem.counts, problem.prior, problem.mixture.start);
      const double first = before;
      for (const int iterations : {1, 2, 3, 4, 5, 7, 9, 15, 30, 60}) {
        const auto pi = problem.solve(0.0, iterations);
        const double now = reference::objective(problem.mixture, problem.counts, problem.prior, pi);
        EXPECT_GE(now, before - 1e-12 * std::abs(before)) << iterations;
        before = now;
      }
      EXPECT_GT(before, first);
    }
  }
}

// Karush-Kuhn-Tucker: the gradient is the same, S + sum of the prior, for every client with samples. EM stops where a
// step changes no weight by more than 1e-13 of itself, and the ratio of a step is that of the two sides.
TYPED_TEST(LdsEmTest, EmEndsAtTheOptimum) {
  struct Case {
    int samples, clients, classes;
    bool single, mode;
  };
  for (const Case& c : {Case{3000, 20, 5, false, false}, Case{3000, 20, 5, true, false}, Case{3000, 20, 5, false, true},
                        Case{800, 300, 12, true, false}, Case{50000, 10000, 10, false, false}}) {
    EmProblem<TypeParam> problem(this->ctx(), skewed(c.samples, c.clients, c.classes, c.single), c.mode);
    const auto pi = problem.solve(1e-13, 20000);
    ASSERT_LT(problem.solver.iterations(), 20000);
    double sum = 0.0;
    for (int k = 0; k < c.clients; ++k) {
      sum += pi[k];
      EXPECT_EQ(pi[k] == 0.0, problem.mixture.start[k] == 0.0);
    }
    EXPECT_LT(problem.miss(pi), 1e-11) << c.clients;
    EXPECT_NEAR(sum, 1.0, 1e-12);
  }
}

struct Hard {
  int samples, clients, classes;
  bool single;
};
const std::vector<Hard> kHard = {{500, 1, 3, false},    {900, 3, 3, false},    {3000, 40, 10, false},
                                 {3000, 40, 10, true},  {9000, 300, 40, true}, {9000, 1300, 6, false},
                                 {6000, 2600, 10, true}};

// From a prior that outweighs the labels to one that hardly speaks, and weights of it over four orders: the optimum's
// conditions hold to rounding, where EM at its published cap is far from them.
TYPED_TEST(LdsEmTest, NewtonEndsAtTheOptimumOfEveryPrior) {
  double worst_of_em = 0.0;
  std::int32_t most = 0;
  for (const Hard& h : kHard) {
    for (const double concentration : {1e9, 1.0, 1e-3, 1e-6, 1e-9}) {
      EmProblem<TypeParam> problem(this->ctx(), skewed(h.samples, h.clients, h.classes, h.single), false,
                                   concentration);
      const auto pi = problem.converge(1e-10, 100);
      const std::string what = ::testing::PrintToString(h.clients) + " clients, " + std::to_string(concentration);
      EXPECT_LE(problem.newton.residual(), 1e-10) << what;
      EXPECT_LT(problem.miss(pi), 2e-10) << what;
      double sum = 0.0;
      for (const double x : pi) sum += x;
      EXPECT_NEAR(sum, 1.0, 2e-10) << what;
      most = std::max(most, problem.newton.iterations());
      if (concentration == 1e-6 && h.clients <= 40)
        worst_of_em = std::max(worst_of_em, problem.miss(problem.solve(1e-5, 1000)));
    }
  }
  EXPECT_LT(most, 60);
  EXPECT_GT(worst_of_em, 1e-4);
}

TYPED_TEST(LdsEmTest, NewtonFindsWhatEmFinds) {
  for (const bool single : {false, true}) {
    EmProblem<TypeParam> problem(this->ctx(), skewed(3000, 60, 8, single), false);
    const auto em = problem.solve(1e-14, 20000), newton = problem.converge(1e-12, 100);
    for (std::size_t k = 0; k < em.size(); ++k) EXPECT_NEAR(newton[k], em[k], 1e-10 * em[k]) << k;
    Buffer<double, TypeParam> out(this->ctx(), 60);
    problem.solver.add_responsibilities(problem.device_prior.view(), out.view());
    const auto sums = reference::responsibilities(problem.mixture, problem.counts, em);
    const auto computed = out.download();
    for (int k = 0; k < 60; ++k) EXPECT_NEAR(computed[k], problem.prior[k] + sums[k], 1e-9 * (1 + sums[k]));
  }
}

TYPED_TEST(LdsEmTest, NewtonNeverDecreasesTheObjective) {
  for (const Hard& h : kHard) {
    for (const double concentration : {1.0, 1e-6}) {
      EmProblem<TypeParam> problem(this->ctx(), skewed(h.samples, h.clients, h.classes, h.single), false,
                                   concentration);
      const int every = TypeParam::kIsDevice ? 3 : 1;  // fewer on a device, which may be emulated
      double before = -1e300;
      for (int iterations = 0; iterations < 40; iterations += every) {
        auto pi = problem.converge(1e-10, iterations);
        double sum = 0.0;
        for (const double x : pi) sum += x;
        for (double& x : pi) x /= sum;
        const double now = reference::objective(problem.mixture, problem.counts, problem.prior, pi);
        EXPECT_GE(now, before - 1e-12 * std::abs(before)) << iterations << " of " << h.clients << " clients";
        before = now;
        if (problem.newton.residual() <= 1e-10) break;
        EXPECT_EQ(problem.newton.iterations(), iterations);
      }
      EXPECT_LE(problem.newton.residual(), 1e-10);
    }
  }
}

/// Clients of all sizes with one class mix: 1 : 2 : 3 of three classes.
Population same_mix(std::int32_t clients) {
  std::vector<std::int32_t> owner, label;
  for (std::int32_t k = 0; k < clients; ++k) {
    for (std::int32_t i = 0; i < 6 * (1 + k * 7 % 11); ++i) {
      owner.push_back(k);
      label.push_back(i % 6 == 0 ? 0 : i % 6 < 3 ? 1 : 2);
    }
  }
  return make_population(owner, label, clients, 3);
}

// To the bit: every client's share of the estimate is worked out alike.
TYPED_TEST(LdsEmTest, IdenticalMixesAreNotTilted) {
  for (const int clients : {3, 1500}) {
    for (const double concentration : {1e-6, 1.0, 1e6}) {
      EmProblem<TypeParam> problem(this->ctx(), same_mix(clients), false, concentration);
      problem.converge(1e-10, 100);
      std::vector<double> tilt(static_cast<std::size_t>(clients));
      this->ctx().download(tilt.data(), problem.newton.tilt().data(), tilt.size() * sizeof tilt[0]);
      for (int k = 0; k < clients; ++k) ASSERT_EQ(tilt[k], 1.0) << k << " of " << clients << ", " << concentration;
    }
  }
}

// Labels say nothing about clients with one class mix: the estimate is the prior's mean, and lds the urn, whatever the
// weight of the prior and with all its bits. Published EM rounds pi / r anew.
TYPED_TEST(LdsEmTest, MapOfIdenticalMixesIsTheUrn) {
  for (const int clients : {3, 1500}) {
    const Population population = same_mix(clients);
    const DevicePopulation<TypeParam> device(this->ctx(), population);
    const auto hash = [&](SamplerSettings settings) {
      const auto sampler = make_sampler(this->ctx(), population, device, delays(clients), settings);
      ScheduleBuffer<TypeParam> out(this->ctx(), sampler->bounds());
      sampler->build(21, 3, out);
      return download(out).sha256();
    };
    SamplerSettings settings = lds_settings(64, 1.3);
    for (const auto depletion : {DepletionRule::kOdds, DepletionRule::kRenormalise}) {
      settings.depletion = depletion;
      settings.estimate = LdsEstimate::kPrior;
      const std::string expected = hash(settings);
      settings.estimate = LdsEstimate::kMap;
      for (const double concentration : {1e-6, 1.0, 1e6}) {
        settings.concentration = concentration;
        EXPECT_EQ(hash(settings), expected) << clients << ", " << concentration;
      }
    }
  }
}

// What mode's zeros get makes the maximum unique and moves it little: nothing is lost of the likelihood but 2^-30.
TYPED_TEST(LdsEmTest, NewtonFindsTheMaximumWithoutAPrior) {
  EmProblem<TypeParam> problem(this->ctx(), skewed(3000, 40, 10, false), false, 0x1p-30);
  const auto pi = problem.converge(1e-10, 100);
  const std::vector<double> none(problem.prior.size(), 0.0);
  const double found = reference::objective(problem.mixture, problem.counts, none, pi);
  const double of_em = reference::objective(problem.mixture, problem.counts, none, problem.solve(0.0, 20000));
  EXPECT_GT(found, of_em - 1e-9 * std::abs(of_em));
}

TEST(LdsEm, WarnsAtItsCap) {
  CpuContext ctx;
  std::vector<std::int32_t> owner, label;  // mixes that differ by chance: the labels say little, EM creeps
  for (std::int32_t i = 0; i < 6400; ++i) {
    owner.push_back(i % 64);
    label.push_back(static_cast<std::int32_t>(random(i, 12) % 10));
  }
  const Population population = make_population(owner, label, 64, 10);
  const DevicePopulation<CpuContext> device(ctx, population);
  SamplerSettings settings = lds_settings(100);
  settings.concentration = 1e-6;
  const auto said = [&](EmRule rule) {
    settings.em = rule;
    const auto sampler = make_sampler(ctx, population, device, delays(64), settings);
    ScheduleBuffer<CpuContext> out(ctx, sampler->bounds());
    ::testing::internal::CaptureStderr();
    sampler->build(1, 0, out);
    sampler->build(1, 1, out);
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_EQ(said(EmRule::kConverged), "");
  const std::string text = said(EmRule::kPublished);
  EXPECT_NE(text.find("sampler.em = \"published\""), std::string::npos) << text;
  EXPECT_NE(text.find("1000 iterations"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1) << "once a sampler";

  ::testing::internal::CaptureStderr();
  detail::warn_unfinished(EmRule::kConverged, {100, 3e-4, 1e-10});
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("100 iterations with a residual of 3.0e-04"),
            std::string::npos);
}

}  // namespace
}  // namespace splitsim

#include "kernels/nn/optimizers/optimizer.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr std::int64_t kSize = 2500;           // more than one chunk, with a remainder
constexpr std::int64_t kStride = kSize + 300;  // running statistics lie between replicas

template <class Context>
class Optimizer : public OnContext<Context> {
 protected:
  /// Replicas with step counts; the map's replicas step on their ranks' gradients.
  struct Rig {
    Rig(Context& ctx, const StepLayout& layout, const std::vector<float>& start)
        : l(layout),
          map(ctx, layout),
          parameters(ctx, start),
          taken(ctx, std::vector<std::int32_t>(static_cast<std::size_t>(layout.replicas))),
          first(ctx, std::vector<float>(static_cast<std::size_t>(layout.replicas * kSize))),
          second(ctx, std::vector<float>(static_cast<std::size_t>(layout.replicas * kSize))) {}
    StepTargets targets(const Floats<Context>& gradients, bool counted) {
      StepTargets t;
      t.count = (*map).active;
      t.replica = (*map).replica;
      t.max = (*map).max_active;
      t.size = kSize;
      t.stride = kStride;
      t.gradients = gradients.data();
      t.parameters = parameters.data();
      t.taken = counted ? taken.data() : nullptr;
      return t;
    }
    StepLayout l;
    DeviceMap<Context> map;
    Floats<Context> parameters;
    Buffer<std::int32_t, Context> taken;
    Floats<Context> first, second;
  };
};
TYPED_TEST_SUITE(Optimizer, Contexts);

std::vector<StepLayout> layouts() { return {{"tied", 6, 1, {5}}, {"replicas", 6, 7, {1, 2, 2}}}; }

// Rates, momentum and decay are powers of two and values small integers over powers of two: three steps are exact.
TYPED_TEST(Optimizer, ThreeStepsOfSgdEqualTheTextbookExactly) {
  auto& ctx = this->ctx();
  const std::vector<float> rates{0.5f, 0.25f, 1.0f};
  for (const StepLayout& l : layouts()) {
    using Numbers = OptimizerNumbers;
    for (const Numbers& settings :
         {Numbers{.momentum = 0.0}, Numbers{.momentum = 0.0, .weight_decay = 0.25}, Numbers{.momentum = 0.5},
          Numbers{.momentum = 0.5, .nesterov = true, .weight_decay = 0.25},
          Numbers{.momentum = 0.5, .dampening = 0.25, .weight_decay = 0.25}}) {
      const auto start = integers(l.replicas * kStride, 8, 1);
      std::vector<double> p(start.begin(), start.end()), v(l.replicas * kSize);
      std::vector<int> taken(l.replicas);
      const bool momentum = settings.momentum != 0.0;
      typename TestFixture::Rig rig(ctx, l, start);
      const Floats<TypeParam> table(ctx, rates);
      for (std::int32_t t = 0; t < 3; ++t) {
        const auto g = junk_after(integers(l.max_active() * kSize, 8, 10 + t), l.active(), kSize);
        const Floats<TypeParam> gradients(ctx, g);
        const Buffer<std::int32_t, TypeParam> step(ctx, std::vector<std::int32_t>{t});
        {
          const Quiet<TypeParam> quiet(ctx);
          const StepTargets targets = rig.targets(gradients, true);
          count_steps(ctx, targets);
          const OptimizerStep side{
              targets, settings, {table.data(), step.data()}, {momentum ? rig.first.view() : View<float>(), {}}};
          optimizer_named<TypeParam>("sgd").step(ctx, &side, 1);
        }
        for (std::int32_t r = 0; r < l.active(); ++r) {
          const bool first_step = taken[l.replica(r)]++ == 0;
          for (std::int64_t i = 0; i < kSize; ++i) {
            double& value = p[l.replica(r) * kStride + i];
            double& velocity = v[l.replica(r) * kSize + i];
            double d = g[r * kSize + i] + settings.weight_decay * value;
            if (momentum) {
              velocity = settings.momentum * velocity + (first_step ? 1.0 : 1.0 - settings.dampening) * d;
              d = settings.nesterov ? d + settings.momentum * velocity : velocity;
            }
            value -= rates[t] * d;
          }
        }
      }
      const auto result = rig.parameters.download();
      ASSERT_EQ(std::vector<double>(result.begin(), result.end()), p) << l.name;
      ASSERT_EQ(rig.taken.download(), taken);
    }
  }
}

// A replica's moments and bias corrections are its own: replica 0 steps only in the second of three steps.
TYPED_TEST(Optimizer, AdamEqualsTheTextbook) {
  auto& ctx = this->ctx();
  for (const bool decoupled : {false, true}) {
    const OptimizerNumbers settings{.beta1 = 0.9, .beta2 = 0.99, .eps = 1e-6, .weight_decay = 0.125};
    const std::vector<StepLayout> steps = {{"", 6, 3, {1, 2}}, {"", 6, 3, {1, 1, 3}}, {"", 6, 3, {4}}};
    auto start = reals(3 * kStride, 1);
    std::vector<double> p(start.begin(), start.end()), m(3 * kSize), v(3 * kSize);
    std::vector<int> taken(3);
    const std::vector<float> rates{0.01f, 0.02f, 0.005f};
    const Floats<TypeParam> table(ctx, rates);
    typename TestFixture::Rig rig(ctx, steps[0], start);
    for (std::int32_t t = 0; t < 3; ++t) {
      const StepLayout& l = steps[t];
      rig.l = l;
      rig.map = DeviceMap<TypeParam>(ctx, l);
      const auto g = junk_after(reals(3 * kSize, 10 + t), l.active(), kSize);
      const Floats<TypeParam> gradients(ctx, g);
      const Buffer<std::int32_t, TypeParam> step(ctx, std::vector<std::int32_t>{t});
      {
        const Quiet<TypeParam> quiet(ctx);
        const StepTargets targets = rig.targets(gradients, true);
        count_steps(ctx, targets);
        const OptimizerStep side{targets, settings, {table.data(), step.data()}, {rig.first.view(), rig.second.view()}};
        optimizer_named<TypeParam>(decoupled ? "adamw" : "adam").step(ctx, &side, 1);
      }
      for (std::int32_t r = 0; r < l.active(); ++r) {
        const int n = ++taken[l.replica(r)];
        for (std::int64_t i = 0; i < kSize; ++i) {
          double& value = p[l.replica(r) * kStride + i];
          const std::int64_t at = l.replica(r) * kSize + i;
          double d = g[r * kSize + i];
          if (decoupled) value -= double{rates[t]} * settings.weight_decay * value;
          if (!decoupled) d += settings.weight_decay * value;
          m[at] = settings.beta1 * m[at] + (1.0 - settings.beta1) * d;
          v[at] = settings.beta2 * v[at] + (1.0 - settings.beta2) * d * d;
          const double m_hat = m[at] / (1.0 - std::pow(settings.beta1, n));
          const double v_hat = v[at] / (1.0 - std::pow(settings.beta2, n));
          value -= double{rates[t]} * m_hat / (std::sqrt(v_hat) + settings.eps);
        }
      }
    }
    const auto result = rig.parameters.download();
    // Three steps of at most 0.02 with some twenty roundings each, relative to steps of about the rate; sqrt(v) near 0
    // loses nothing, since m is then as small. Values are below 1: 8 units.
    for (std::size_t i = 0; i < p.size(); ++i) ASSERT_NEAR(result[i], p[i], 8 * 0x1p-24) << decoupled << " " << i;
    EXPECT_EQ(rig.taken.download(), taken);
  }
}

// Gradients of one repeated value have exact norms: 2500 x 0.5^2 = 25^2.
TYPED_TEST(Optimizer, ClippingShortensLongGradientsOfEachReplicaAlone) {
  auto& ctx = this->ctx();
  constexpr std::int32_t kRows = 3;
  std::vector<float> g(kRows * kSize);
  const float values[kRows] = {0.5f, 0.001f, kJunk};
  for (std::size_t i = 0; i < g.size(); ++i) g[i] = values[i / kSize] * (i % 2 == 0 ? 1.0f : -1.0f);
  const Floats<TypeParam> gradients(ctx, g);
  const Buffer<std::int32_t, TypeParam> rows(ctx, std::vector<std::int32_t>{kRows});
  const StepTargets targets{.count = rows.data(), .max = kRows, .size = kSize, .gradients = gradients.data()};
  Floats<TypeParam> scale(ctx, std::vector<float>(kRows, -1.0f));
  Buffer<double, TypeParam> work(ctx, clip_workspace(kRows, kSize));
  {
    const Quiet<TypeParam> quiet(ctx);
    clip_scales(ctx, targets, 5.0f, work.view(), scale.view());
  }
  const auto result = scale.download();
  EXPECT_NEAR(result[0], 5.0 / (25.0 + 1e-6), 1e-7);
  EXPECT_EQ(result[1], 1.0f);
  EXPECT_TRUE(result[2] != result[2]);  // a diverged gradient must show
}

// All replicas of an experiment on its one gradient, at its own rate: they stay equal. Of three experiments the first has
// no part in the step; the others' gradients lie in rows 0 and 2.
TYPED_TEST(Optimizer, OneGradientForAllOfAnExperiment) {
  auto& ctx = this->ctx();
  const StepLayout l{"", 6, 6, {1, 1, 1, 1, 1, 1}};
  const auto one = integers(kStride, 8, 1);
  std::vector<float> start;
  for (int g = 0; g < 6; ++g) start.insert(start.end(), one.begin(), one.end());
  typename TestFixture::Rig rig(ctx, l, start);
  const Floats<TypeParam> gradients(ctx, integers(3 * kSize, 8, 2));
  const Floats<TypeParam> rates(ctx, std::vector<float>{8.0f, 8.0f, 8.0f, 0.5f, 1.0f, 8.0f});
  const Buffer<std::int32_t, TypeParam> step(ctx, std::vector<std::int32_t>{0, 1, 0});
  const Buffer<std::int32_t, TypeParam> active(ctx, std::vector<std::int32_t>{2}),
      experiment(ctx, std::vector<std::int32_t>{1, 2, 0}), row(ctx, std::vector<std::int32_t>{7, 0, 2});
  const Floats<TypeParam> scale(ctx, std::vector<float>{0.5f, 0.25f});
  StepTargets targets = rig.targets(gradients, true);
  targets.count = active.data();
  targets.replica = experiment.data();
  targets.max = 3;
  targets.copies = 2;
  targets.gradient_row = row.data();
  targets.gradient_scale = scale.data();
  count_steps(ctx, targets);
  EXPECT_EQ(rig.taken.download(), (std::vector<std::int32_t>{0, 0, 1, 1, 1, 1}));
  const OptimizerStep side{targets, {.momentum = 0.0}, {rates.data(), step.data(), 2, 2}, {}};
  optimizer_named<TypeParam>("sgd").step(ctx, &side, 1);
  const auto result = rig.parameters.download(), g = gradients.download();
  for (std::int64_t i = 0; i < 6 * kStride; ++i) {
    const std::int64_t at = i % kStride, e = i / kStride / 2;
    float by = 0.0f;
    if (at < kSize && e == 1) by = 0.5f * 0.5f * g[at];
    if (at < kSize && e == 2) by = 1.0f * 0.25f * g[2 * kSize + at];
    ASSERT_EQ(result[i], one[at] - by) << i;
  }
}

// Two sides of different sizes and numbers in one launch are each what they are alone.
TYPED_TEST(Optimizer, TwoSidesAtOnce) {
  auto& ctx = this->ctx();
  const StepLayout few{"", 4, 5, {1, 2}}, tied{"", 4, 1, {4}};
  const Floats<TypeParam> rates(ctx, std::vector<float>{0.5f});
  const Buffer<std::int32_t, TypeParam> step(ctx, std::vector<std::int32_t>{0});
  for (const char* kind : {"sgd", "adam"}) {
    std::vector<std::vector<float>> results;
    for (const bool together : {false, true}) {
      typename TestFixture::Rig a(ctx, few, reals(5 * kStride, 1)), b(ctx, tied, reals(kStride, 2));
      const Floats<TypeParam> of_a(ctx, reals(4 * kSize, 3)), of_b(ctx, reals(kSize, 4));
      const OptimizerStep sides[2] = {
          {a.targets(of_a, true), {.momentum = 0.0}, {rates.data(), step.data()}, {a.first.view(), a.second.view()}},
          {b.targets(of_b, true), {.momentum = 0.5}, {rates.data(), step.data()}, {b.first.view(), b.second.view()}}};
      const auto& row = optimizer_named<TypeParam>(kind);
      for (const OptimizerStep& side : sides) count_steps(ctx, side.targets);
      if (together) {
        row.step(ctx, sides, 2);
      } else {
        row.step(ctx, &sides[0], 1);
        row.step(ctx, &sides[1], 1);
      }
      results.push_back(a.parameters.download());
      results.push_back(b.parameters.download());
    }
    EXPECT_EQ(results[0], results[2]) << kind;
    EXPECT_EQ(results[1], results[3]) << kind;
  }
}

}  // namespace
}  // namespace splitsim::test

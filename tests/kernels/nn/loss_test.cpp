#include "kernels/nn/loss.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

constexpr double kUnit = 0x1p-24;

struct LossRun {
  std::vector<float> loss, dlogits;
  std::vector<std::int32_t> correct, predicted;
};

template <class Context>
LossRun run_loss(Context& ctx, std::int32_t count, std::int32_t max_slots, std::int32_t classes,
                 const std::vector<float>& values, const std::vector<std::int32_t>& labels,
                 const std::vector<float>& weights, bool training = true, float smoothing = 0.0f) {
  const Buffer<std::int32_t, Context> slots(ctx, std::vector<std::int32_t>{count}), label(ctx, labels);
  const Floats<Context> logits(ctx, values), weight(ctx, weights);
  Floats<Context> loss(ctx, std::vector<float>(max_slots, kJunk)),
      dlogits(ctx, std::vector<float>(values.size(), kJunk));
  Buffer<std::int32_t, Context> correct(ctx, std::vector<std::int32_t>(max_slots, -1)), predicted(ctx, max_slots);
  {
    const Quiet<Context> quiet(ctx);
    softmax_cross_entropy(ctx, {slots.data(), max_slots}, {classes, smoothing},
                          {logits.view(), label.view(), weight.view()},
                          {loss.view(), correct.view(), predicted.view(), training ? dlogits.view() : View<float>()});
  }
  return {loss.download(), dlogits.download(), correct.download(), predicted.download()};
}

template <class Context>
class Loss : public OnContext<Context> {};
TYPED_TEST_SUITE(Loss, Contexts);

TYPED_TEST(Loss, ValueAndGradientMatchTheOracle) {
  for (const std::int32_t classes : {2, 10, 100}) {
    constexpr std::int32_t kMax = 40, kSlots = 33;
    auto logits = reals(kMax * classes, 1);
    for (float& v : logits) v *= 8.0f;
    logits = junk_after(logits, kSlots, classes);
    std::vector<std::int32_t> labels(kMax, 1 << 30);  // an empty slot's label must not be followed
    for (std::int32_t s = 0; s < kSlots; ++s) labels[s] = (s * 7) % classes;
    const auto weights = junk_after(reals(kMax, 2), kSlots, 1);
    const LossRun run = run_loss(this->ctx(), kSlots, kMax, classes, logits, labels, weights);
    // exp and log are within 2 units, the sum of `classes` positive terms within `classes` units; z - max <= 16 rounds
    // once.
    const double relative = (classes + 24.0) * kUnit;
    for (std::int32_t s = 0; s < kSlots; ++s) {
      auto z = row(logits, s, classes);
      const double expected = reference::cross_entropy(z, labels[s]);
      ASSERT_NEAR(run.loss[s], expected, relative * (1.0 + std::abs(expected)));
      std::int32_t best = 0;
      for (std::int32_t c = 0; c < classes; ++c) best = z[c] > z[best] ? c : best;
      ASSERT_EQ(run.predicted[s], best);
      ASSERT_EQ(run.correct[s], best == labels[s]);
      for (std::int32_t c = 0; c < classes; ++c) {
        const double h = 1e-5, before = z[c];
        z[c] = before + h;
        const double above = reference::cross_entropy(z, labels[s]);
        z[c] = before - h;
        const double slope = (above - reference::cross_entropy(z, labels[s])) / (2.0 * h);
        z[c] = before;
        ASSERT_NEAR(run.dlogits[s * classes + c], weights[s] * slope, relative + 1e-9);
      }
    }
    for (std::int32_t s = kSlots; s < kMax; ++s) {
      ASSERT_EQ(run.loss[s], 0.0f);
      ASSERT_EQ(run.correct[s], 0);
      for (std::int32_t c = 0; c < classes; ++c) ASSERT_EQ(run.dlogits[s * classes + c], 0.0f);
    }
  }
}

// The smoothed loss is (1 - e) the loss of the label + e the mean loss over all labels, and so is its gradient.
TYPED_TEST(Loss, SmoothingMixesInTheMeanOverAllLabels) {
  constexpr std::int32_t kSlots = 9, kClasses = 7;
  constexpr float kSmoothing = 0.3f;
  auto logits = reals(kSlots * kClasses, 3);
  for (float& v : logits) v *= 4.0f;
  const std::vector<float> weights(kSlots, 0.5f);
  std::vector<std::int32_t> labels(kSlots);
  for (std::int32_t s = 0; s < kSlots; ++s) labels[s] = s % kClasses;
  const LossRun smooth = run_loss(this->ctx(), kSlots, kSlots, kClasses, logits, labels, weights, true, kSmoothing);
  std::vector<double> loss(kSlots), gradient(kSlots * kClasses);
  for (std::int32_t other = 0; other < kClasses; ++other) {
    const LossRun one =
        run_loss(this->ctx(), kSlots, kSlots, kClasses, logits, std::vector<std::int32_t>(kSlots, other), weights);
    for (std::int32_t s = 0; s < kSlots; ++s) {
      const double share = double{kSmoothing} / kClasses + (labels[s] == other ? 1.0 - double{kSmoothing} : 0.0);
      loss[s] += share * one.loss[s];
      for (std::int32_t c = 0; c < kClasses; ++c) gradient[s * kClasses + c] += share * one.dlogits[s * kClasses + c];
    }
  }
  for (std::int32_t s = 0; s < kSlots; ++s) {
    EXPECT_NEAR(smooth.loss[s], loss[s], 32 * kUnit * (1.0 + loss[s]));
    for (std::int32_t c = 0; c < kClasses; ++c) {
      EXPECT_NEAR(smooth.dlogits[s * kClasses + c], gradient[s * kClasses + c], 32 * kUnit);
    }
  }
}

TYPED_TEST(Loss, EvaluationGivesTheSameLossAndNoGradient) {
  const auto logits = reals(50, 1);
  const std::vector<std::int32_t> labels{0, 1, 2, 3, 4};
  const std::vector<float> weights(5, 1.0f);
  const LossRun training = run_loss(this->ctx(), 5, 5, 10, logits, labels, weights);
  const LossRun evaluation = run_loss(this->ctx(), 5, 5, 10, logits, labels, weights, false);
  EXPECT_EQ(training.loss, evaluation.loss);
  for (const float v : evaluation.dlogits) EXPECT_TRUE(v != v);
}

TYPED_TEST(Loss, ExtremeLogits) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> logits{3e38f, -3e38f, 5.0f,  // overflow only if the maximum is not taken away
                                  1.0f,  1.0f,   1.0f,  // a tie: the first class is predicted
                                  kJunk, 0.0f,   0.0f,  // NaN and infinity must show in the loss
                                  inf,   0.0f,   0.0f};
  const LossRun run = run_loss(this->ctx(), 4, 4, 3, logits, {0, 1, 1, 0}, std::vector<float>(4, 1.0f));
  EXPECT_EQ(run.loss[0], 0.0f);
  EXPECT_EQ(run.predicted[1], 0);
  EXPECT_EQ(run.correct[1], 0);
  EXPECT_NEAR(run.loss[1], std::log(3.0), 1e-6);
  EXPECT_FALSE(std::isfinite(run.loss[2]));
  EXPECT_FALSE(std::isfinite(run.loss[3]));
}

}  // namespace
}  // namespace splitsim::test

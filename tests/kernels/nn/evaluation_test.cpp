// Passes of a test: which replicas and samples they hold, and whose results they add to.
#include "kernels/nn/evaluation.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/kernels/nn/nn_support.hpp"

namespace splitsim::test {
namespace {

template <class Context>
class EvaluationKernels : public OnContext<Context> {
 protected:
  using Ints = Buffer<std::int32_t, Context>;

  struct Table {
    Ints count, replica, first, rank;
    Table(Context& ctx, std::int64_t ranks, std::int64_t slots)
        : count(ctx, 1), replica(ctx, ranks), first(ctx, ranks + 1), rank(ctx, slots) {}
    RankTable view() { return {count.view(), replica.view(), first.view(), rank.view(), {}, {}}; }
  };
  static std::vector<std::int32_t> head(const Ints& values, std::int32_t count) {
    std::vector<std::int32_t> all = values.download();
    all.resize(static_cast<std::size_t>(count));
    return all;
  }

  /// Runs all passes of a request over S slots, with losses and predictions that depend on slot and pass alone.
  void check(const EvalRequest& request, std::int32_t slots) {
    Context& ctx = this->ctx();
    constexpr std::int32_t kClasses = 3;
    std::vector<std::int32_t> ids(40), labels(50), tested;
    for (std::int32_t i = 0; i < 40; ++i) ids[static_cast<std::size_t>(i)] = 45 - i;
    for (std::int32_t i = 0; i < 50; ++i) labels[static_cast<std::size_t>(i)] = i % kClasses;
    for (std::int32_t r = 0; r < request.replicas; ++r) tested.push_back(90 - 7 * r);
    const Ints of_ids(ctx, ids), of_labels(ctx, labels);
    Buffer<EvalRequest, Context> asked(ctx, std::vector<EvalRequest>{request});
    Ints which(ctx, tested), pass(ctx, std::vector<std::int32_t>{0}), valid(ctx, 1), sample(ctx, slots),
        label(ctx, slots);
    Table whole(ctx, 1, slots), replicas(ctx, request.together, slots);
    const EvalTables tables{asked.view(),  which.view(), pass.view(),  valid.view(),
                            sample.view(), label.view(), whole.view(), replicas.view()};
    Ints confusion(ctx, std::vector<std::int32_t>(static_cast<std::size_t>(request.replicas * kClasses * kClasses), 0));
    Buffer<double, Context> sums(
        ctx, std::vector<double>(static_cast<std::size_t>(request.passes() * request.together), -1.0));

    std::vector<std::int32_t> expected_confusion(static_cast<std::size_t>(request.replicas * kClasses * kClasses), 0);
    std::vector<double> expected_sums(static_cast<std::size_t>(request.passes() * request.together), -1.0);
    std::int32_t p = 0;
    for (std::int32_t first = 0; first < request.replicas; first += request.together) {
      for (std::int32_t from = 0; from < request.samples; from += request.batch, ++p) {
        const std::int32_t count = std::min(request.together, request.replicas - first);
        const std::int32_t each = std::min(request.batch, request.samples - from);
        std::vector<float> loss(static_cast<std::size_t>(slots));
        std::vector<std::int32_t> predicted(static_cast<std::size_t>(slots));
        for (std::int32_t s = 0; s < slots; ++s) {
          loss[static_cast<std::size_t>(s)] = static_cast<float>(100 * p + s);
          predicted[static_cast<std::size_t>(s)] = (s + p) % kClasses;
        }
        std::vector<std::int32_t> samples, firsts{0}, active;
        for (std::int32_t r = 0; r < count; ++r) {
          active.push_back(tested[static_cast<std::size_t>(first + r)]);
          double sum = 0.0;
          for (std::int32_t i = 0; i < each; ++i) {
            const auto s = samples.size();
            samples.push_back(ids[static_cast<std::size_t>(request.first_sample + from + i)]);
            sum += loss[s];
            const std::int32_t row = labels[static_cast<std::size_t>(samples.back())];
            expected_confusion[static_cast<std::size_t>(((first + r) * kClasses + row) * kClasses + predicted[s])] += 1;
          }
          firsts.push_back(static_cast<std::int32_t>(samples.size()));
          expected_sums[static_cast<std::size_t>(p * request.together + r)] = sum;
        }
        begin_eval(ctx, View<const std::int32_t>(of_ids.view()), View<const std::int32_t>(of_labels.view()), tables);
        const auto used = static_cast<std::int32_t>(samples.size());
        EXPECT_EQ(head(valid, 1)[0], used);
        EXPECT_EQ(head(sample, used), samples);
        for (std::int32_t s = used; s < slots; ++s) EXPECT_EQ(sample.download()[static_cast<std::size_t>(s)], -1);
        EXPECT_EQ(head(whole.first, 2), (std::vector<std::int32_t>{0, used}));
        EXPECT_EQ(head(replicas.count, 1)[0], count);
        EXPECT_EQ(head(replicas.replica, count), active);
        EXPECT_EQ(head(replicas.first, count + 1), firsts);
        for (std::int32_t s = 0; s < used; ++s)
          EXPECT_EQ(head(replicas.rank, used)[static_cast<std::size_t>(s)], s / each);
        const Floats<Context> losses(ctx, loss);
        const Ints predictions(ctx, predicted);
        end_eval(ctx, kClasses, losses.view(), predictions.view(), tables, {confusion.view(), sums.view()});
      }
    }
    EXPECT_EQ(p, request.passes());
    EXPECT_EQ(confusion.download(), expected_confusion);
    EXPECT_EQ(sums.download(), expected_sums);
  }
};
TYPED_TEST_SUITE(EvaluationKernels, Contexts);

TYPED_TEST(EvaluationKernels, EveryReplicaMeetsEverySampleOnce) {
  this->check({.first_sample = 5, .samples = 7, .replicas = 5, .batch = 3, .together = 2}, 8);
  this->check({.first_sample = 0, .samples = 12, .replicas = 1, .batch = 5, .together = 1}, 5);
  this->check({.first_sample = 30, .samples = 4, .replicas = 6, .batch = 10, .together = 6}, 60);
}

}  // namespace
}  // namespace splitsim::test

#include "runtime/run/tester.hpp"

#include <algorithm>

#include "runtime/config/seeds.hpp"
#include "runtime/record/disparity.hpp"

namespace splitsim {

namespace {
EvaluatorSettings evaluator_settings(const Scene& scene) {
  const bool each = scene.config.eval.replicas == EvalReplicas::kEach;
  EvaluatorSettings settings;
  settings.batch = scene.config.eval.batch;
  settings.images[0] = scene.dataset.test_size();
  settings.images[1] = scene.dataset.validation_size();
  for (int side = 0; side < 2; ++side) {
    const PartRule& part = scene.mode.part[side];
    const std::vector<std::int64_t> held = scene.population.sizes();
    settings.weights[side] = shares_of(part.replicas == Sharing::kGroup ? scene.groups.sums(held) : held);
    settings.each[side] = each && part.many();
  }
  settings.precision = scene.config.train.precision;
  return settings;
}
}  // namespace

template <class Context>
Tester<Context>::Tester(Context& ctx, const Scene& scene)
    : ctx_(ctx),
      config_(scene.config),
      dataset_(scene.dataset),
      population_(scene.population),
      groups_(scene.groups),
      evaluator_(ctx, scene.network, evaluator_settings(scene)) {}

template <class Context>
void Tester<Context>::start(const Tester* other) {
  if (other != nullptr && other != this && other->dataset_.test_features == dataset_.test_features &&
      other->dataset_.test_labels == dataset_.test_labels &&
      other->dataset_.validation_features == dataset_.validation_features &&
      other->dataset_.validation_labels == dataset_.validation_labels) {
    images_ = other->images_;
  } else if (validates()) {
    std::vector<std::uint8_t> features = dataset_.test_features;
    features.insert(features.end(), dataset_.validation_features.begin(), dataset_.validation_features.end());
    std::vector<std::int32_t> labels = dataset_.test_labels;
    labels.insert(labels.end(), dataset_.validation_labels.begin(), dataset_.validation_labels.end());
    images_ = std::make_shared<DeviceImages<Context>>(ctx_, features, labels);
  } else {
    images_ = std::make_shared<DeviceImages<Context>>(ctx_, dataset_.test_features, dataset_.test_labels);
  }
  evaluator_.start(*images_, gather_shape(dataset_, config_.data, false),
                   gather_source(*images_, dataset_, seeds_of(config_).data));
}

template <class Context>
void Tester<Context>::begin_epoch() {
  tests_.clear();
  client_tests_.clear();
}

template <class Context>
std::vector<std::int32_t> Tester<Context>::tested_clients(const ReplicaValues& values) const {
  if (config_.eval.replicas == EvalReplicas::kOne) return {config_.eval.client};
  std::vector<std::int32_t> which;
  if (config_.eval.replicas == EvalReplicas::kEach &&
      (values.replicas[kClientSide] > 1 || values.replicas[kServerSide] > 1)) {
    for (std::int32_t k = 0; k < population_.clients; ++k) {
      if (population_.size(k) > 0) which.push_back(k);  // clients without samples have never trained
    }
  }
  return which;
}

// Whose replica a client's is: its own, or its group's, which is tested once.
template <class Context>
std::int32_t Tester<Context>::replica_of(std::int32_t client) const {
  return groups_.of.empty() ? client : groups_.of_client(client);
}

template <class Context>
TestResult Tester<Context>::test(const ReplicaValues& values, EvaluationSet set, const When& when) {
  const bool is_test = set == EvaluationSet::kTest;
  const std::vector<std::int32_t> clients = tested_clients(values);
  std::vector<std::int32_t> tested;
  for (const std::int32_t k : clients) tested.push_back(replica_of(k));
  std::sort(tested.begin(), tested.end());
  tested.erase(std::unique(tested.begin(), tested.end()), tested.end());
  const std::vector<Evaluation> results =
      evaluator_.evaluate(values.parameters, values.replicas, {tested, when.limit, set});
  std::vector<TestResult> figures;  // of the average, or of every client
  for (std::size_t i = 0; i < std::max<std::size_t>(1, clients.size()); ++i) {
    const auto place =
        clients.empty() ? tested.begin() : std::lower_bound(tested.begin(), tested.end(), replica_of(clients[i]));
    const Evaluation& result = results[static_cast<std::size_t>(place - tested.begin())];
    figures.push_back({result.loss,
                       classification_metrics(result.confusion, dataset_.classes),
                       {result.confusion.begin(), result.confusion.end()}});
    if (is_test && when.ends_epoch && !clients.empty() && config_.eval.replicas == EvalReplicas::kEach) {
      client_tests_.push_back({when.epoch, clients[i], figures[i].loss, figures[i].metrics.accuracy,
                               personal_accuracy(figures[i].metrics.recall, population_, clients[i])});
    }
  }
  const TestResult mean = mean_of(figures);
  const std::int64_t all = is_test ? dataset_.test_size() : dataset_.validation_size();
  TestRecord record;
  record.epoch = when.epoch;
  record.step = when.step;
  record.set = is_test ? "test" : "validation";
  record.virtual_time_s = when.virtual_time_s;
  record.images = when.limit > 0 ? std::min(when.limit, all) : all;
  record.loss = mean.loss;
  record.accuracy = mean.metrics.accuracy;
  record.macro_accuracy = mean.metrics.macro_accuracy;
  record.macro_f1 = mean.metrics.macro_f1;
  record.recall = mean.metrics.recall;
  record.confusion = mean.confusion;
  tests_.push_back(std::move(record));
  return mean;
}

template <class Context>
void Tester<Context>::test_step(const ReplicaValues& values, std::int64_t step, double virtual_time_s,
                                EpochRecord& record) {
  const When when{record.epoch, step, virtual_time_s, config_.eval.step_images, false};
  const TestResult figures = test(values, EvaluationSet::kTest, when);
  StepEvaluation& evaluation = record.step_evaluations.emplace_back();
  evaluation.step = step;
  evaluation.virtual_time_s = virtual_time_s;
  evaluation.test_loss = figures.loss;
  evaluation.test_accuracy = figures.metrics.accuracy;
  if (!validates()) return;
  const TestResult validation = test(values, EvaluationSet::kValidation, when);
  evaluation.validation_loss = validation.loss;
  evaluation.validation_accuracy = validation.metrics.accuracy;
}

template <class Context>
void Tester<Context>::test_epoch(const ReplicaValues& values, EpochRecord& record) {
  const When when{record.epoch, record.steps, record.virtual_time_s, 0, true};
  const TestResult result = test(values, EvaluationSet::kTest, when);
  record.test = figures_of(result);
  record.test_recall = result.metrics.recall;
  if (validates()) record.validation = figures_of(test(values, EvaluationSet::kValidation, when));
}

template <class Context>
void Tester<Context>::average(const ReplicaValues& values, std::vector<float> (&sides)[2]) {
  for (int side = 0; side < 2; ++side) sides[side] = evaluator_.average(values.parameters, values.replicas, side);
}

template class Tester<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Tester<CudaContext>;
#endif

}  // namespace splitsim

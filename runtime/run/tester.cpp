#include "runtime/run/tester.hpp"

#include <algorithm>

#include "runtime/config/seeds.hpp"

namespace splitsim {

namespace {
EvaluatorSettings evaluator_settings(const Config& config, const Dataset& dataset, const Population& population) {
  const bool each = config.eval.replicas == EvalReplicas::kEach;
  const ModeMap mode = mode_map(config.train);
  return {.batch = config.eval.batch,
          .images = {dataset.test_size(), dataset.validation_size()},
          .client_weights = shares_of(population.sizes()),
          .each = {each && mode.replicas[kClientSide], each && mode.replicas[kServerSide]},
          .precision = config.train.precision};
}
}  // namespace

template <class Context>
Tester<Context>::Tester(Context& ctx, const Config& config, const Network& network, const Dataset& dataset,
                        const Population& population)
    : ctx_(ctx),
      config_(config),
      dataset_(dataset),
      population_(population),
      evaluator_(ctx, network, evaluator_settings(config, dataset, population)) {}

template <class Context>
void Tester<Context>::start() {
  if (validates()) {
    std::vector<std::uint8_t> images = dataset_.test_images;
    images.insert(images.end(), dataset_.validation_images.begin(), dataset_.validation_images.end());
    std::vector<std::int32_t> labels = dataset_.test_labels;
    labels.insert(labels.end(), dataset_.validation_labels.begin(), dataset_.validation_labels.end());
    images_ = std::make_unique<DeviceImages<Context>>(ctx_, images, labels);
  } else {
    images_ = std::make_unique<DeviceImages<Context>>(ctx_, dataset_.test_images, dataset_.test_labels);
  }
  evaluator_.start(*images_, gather_shape(dataset_, config_.data, seeds_of(config_).data, false));
}

template <class Context>
void Tester<Context>::begin_epoch() {
  tests_.clear();
  client_tests_.clear();
}

template <class Context>
std::vector<std::int32_t> Tester<Context>::tested_replicas(const Engine<Context>& engine) const {
  if (config_.eval.replicas == EvalReplicas::kOne) return {config_.eval.client};
  std::vector<std::int32_t> which;
  if (config_.eval.replicas == EvalReplicas::kEach &&
      (engine.replicas(kClientSide) > 1 || engine.replicas(kServerSide) > 1)) {
    for (std::int32_t k = 0; k < population_.clients; ++k) {
      if (population_.size(k) > 0) which.push_back(k);  // clients without samples have never trained
    }
  }
  return which;
}

template <class Context>
TestResult Tester<Context>::test(const Engine<Context>& engine, EvaluationSet set, const When& when) {
  const View<const float> parameters[2] = {engine.parameters(kClientSide), engine.parameters(kServerSide)};
  const std::int64_t replicas[2] = {engine.replicas(kClientSide), engine.replicas(kServerSide)};
  const bool is_test = set == EvaluationSet::kTest;
  const std::vector<std::int32_t> tested = tested_replicas(engine);
  std::vector<TestResult> figures;
  for (const Evaluation& result : evaluator_.evaluate(parameters, replicas, {tested, when.limit, set})) {
    const std::size_t place = figures.size();
    figures.push_back({result.loss,
                       classification_metrics(result.confusion, dataset_.classes),
                       {result.confusion.begin(), result.confusion.end()}});
    if (is_test && when.ends_epoch && !tested.empty() && config_.eval.replicas == EvalReplicas::kEach) {
      client_tests_.push_back({when.epoch, tested[place], figures[place].loss, figures[place].metrics.accuracy});
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
void Tester<Context>::test_step(const Engine<Context>& engine, std::int64_t step, double virtual_time_s,
                                EpochRecord& record) {
  const When when{record.epoch, step, virtual_time_s, config_.eval.step_images, false};
  const TestResult figures = test(engine, EvaluationSet::kTest, when);
  StepEvaluation& evaluation = record.step_evaluations.emplace_back();
  evaluation.step = step;
  evaluation.virtual_time_s = virtual_time_s;
  evaluation.test_loss = figures.loss;
  evaluation.test_accuracy = figures.metrics.accuracy;
  if (!validates()) return;
  const TestResult validation = test(engine, EvaluationSet::kValidation, when);
  evaluation.validation_loss = validation.loss;
  evaluation.validation_accuracy = validation.metrics.accuracy;
}

template <class Context>
void Tester<Context>::test_epoch(const Engine<Context>& engine, EpochRecord& record) {
  const When when{record.epoch, record.steps, record.virtual_time_s, 0, true};
  const TestResult result = test(engine, EvaluationSet::kTest, when);
  record.test = figures_of(result);
  record.test_recall = result.metrics.recall;
  if (validates()) record.validation = figures_of(test(engine, EvaluationSet::kValidation, when));
}

template <class Context>
void Tester<Context>::average(const Engine<Context>& engine, std::vector<float> (&sides)[2]) {
  const View<const float> parameters[2] = {engine.parameters(kClientSide), engine.parameters(kServerSide)};
  const std::int64_t replicas[2] = {engine.replicas(kClientSide), engine.replicas(kServerSide)};
  for (int side = 0; side < 2; ++side) sides[side] = evaluator_.average(parameters, replicas, side);
}

template class Tester<CpuContext>;
#if SPLITSIM_WITH_CUDA
template class Tester<CudaContext>;
#endif

}  // namespace splitsim

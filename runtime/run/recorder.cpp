#include "runtime/run/recorder.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "runtime/record/disparity.hpp"
#include "runtime/run/epoch_records.hpp"
#include "runtime/train/learning_rate.hpp"

namespace splitsim {

Recorder::Recorder(const Scene& scene, const ExperimentPlan& plan, const std::string& out_dir)
    : scene_(scene),
      plan_(plan),
      ledger_(scene.cut, scene.mode, scene.config.train.round),
      writer_(out_dir.empty() ? nullptr : std::make_unique<RunWriter>(out_dir)) {
  const TrainSettings& train = scene.config.train;
  rates_[kClientSide] = learning_rates(train.client_optimizer, plan.steps_per_epoch, train.epochs);
  rates_[kServerSide] = learning_rates(train.server_optimizer, plan.steps_per_epoch, train.epochs);
}

void Recorder::begin(std::int32_t epochs, bool resumes) {
  if (writer_ == nullptr) return;
  writer_->truncate(epochs);
  if (resumes) read_back();
  writer_->write_text("config.toml", to_toml(scene_.config));  // a resumed run may have other paths, or more epochs
  if (!resumes) writer_->write_partition(scene_.population);
  for (const EpochRecord& record : records_) reached_ = reached_ || reaches(scene_.config.eval, record);
}

void Recorder::read_back() {
  records_ = read_epochs(writer_->path("epochs.jsonl"));
  const std::string own = writer_->path("client_tests.csv");
  if (!std::filesystem::exists(own)) return;
  client_tests_ = read_csv<ClientTest>(own);
  std::erase_if(client_tests_, [last = client_tests_.empty() ? 0 : client_tests_.back().epoch](const ClientTest& test) {
    return test.epoch != last;
  });
}

std::size_t Recorder::step_of_run(const StepRecord& step) const {
  return static_cast<std::size_t>(step.epoch * plan_.steps_per_epoch + step.step);
}

const EpochRecord& Recorder::add(EpochResult result, Participation& total) {
  std::vector<Traffic> traffic = ledger_.add(result.turns, result.record.steps, result.all_steps, total);
  ledger_.add(result.losses, result.record.steps, traffic, total);
  for (std::size_t i = 0; i < result.steps.size(); ++i) {
    StepRecord& step = result.steps[i];
    set_traffic(step, traffic[i]);
    step.client_lr = rates_[kClientSide][step_of_run(step)];
    step.server_lr = rates_[kServerSide][step_of_run(step)];
  }
  add_waiting(result.waiting, total);
  reached_ = reached_ || result.reached;
  if (!result.record.test_recall.empty()) {
    client_tests_ = result.client_tests;
    result.record.disparity = disparity_of(result.record, records_, client_tests_, scene_.population);
  }
  records_.push_back(std::move(result.record));
  if (writer_ != nullptr) {
    writer_->append_steps(result.steps);
    if (scene_.config.record.waiting) writer_->append_waiting(result.waiting);
    if (!result.tests.empty()) writer_->append_tests(result.tests);
    if (!result.client_tests.empty()) writer_->append_client_tests(result.client_tests);
    writer_->append_epoch(records_.back());
  }
  return records_.back();
}

Summary Recorder::summarise(RunStatus status, const RunState& state, const TrainedModel& model) const {
  RunOutcome outcome{status, state.epochs, records_, state.participation, {}};
  if (!records_.empty() && records_.back().steps > 0) {
    const EpochRecord& last = records_.back();
    const auto at = static_cast<std::size_t>(last.epoch * plan_.steps_per_epoch + last.steps - 1);
    for (int side = 0; side < 2; ++side) outcome.lr_last[side] = static_cast<double>(rates_[side][at]);
  }
  Summary summary = splitsim::summarise(scene_.config, plan_, ledger_, outcome);
  summary.model_sha256 = model_sha256(model.sides);
  if (model.has_average) summary.model_average_sha256 = model_sha256(model.average);
  return summary;
}

void Recorder::write_results(const Summary& summary, const Participation& total, const TrainedModel& model) {
  if (writer_ == nullptr) return;
  const auto last_test = std::find_if(records_.rbegin(), records_.rend(),
                                      [](const EpochRecord& record) { return !record.test_recall.empty(); });
  const std::vector<double> recall = last_test == records_.rend() ? std::vector<double>() : last_test->test_recall;
  writer_->write_clients(
      client_records(scene_, ledger_, total, personal_accuracies(recall, client_tests_, scene_.population)));
  std::vector<std::vector<float>> storage;
  writer_->write_model("model.safetensors", model_tensors(scene_.network, model.sides, storage), summary.model_sha256);
  if (model.has_average) {
    writer_->write_model("model_average.safetensors", model_tensors(scene_.network, model.average, storage),
                         summary.model_average_sha256);
  }
  writer_->write_summary(summary);
}

}  // namespace splitsim

#include "runtime/run/run_results.hpp"

#include <algorithm>
#include <filesystem>

#include "base/hash.hpp"
#include "runtime/config/version.hpp"
#include "runtime/record/metrics.hpp"

namespace splitsim {

namespace {

RunSettings settings_of(const Config& config, const ExperimentPlan& plan, const RunOutcome& outcome) {
  RunSettings settings;
  settings.data = config.data.name;
  settings.partition = config.partition.kind;
  settings.sampler = config.sampler.kind;
  settings.model = config.model.name;
  settings.cut = config.model.cut;
  settings.mode = config.train.mode;
  settings.clients = plan.clients;
  settings.batch = static_cast<std::int32_t>(config.sampler.batch);
  settings.epochs = config.train.epochs;
  settings.client_optimizer = config.train.client_optimizer.kind;
  settings.server_optimizer = config.train.server_optimizer.kind;
  settings.client_lr = config.train.client_optimizer.lr;
  settings.server_lr = config.train.server_optimizer.lr;
  settings.client_lr_last = outcome.lr_last[0];
  settings.server_lr_last = outcome.lr_last[1];
  settings.pixel_mean = plan.pixel_mean;
  settings.pixel_std = plan.pixel_std;
  return settings;
}

// The figures of the last test, those of the best one, and times to accuracy.
void add_tests(const std::vector<EpochRecord>& records, Summary& summary) {
  for (const EpochRecord& record : records) {
    if (!record.test.accuracy.has_value()) continue;
    summary.test = record.test;
    summary.test_recall = record.test_recall;
    summary.disparity = record.disparity;
    summary.validation = record.validation;
  }
  summary.best = best_epoch(records);
  const std::vector<AccuracyPoint> curve = accuracy_curve(records);
  for (const double target : {0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95}) {
    summary.time_to_accuracy.push_back({target, time_to_accuracy(curve, target)});
  }
}

void add_epochs(const std::vector<EpochRecord>& records, Summary& summary) {
  Sha256 schedules, timelines;
  std::int64_t steps = 0, moves = 0, samples = 0;
  double train_seconds = 0.0;
  for (const EpochRecord& record : records) {
    samples += record.samples;
    train_seconds += record.train_wall_s;
    schedules.add(record.schedule_sha256);
    timelines.add(record.timeline_sha256);
    steps += record.steps;
    summary.batch_deviation_mean += record.batch_deviation_mean * static_cast<double>(record.steps);
    const std::int64_t with_one_before = std::max<std::int64_t>(record.steps - 1, 0);
    moves += with_one_before;
    summary.batch_drift_mean += record.batch_drift_mean * static_cast<double>(with_one_before);
    summary.virtual_time_s = record.virtual_time_s;
    summary.wall_time_s += record.wall_time_s;
  }
  summary.schedule_sha256 = schedules.hex();
  summary.timeline_sha256 = timelines.hex();
  if (steps > 0) summary.batch_deviation_mean /= static_cast<double>(steps);
  if (moves > 0) summary.batch_drift_mean /= static_cast<double>(moves);
  if (train_seconds > 0.0) summary.train_samples_per_s = static_cast<double>(samples) / train_seconds;
}

void add_clients(const Ledger& ledger, const Participation& participation, Summary& summary) {
  Traffic traffic;
  for (std::size_t k = 0; k < participation.samples.size(); ++k) traffic += ledger.of_client(participation, k);
  set_traffic(summary, traffic);
  const std::vector<std::int64_t>& took_part = participation.steps;
  const auto [least, most] = std::minmax_element(took_part.begin(), took_part.end());
  summary.participation_min = *least;
  summary.participation_max = *most;
  for (const std::int64_t count : took_part) summary.participation_mean += static_cast<double>(count);
  summary.participation_mean /= static_cast<double>(took_part.size());

  const WaitingShares shares = waiting_shares(participation.waiting_ns, participation.active_ns);
  summary.waiting_share_mean = shares.mean;
  summary.waiting_share_max = shares.max;
}

bool is_target(const EvalSettings& eval, double accuracy) {
  return eval.stop_at_accuracy > 0.0 && accuracy >= eval.stop_at_accuracy;
}

double energy_j(const ClientRecord& client, std::int64_t forward, std::int64_t backward, const Scene& scene) {
  const LatencySettings& settings = scene.timing.latency;
  const double passes = static_cast<double>(forward) + settings.backward_ratio * static_cast<double>(backward);
  return passes * static_cast<double>(scene.cut.client_macs) * 1e-9 * settings.joule_per_gmac +
         static_cast<double>(client.bytes_up + client.bytes_down) * 1e-6 * settings.joule_per_mbyte +
         static_cast<double>(client.waiting_ns) * 1e-9 * settings.idle_watt;
}

}  // namespace

bool reaches(const EvalSettings& eval, const StepEvaluation& test) {
  return is_target(eval, test.validation_accuracy.value_or(test.test_accuracy));
}

bool reaches(const EvalSettings& eval, const EpochRecord& record) {
  for (const StepEvaluation& test : record.step_evaluations) {
    if (reaches(eval, test)) return true;
  }
  const std::optional<double> accuracy = deciding_accuracy(record);
  return accuracy.has_value() && is_target(eval, *accuracy);
}

Summary summarise(const Config& config, const ExperimentPlan& plan, const Ledger& ledger, const RunOutcome& outcome) {
  Summary summary;
  summary.version = version();
  summary.git = git_commit();
  summary.status = name_of(outcome.status);
  summary.seed = config.seed;
  summary.config_sha256 = plan.config_sha256;
  summary.partition_sha256 = plan.partition_sha256;
  summary.inputs = plan.inputs;
  summary.epochs = outcome.epochs;
  summary.steps_per_epoch = plan.steps_per_epoch;
  summary.settings = settings_of(config, plan, outcome);
  add_epochs(outcome.records, summary);
  add_tests(outcome.records, summary);
  add_clients(ledger, outcome.participation, summary);
  return summary;
}

std::vector<ClientRecord> client_records(const Scene& scene, const Ledger& ledger, const Participation& participation,
                                         const std::vector<std::optional<double>>& personal) {
  const std::vector<std::int64_t> sizes = scene.population.sizes();
  std::vector<ClientRecord> clients;
  for (std::size_t k = 0; k < sizes.size(); ++k) {
    clients.push_back({static_cast<std::int32_t>(k), sizes[k], participation.steps[k], participation.waiting_ns[k],
                       participation.active_ns[k], participation.missed_samples[k], participation.absences[k],
                       participation.late[k]});
    set_traffic(clients.back(), ledger.of_client(participation, k));
    const std::int64_t trained = participation.samples[k];
    clients.back().energy_j = energy_j(clients.back(), trained + participation.late_samples[k], trained, scene);
    clients.back().personal_accuracy = personal[k];
  }
  return clients;
}

std::optional<Summary> finished_run(const Config& config, const std::string& out_dir) {
  const auto file = [&out_dir](const char* name) { return (std::filesystem::path(out_dir) / name).string(); };
  if (!std::filesystem::exists(file("summary.json")) || !std::filesystem::exists(file("epochs.jsonl"))) return {};
  Summary summary = read_summary(file("summary.json"));
  if (summary.status != name_of(RunStatus::kCompleted) || summary.config_sha256 != config_sha256(config)) return {};
  bool reached = false;
  for (const EpochRecord& record : read_epochs(file("epochs.jsonl"))) {
    reached = reached || reaches(config.eval, record);
  }
  if (summary.epochs < config.train.epochs && !reached) return {};
  return summary;
}

}  // namespace splitsim

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/record/json_fields.hpp"
#include "runtime/record/ordinal.hpp"
#include "runtime/record/records.hpp"

namespace splitsim {
namespace {

using namespace json_fields;

// One list of fields per record, visited by the writer and by the reader.

/// prefix: "test_", "validation_", or none.
template <class Figures, class Visit>
void visit_figures(const std::string& prefix, Figures& f, const Visit& visit) {
  visit((prefix + "loss").c_str(), f.loss);
  visit((prefix + "accuracy").c_str(), f.accuracy);
  visit((prefix + "macro_accuracy").c_str(), f.macro_accuracy);
  visit((prefix + "macro_f1").c_str(), f.macro_f1);
}

template <class Disparity, class Visit>
void visit_disparity(Disparity& d, const Visit& visit) {
  visit("personal_accuracy", d.personal_accuracy);
  visit("personal_accuracy_worst", d.personal_accuracy_worst);
  visit("performance_gap", d.performance_gap);
  visit("forgetting", d.forgetting);
}

template <class Record, class Visit>
void visit_epoch(Record& r, const Visit& visit) {
  visit("epoch", ordinal(r.epoch));
  visit("steps", r.steps);
  visit("train_loss", r.train_loss);
  visit("train_accuracy", r.train_accuracy);
  visit_figures("test_", r.test, visit);
  visit("test_recall", r.test_recall);
  visit_disparity(r.disparity, visit);
  visit_figures("validation_", r.validation, visit);
  visit("batch_deviation_mean", r.batch_deviation_mean);
  visit("batch_drift_mean", r.batch_drift_mean);
  visit("virtual_time_s", r.virtual_time_s);
  visit("wall_time_s", r.wall_time_s);
  visit("schedule_wall_s", r.schedule_wall_s);
  visit("samples", r.samples);
  visit("missed_samples", r.missed_samples);
  visit("deferred_samples", r.deferred_samples);
  visit("absent_clients", r.absent_clients);
  visit("late_clients", r.late_clients);
  visit("train_wall_s", r.train_wall_s);
  visit("train_samples_per_s", r.train_samples_per_s);
  visit("schedule_sha256", r.schedule_sha256);
  visit("timeline_sha256", r.timeline_sha256);
  visit("client_drift", r.client_drift);
  visit("server_drift", r.server_drift);
}

template <class Record, class Visit>
void visit_evaluation(Record& r, const Visit& visit) {
  visit("step", r.step);
  visit("virtual_time_s", r.virtual_time_s);
  visit("test_loss", r.test_loss);
  visit("test_accuracy", r.test_accuracy);
  visit("validation_loss", r.validation_loss);
  visit("validation_accuracy", r.validation_accuracy);
}

template <class Record, class Visit>
void visit_test(Record& r, const Visit& visit) {
  visit("epoch", ordinal(r.epoch));
  visit("step", r.step);
  visit("set", r.set);
  visit("virtual_time_s", r.virtual_time_s);
  visit("images", r.images);
  visit_figures("", r, visit);
  visit("recall", r.recall);
}

template <class Record, class Visit>
void visit_settings(Record& r, const Visit& visit) {
  visit("data", r.data);
  visit("pixel_mean", r.pixel_mean);
  visit("pixel_std", r.pixel_std);
  visit("partition", r.partition);
  visit("clients", r.clients);
  visit("sampler", r.sampler);
  visit("batch", r.batch);
  visit("model", r.model);
  visit("cut", r.cut);
  visit("mode", r.mode);
  visit("epochs", r.epochs);
  visit("client_optimizer", r.client_optimizer);
  visit("client_lr", r.client_lr);
  visit("client_lr_last", r.client_lr_last);
  visit("server_optimizer", r.server_optimizer);
  visit("server_lr", r.server_lr);
  visit("server_lr_last", r.server_lr_last);
}

template <class Record, class Visit>
void visit_best(Record& r, const Visit& visit) {
  visit("epoch", ordinal(r.epoch));
  visit_figures("test_", r.test, visit);
  visit_figures("validation_", r.validation, visit);
}

template <class Record, class Visit>
void visit_program(Record& r, const Visit& visit) {
  visit("version", r.version);
  visit("git", r.git);
  visit("device", r.device);
  visit("backend", r.backend);
}

template <class Record, class Visit>
void visit_summary(Record& r, const Visit& visit) {
  visit("status", r.status);
  visit("seed", r.seed);
  visit("config_sha256", r.config_sha256);
  visit("partition_sha256", r.partition_sha256);
  visit("schedule_sha256", r.schedule_sha256);
  visit("timeline_sha256", r.timeline_sha256);
  visit("model_sha256", r.model_sha256);
  visit("model_average_sha256", r.model_average_sha256);
  visit("inputs", r.inputs);
  visit("epochs", r.epochs);
  visit("steps_per_epoch", r.steps_per_epoch);
  visit("batch_deviation_mean", r.batch_deviation_mean);
  visit("batch_drift_mean", r.batch_drift_mean);
  visit("virtual_time_s", r.virtual_time_s);
  visit("wall_time_s", r.wall_time_s);
  visit("train_samples_per_s", r.train_samples_per_s);
  visit_figures("test_", r.test, visit);
  visit("test_recall", r.test_recall);
  visit_disparity(r.disparity, visit);
  visit_figures("validation_", r.validation, visit);
  visit("waiting_share_mean", r.waiting_share_mean);
  visit("waiting_share_max", r.waiting_share_max);
  visit("trained_together", r.trained_together);
  visit("peak_memory_bytes", r.peak_memory_bytes);
  visit("bytes_up", r.bytes_up);
  visit("bytes_down", r.bytes_down);
  visit("model_bytes_up", r.model_bytes_up);
  visit("model_bytes_down", r.model_bytes_down);
}

template <class Record, class Visit>
void visit_participation(Record& r, const Visit& visit) {
  visit("steps_min", r.participation_min);
  visit("steps_mean", r.participation_mean);
  visit("steps_max", r.participation_max);
}

template <class Record, class Visit>
void visit_target(Record& r, const Visit& visit) {
  visit("accuracy", r.accuracy);
  visit("virtual_time_s", r.virtual_time_s);
}

}  // namespace

std::string to_json_line(const EpochRecord& epoch) {
  Json json;
  visit_epoch(epoch, Writer{json});
  json["step_evaluations"] = Json::array();
  for (const StepEvaluation& evaluation : epoch.step_evaluations) {
    Json entry;
    visit_evaluation(evaluation, Writer{entry});
    json["step_evaluations"].push_back(entry);
  }
  return json.dump() + "\n";
}

std::string to_json_line(const TestRecord& test) {
  Json json;
  visit_test(test, Writer{json});
  json["confusion"] = Json::array();
  const std::size_t classes = test.recall.size();
  for (std::size_t label = 0; label < classes; ++label) {
    const auto row = test.confusion.begin() + static_cast<std::ptrdiff_t>(label * classes);
    json["confusion"].push_back(std::vector<std::int64_t>(row, row + static_cast<std::ptrdiff_t>(classes)));
  }
  return json.dump() + "\n";
}

std::string to_json(const Summary& summary) {
  Json json, program, participation, settings;
  visit_program(summary, Writer{program});
  json["splitsim"] = program;
  visit_settings(summary.settings, Writer{settings});
  json["settings"] = settings;
  visit_summary(summary, Writer{json});
  if (summary.best.has_value()) {
    Json best;
    visit_best(*summary.best, Writer{best});
    json["best"] = best;
  } else {
    json["best"] = nullptr;
  }
  visit_participation(summary, Writer{participation});
  json["participation"] = participation;
  json["time_to_accuracy"] = Json::array();
  for (const TimeToAccuracy& target : summary.time_to_accuracy) {
    Json entry;
    visit_target(target, Writer{entry});
    json["time_to_accuracy"].push_back(entry);
  }
  return json.dump(2) + "\n";
}

std::vector<EpochRecord> read_epochs(const std::string& path) {
  const std::string text = read_text_file(path);
  std::vector<EpochRecord> epochs;
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', at)) {
    const std::string where = fmt::format("'{}' line {}", path, epochs.size() + 1);
    const Json json = parse(text.substr(at, end - at), where);
    EpochRecord& epoch = epochs.emplace_back();
    visit_epoch(epoch, Reader{json, where});
    if (!json.contains("step_evaluations")) throw InputError(fmt::format("{}: 'step_evaluations' is missing", where));
    for (const Json& entry : json["step_evaluations"]) {
      visit_evaluation(epoch.step_evaluations.emplace_back(), Reader{entry, where});
    }
    at = end + 1;
  }
  return epochs;
}

std::vector<TestRecord> read_tests(const std::string& path) {
  const std::string text = read_text_file(path);
  std::vector<TestRecord> tests;
  std::size_t at = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; end = text.find('\n', at)) {
    const std::string where = fmt::format("'{}' line {}", path, tests.size() + 1);
    const Json json = parse(text.substr(at, end - at), where);
    TestRecord& test = tests.emplace_back();
    visit_test(test, Reader{json, where});
    std::vector<double> row;
    if (!json.contains("confusion") || !json["confusion"].is_array()) {
      throw InputError(fmt::format("{}: 'confusion' is no matrix", where));
    }
    for (const Json& counts : json["confusion"]) {
      Reader{json, where}.read("confusion", counts, row);
      for (const double count : row) test.confusion.push_back(static_cast<std::int64_t>(count));
    }
    at = end + 1;
  }
  return tests;
}

Summary read_summary(const std::string& path) {
  const std::string where = fmt::format("'{}'", path);
  const Json json = parse(read_text_file(path), where);
  for (const char* key : {"splitsim", "settings", "best", "participation", "time_to_accuracy"}) {
    if (!json.contains(key)) throw InputError(fmt::format("{}: '{}' is missing", where, key));
  }
  Summary summary;
  visit_program(summary, Reader{json["splitsim"], where});
  visit_settings(summary.settings, Reader{json["settings"], where});
  if (!json["best"].is_null()) visit_best(summary.best.emplace(), Reader{json["best"], where});
  visit_summary(summary, Reader{json, where});
  visit_participation(summary, Reader{json["participation"], where});
  for (const Json& entry : json["time_to_accuracy"]) {
    visit_target(summary.time_to_accuracy.emplace_back(), Reader{entry, where});
  }
  return summary;
}

}  // namespace splitsim

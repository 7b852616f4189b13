#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <type_traits>

#include "kernels/device/error.hpp"
#include "runtime/record/records.hpp"
#include "samplers/files.hpp"

namespace splitsim {
namespace {

using Json = nlohmann::ordered_json;

// One list of fields per record, visited by the writer and by the reader.

template <class Record, class Visit>
void visit_epoch(Record& r, const Visit& visit) {
  visit("epoch", r.epoch);
  visit("steps", r.steps);
  visit("train_loss", r.train_loss);
  visit("train_accuracy", r.train_accuracy);
  visit("test_loss", r.test_loss);
  visit("test_accuracy", r.test_accuracy);
  visit("test_macro_accuracy", r.test_macro_accuracy);
  visit("test_macro_f1", r.test_macro_f1);
  visit("batch_deviation_mean", r.batch_deviation_mean);
  visit("virtual_time_s", r.virtual_time_s);
  visit("wall_time_s", r.wall_time_s);
  visit("schedule_wall_s", r.schedule_wall_s);
  visit("samples", r.samples);
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
  visit("inputs", r.inputs);
  visit("epochs", r.epochs);
  visit("steps_per_epoch", r.steps_per_epoch);
  visit("batch_deviation_mean", r.batch_deviation_mean);
  visit("virtual_time_s", r.virtual_time_s);
  visit("wall_time_s", r.wall_time_s);
  visit("train_samples_per_s", r.train_samples_per_s);
  visit("test_accuracy", r.test_accuracy);
  visit("test_macro_f1", r.test_macro_f1);
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

template <class T>
Json json_of(const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  } else {
    return value;
  }
}
template <class T>
Json json_of(const std::optional<T>& value) {
  return value.has_value() ? json_of(*value) : Json(nullptr);
}

struct Writer {
  Json& object;
  template <class T>
  void operator()(const char* key, const T& value) const {
    object[key] = json_of(value);
  }
};

/// Reads the fields that are there and of the right kind; anything else is an error naming `where`.
struct Reader {
  const Json& object;
  const std::string& where;

  template <class T>
  void operator()(const char* key, T& value) const {
    if (!object.is_object() || !object.contains(key)) throw InputError(fmt::format("{}: '{}' is missing", where, key));
    read(key, object[key], value);
  }

 private:
  [[noreturn]] void fail(const char* key, const Json& json, const char* allowed) const {
    throw InputError(fmt::format("{}: '{}' = {}; allowed: {}", where, key, json.dump(), allowed));
  }
  void read(const char* key, const Json& json, std::string& value) const {
    if (!json.is_string()) fail(key, json, "a text");
    value = json.get<std::string>();
  }
  void read(const char* key, const Json& json, std::map<std::string, std::string>& values) const {
    if (!json.is_object()) fail(key, json, "an object");
    values.clear();
    for (const auto& [name, value] : json.items()) read(name.c_str(), value, values[name]);
  }
  void read(const char* key, const Json& json, double& value) const {
    if (!json.is_number() && !json.is_null()) fail(key, json, "a number or null");
    value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
  }
  void read(const char* key, const Json& json, std::optional<double>& value) const {
    value.reset();
    if (!json.is_null()) read(key, json, value.emplace());
  }
  template <class T>
  void read(const char* key, const Json& json, T& value) const {
    static_assert(std::is_integral_v<T>);
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    const bool small = json.is_number_unsigned() && json.get<std::uint64_t>() <= kMax;
    const bool negative = json.is_number_integer() && !json.is_number_unsigned() && std::is_signed_v<T> &&
                          json.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
    if (!small && !negative) fail(key, json, "a whole number");
    value = json.get<T>();
  }
};

Json parse(const std::string& text, const std::string& where) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw InputError(fmt::format("{}: not a JSON object", where));
  return json;
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

std::string to_json(const Summary& summary) {
  Json json, program, participation;
  visit_program(summary, Writer{program});
  json["splitsim"] = program;
  visit_summary(summary, Writer{json});
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

Summary read_summary(const std::string& path) {
  const std::string where = fmt::format("'{}'", path);
  const Json json = parse(read_text_file(path), where);
  for (const char* key : {"splitsim", "participation", "time_to_accuracy"}) {
    if (!json.contains(key)) throw InputError(fmt::format("{}: '{}' is missing", where, key));
  }
  Summary summary;
  visit_program(summary, Reader{json["splitsim"], where});
  visit_summary(summary, Reader{json, where});
  visit_participation(summary, Reader{json["participation"], where});
  for (const Json& entry : json["time_to_accuracy"]) {
    visit_target(summary.time_to_accuracy.emplace_back(), Reader{entry, where});
  }
  return summary;
}

}  // namespace splitsim

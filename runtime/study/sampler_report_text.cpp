#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "runtime/study/sampler_report.hpp"

namespace splitsim {

namespace {

using Json = nlohmann::ordered_json;

// The columns, once for both formats.
Json row_of(const SamplerReport& r) {
  const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(nullptr); };
  return {{"sampler", r.name},
          {"epochs", r.epochs},
          {"steps_per_epoch", r.steps_per_epoch},
          {"batch_deviation_mean", r.deviation.mean},
          {"batch_deviation_p95", r.deviation.p95},
          {"batch_deviation_max", r.deviation.max},
          {"batch_deviation_tv_mean", r.deviation.mean / 2.0},
          {"batch_deviation_tv_p95", r.deviation.p95 / 2.0},
          {"batch_deviation_tv_max", r.deviation.max / 2.0},
          {"batch_drift_mean", r.drift_mean},
          {"class_deviation_mean", r.class_deviation.mean},
          {"class_deviation_p95", r.class_deviation.p95},
          {"class_deviation_max", r.class_deviation.max},
          {"serfling_bound_95", r.serfling_bound},
          {"active_clients_mean", r.active_mean},
          {"active_clients_min", r.active_min},
          {"active_clients_max", r.active_max},
          {"virtual_time_s", r.virtual_time_s},
          {"step_time_s_mean", r.step_s.mean},
          {"step_time_s_p95", r.step_s.p95},
          {"step_time_s_max", r.step_s.max},
          {"waiting_share_mean", optional(r.waiting_mean)},
          {"waiting_share_max", optional(r.waiting_max)},
          {"setup_wall_s", r.setup_s},
          {"construction_wall_s", r.construction_s},
          {"schedule_samples_per_s", r.samples_per_s},
          {"memory_bytes", r.memory_bytes},
          {"schedule_sha256", r.schedule_sha256},
          {"timeline_sha256", r.timeline_sha256}};
}

// Names may hold commas and quotes (options of a sampler).
std::string csv_cell(const Json& value) {
  if (value.is_null()) return "";
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string cell = "\"";
  for (const char c : text) cell += c == '"' ? "\"\"" : std::string(1, c);
  return cell + '"';
}

}  // namespace

std::string to_csv(const std::vector<SamplerReport>& reports) {
  std::string names, rows;
  const Json columns = row_of(SamplerReport{});
  for (const auto& [name, value] : columns.items()) {
    if (!names.empty()) names += ',';
    names += name;
  }
  for (const SamplerReport& report : reports) {
    std::string row;
    const Json cells = row_of(report);
    for (const auto& [name, value] : cells.items()) {
      if (!row.empty()) row += ',';
      row += csv_cell(value);
    }
    rows += row + '\n';
  }
  return names + '\n' + rows;
}

std::string to_json(const std::vector<SamplerReport>& reports) {
  Json rows = Json::array();
  for (const SamplerReport& report : reports) rows.push_back(row_of(report));
  return rows.dump(2) + '\n';
}

std::string to_table(const std::vector<SamplerReport>& reports) {
  std::size_t width = 7;
  for (const SamplerReport& report : reports) width = std::max(width, report.name.size());
  const auto percent = [](const std::optional<double>& share) {
    return share ? fmt::format("{:.1f}%", 100.0 * *share) : std::string("-");
  };
  // Two tables: one alone would be twice as wide as a terminal.
  std::string text =
      fmt::format("{:<{}} {:>6} |{:^20}|{:^13}|{:^20}\n", "", width, "", "L1 deviation", "max class", "active clients");
  text += fmt::format("{:<{}} {:>6} |{:>6} {:>6} {:>6}|{:>6} {:>6}|{:>7} {:>6} {:>5}\n", "sampler", width, "steps",
                      "mean", "p95", "max", "mean", "p95", "mean", "min", "max");
  for (const SamplerReport& r : reports) {
    text += fmt::format("{:<{}} {:>6.6g} |{:>6.4f} {:>6.4f} {:>6.4f}|{:>6.4f} {:>6.4f}|{:>7.1f} {:>6} {:>5}\n", r.name,
                        width, r.steps_per_epoch, r.deviation.mean, r.deviation.p95, r.deviation.max,
                        r.class_deviation.mean, r.class_deviation.p95, r.active_mean, r.active_min, r.active_max);
  }
  text += fmt::format("\n{:<{}} |{:^24}|{:^13}|{:^18}|{:^8}\n", "", width, "virtual time", "waiting share", "schedule",
                      "memory");
  text += fmt::format("{:<{}} |{:>9} {:>7} {:>6}|{:>6} {:>6}|{:>8} {:>9}|{:>8}\n", "sampler", width, "total s",
                      "step ms", "p95", "mean", "max", "ms", "samples/s", "MiB");
  for (const SamplerReport& r : reports) {
    text += fmt::format("{:<{}} |{:>9.6g} {:>7.4g} {:>6.4g}|{:>6} {:>6}|{:>8.4g} {:>9.3g}|{:>8.1f}\n", r.name, width,
                        r.virtual_time_s, r.step_s.mean * 1e3, r.step_s.p95 * 1e3, percent(r.waiting_mean),
                        percent(r.waiting_max), r.construction_s * 1e3, r.samples_per_s,
                        static_cast<double>(r.memory_bytes) / (1024.0 * 1024.0));
  }
  return text;
}

}  // namespace splitsim

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "base/files.hpp"
#include "runtime/sweep/sweep.hpp"

namespace splitsim {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

void write_if_new(const std::string& path, const std::string& text) {
  std::error_code ignored;
  if (fs::exists(path, ignored) && read_text_file(path) == text) return;
  write_file_atomically(path, text);
}

Json axes_of(const Sweep& sweep) {
  Json axes = Json::array();
  for (const AxisLabels& axis : sweep.axes) {
    axes.push_back({{"name", axis.name}, {"keys", axis.keys}, {"values", axis.values}, {"seed", axis.seed}});
  }
  return axes;
}

}  // namespace

std::string SweepFiles::path(const std::string& name) const { return (fs::path(dir) / name).string(); }
std::string SweepFiles::run(const SweepRun& run) const { return path("runs/" + run.name); }
std::string SweepFiles::config(const SweepRun& run) const { return path("configs/" + run.name + ".toml"); }
std::string SweepFiles::log(const SweepRun& run) const { return path("logs/" + run.name + ".log"); }
std::string SweepFiles::failure(const SweepRun& run) const { return path("failures/" + run.name); }

bool is_sweep_directory(const std::string& dir) {
  std::error_code ignored;
  return fs::is_regular_file(fs::path(dir) / "sweep.json", ignored);
}

std::string axes_json(const Sweep& sweep) { return axes_of(sweep).dump(2) + "\n"; }

void store_sweep(const Sweep& sweep, const SweepFiles& files) {
  for (const char* folder : {"runs", "configs", "logs", "failures"}) {
    std::error_code error;
    fs::create_directories(files.path(folder), error);
    if (error) throw InputError(fmt::format("cannot make folder '{}': {}", files.path(folder), error.message()));
  }
  Json json = {{"source", sweep.source}, {"slurm_args", sweep.slurm_args}, {"axes", axes_of(sweep)}};
  json["runs"] = Json::array();
  for (const SweepRun& run : sweep.runs) {
    write_if_new(files.config(run), to_toml(run.config));
    json["runs"].push_back({{"name", run.name}, {"labels", run.labels}});
  }
  write_if_new(files.path("axes.json"), axes_json(sweep));
  write_if_new(files.path("sweep.json"), json.dump(1) + "\n");  // the last: with it the folder is a sweep's
}

Sweep load_sweep(const SweepFiles& files) {
  const std::string path = files.path("sweep.json");
  Sweep sweep;
  try {
    const Json json = Json::parse(read_text_file(path));
    sweep.source = json.at("source");
    sweep.slurm_args = json.at("slurm_args").get<std::vector<std::string>>();
    for (const Json& axis : json.at("axes")) {
      sweep.axes.push_back({axis.at("name"), axis.at("keys").get<std::vector<std::string>>(),
                            axis.at("values").get<std::vector<std::string>>(), axis.at("seed")});
    }
    for (const Json& run : json.at("runs")) {
      SweepRun& added = sweep.runs.emplace_back();
      added.name = run.at("name");
      added.labels = run.at("labels").get<std::vector<std::string>>();
      if (added.labels.size() != sweep.axes.size())
        throw InputError(fmt::format("'{}': a run without its labels", path));
    }
  } catch (const Json::exception& error) {
    throw InputError(fmt::format("cannot read '{}': {}", path, error.what()));
  }
  for (SweepRun& run : sweep.runs) {
    run.config = load_config(files.config(run), {});
    run.config_sha256 = config_sha256(run.config);
  }
  return sweep;
}

}  // namespace splitsim

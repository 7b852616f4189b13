// splitsim-info: what this build is, what it can do and on which device.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "drivers/common.hpp"
#include "drivers/process_start.hpp"
#include "kernels/nn/layers/conv/cudnn.hpp"
#include "runtime/config/version.hpp"
#include "runtime/data/dataset.hpp"
#include "runtime/mode/mode.hpp"
#include "runtime/model/models.hpp"
#include "samplers/latency/distribution.hpp"
#include "samplers/population/partition.hpp"
#include "samplers/registry.hpp"

namespace splitsim {
namespace {

using Json = nlohmann::ordered_json;

Json cpu_backend() {
  const CpuContext ctx;
  return {{"name", "cpu"},
          {"available", true},
          {"device", ctx.device_name()},
          {"threads", ctx.threads()},
          {"memory_bytes", ctx.memory_bytes()}};
}

Json cuda_backend() {
  std::string why_not;
  if (!cuda_available(&why_not)) return {{"name", "cuda"}, {"available", false}, {"why_not", why_not}};
  const CudaContext ctx;
  std::string no_cudnn;
  const std::string cudnn = cudnn_version(&no_cudnn);
  Json backend = {
      {"name", "cuda"}, {"available", true}, {"device", ctx.device_name()}, {"memory_bytes", ctx.memory_bytes()}};
  if (!cudnn.empty()) {
    backend["cudnn"] = cudnn;
  } else {
    backend["no_cudnn"] = no_cudnn + ": convolutions of one replica take our own kernels";
  }
  return backend;
}

template <class Infos>
Json names_of(const Infos& infos) {
  Json list = Json::array();
  for (const auto& info : infos) list.push_back({{"name", info.name}, {"summary", info.summary}});
  return list;
}

Json everything() {
  const BuildInfo build = build_info();
  Json libraries = Json::object();
  for (const Library& library : build.libraries) libraries[library.name] = library.version;
  libraries["CLI11"] = CLI11_VERSION;
  Json distributions = names_of(distribution_infos());
  for (std::size_t i = 0; i < distributions.size(); ++i) {
    distributions[i]["parameters"] = distribution_infos()[i].parameters;
  }
  return {{"splitsim",
           {{"version", version()},
            {"git", git_commit()},
            {"build_type", build.type},
            {"compiler", build.compiler},
            {"cuda_compiler", build.cuda_compiler},
            {"architecture", build.architecture}}},
          {"backends", {cpu_backend(), cuda_backend()}},
          {"libraries", libraries},
          {"data_sets", names_of(dataset_infos())},
          {"partitions", names_of(partition_kinds())},
          {"samplers", names_of(sampler_infos())},
          {"models", names_of(model_infos())},
          {"modes", names_of(mode_infos())},
          {"distributions", distributions}};
}

void print_text(const Json& info) {
  const auto text = [](const Json& value) { return value.get<std::string>(); };
  const Json& build = info["splitsim"];
  say("splitsim {}, commit {}\n", text(build["version"]), text(build["git"]));
  say("built as {} for {} by {}, CUDA compiler: {}\n", text(build["build_type"]), text(build["architecture"]),
             text(build["compiler"]), build["cuda_compiler"] == "" ? "none" : text(build["cuda_compiler"]));
  say("\nbackends (--device)\n");
  for (const Json& backend : info["backends"]) {
    const std::string name = text(backend["name"]);
    if (!backend["available"]) {
      say("  {:<20} not available: {}\n", name, text(backend["why_not"]));
      continue;
    }
    const std::string threads =
        backend.contains("threads") ? fmt::format(", {} threads", backend["threads"].get<int>()) : "";
    say("  {:<20} {}{}, {} free\n", name, text(backend["device"]), threads,
               human_bytes(backend["memory_bytes"].get<std::uint64_t>()));
  }
  say("\nlibraries\n");
  for (const auto& [name, version] : info["libraries"].items()) say("  {:<20} {}\n", name, text(version));
  const std::pair<const char*, const char*> lists[] = {
      {"data_sets", "data sets (data.name)"},  {"partitions", "partitions (partition.kind)"},
      {"samplers", "samplers (sampler.kind)"}, {"models", "models (model.name)"},
      {"modes", "modes (train.mode)"},         {"distributions", "distributions (clock.*.kind)"}};
  for (const auto& [list, title] : lists) {
    say("\n{}\n", title);
    for (const Json& entry : info[list]) {
      std::string parameters;
      for (const Json& name : entry.value("parameters", Json::array())) {
        parameters += (parameters.empty() ? "(" : ", ") + text(name);
      }
      if (!parameters.empty()) parameters += "): ";
      say("  {:<20} {}{}\n", text(entry["name"]), parameters, text(entry["summary"]));
    }
  }
}

int run(int argc, char** argv) {
  CLI::App app("What this build of splitsim is, what it can do and on which devices.", "splitsim-info");
  bool json = false;
  app.add_flag("--json", json, "print JSON instead of text");
  if (!parse_arguments(app, argc, argv)) return 0;
  const Json info = everything();
  if (json) {
    say("{}\n", info.dump(2));
  } else {
    print_text(info);
  }
  return 0;
}

}  // namespace
}  // namespace splitsim

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  return splitsim::run_driver("splitsim-info", [&] { return splitsim::run(argc, argv); });
}

// splitsim-bench: the performance figures of this project as a table and as JSON.
#include "profiling/bench.hpp"

#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "drivers/common.hpp"
#include "drivers/process_start.hpp"
#include "kernels/device/context.hpp"
#include "profiling/kernel_times.hpp"
#include "profiling/tune.hpp"
#include "runtime/config/version.hpp"

namespace splitsim::bench {

namespace {

void print(const std::vector<Figure>& figures) {
  say("{:<72} {:>9}  {:<12} {}\n", "figure", "value", "bound", "detail");
  for (const Figure& f : figures) {
    std::string bound = "-";
    if (f.bound.has_value()) {
      const bool kept = f.at_least ? f.value >= *f.bound : f.value <= *f.bound;
      bound = fmt::format("{} {:g}{}", f.at_least ? ">=" : "<=", *f.bound, kept ? "" : " !");
    }
    say("{:<72} {:>9.4g}  {:<12} {}\n", f.name, f.value, bound, f.detail);
  }
}

nlohmann::ordered_json to_json(const std::vector<Figure>& figures, const std::string& device, const char* backend,
                               int threads) {
  nlohmann::ordered_json json = {{"version", version()}, {"git", git_commit()},
                                 {"device", device},     {"backend", backend},
                                 {"threads", threads},   {"figures", nlohmann::ordered_json::array()}};
  for (const Figure& f : figures) {
    nlohmann::ordered_json entry = {{"name", f.name}, {"value", f.value}, {"unit", f.unit}, {"detail", f.detail}};
    if (f.bound.has_value()) {
      entry["bound"] = *f.bound;
      entry["kept"] = f.at_least ? f.value >= *f.bound : f.value <= *f.bound;
    }
    json["figures"].push_back(entry);
  }
  return json;
}

template <class Context>
void measure(Context& ctx, const Options& options, const std::string& json_file) {
  say("splitsim-bench {} ({}), {} backend on {}, {} threads{}\n", version(), git_commit(), Context::kName,
      ctx.device_name(), ctx.threads(), options.quick ? ", quick: a smoke test, not a measurement" : "");
  std::vector<Figure> figures = training_figures(ctx, options);
  for (const Figure& figure : sampler_figures(ctx, options)) figures.push_back(figure);
  print(figures);
  if (json_file.empty()) return;
  std::ofstream out(json_file);
  out << to_json(figures, ctx.device_name(), Context::kName, ctx.threads()).dump(2) << "\n";
  if (!out) throw InputError("--json " + json_file + ": cannot write this file");
}

int run(int argc, char** argv) {
  CLI::App app("Measures splitsim's performance figures: ratios of two things timed in turns within one run.",
               "splitsim-bench");
  Options options;
  std::string device = "cpu", json_file, tune_file, config_file;
  bool times_kernels = false;
  app.add_flag("--quick", options.quick, "fewer rounds and a smaller sampler: checks that the benchmark works");
  app.add_option("--device", device, "backend")
      ->check(CLI::IsMember({"cpu", "cuda"}))
      ->type_name("cpu|cuda")
      ->capture_default_str();
  app.add_option("--threads", options.threads, "CPU threads; 0: all")->capture_default_str();
  app.add_option("--json", json_file, "also write the figures to this file");
  app.add_option("--pytorch", options.python, "Python interpreter with PyTorch: adds the comparisons with it (CPU)");
  app.add_option("--tune", tune_file, "instead: time the convolutions of --config on the GPU, for train.conv_table")
      ->type_name("TABLE.json");
  app.add_flag("--kernel-times", times_kernels, "instead: train --config on the GPU and list what ran on it, by CUPTI");
  app.add_option("--config", config_file, "of --tune and --kernel-times: the experiment; default: splitsim-run's");
  if (!parse_arguments(app, argc, argv)) return 0;
  if ((!tune_file.empty() || times_kernels) && device != "cuda") {
    throw InputError("--tune, --kernel-times: a GPU's (--device cuda)");
  }
  if (device == "cuda") {
#if SPLITSIM_WITH_CUDA
    CudaContext ctx;
    if (!tune_file.empty() || times_kernels) {
      const Config config = config_file.empty() ? parse_config("", "", {}) : load_config(config_file, {});
      if (!tune_file.empty()) tune(ctx, config, tune_file, options.quick);
      if (times_kernels) kernel_times(ctx, config);
      return 0;
    }
    measure(ctx, options, json_file);
#else
    CudaContext refuses;  // throws NoDevice: this build has no CUDA backend
#endif
  } else {
    CpuContext ctx(options.threads);
    measure(ctx, options, json_file);
  }
  return 0;
}

}  // namespace

}  // namespace splitsim::bench

int main(int argc, char** argv) {
  splitsim::start_process(argv);
  return splitsim::run_driver("splitsim-bench", [&] { return splitsim::bench::run(argc, argv); });
}

// Step times: flat in the number of clients, grouped against tied replicas, fls against ugs, and PyTorch beside them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "kernels/device/context.hpp"
#include "profiling/bench.hpp"
#include "runtime/plan/epoch_plan.hpp"
#include "runtime/train/engine.hpp"

namespace splitsim::bench {

namespace {

struct Case {
  std::string model = "lenet";
  NormKind norm = NormKind::kGroup;
  FeatureShape input{1, 28, 28};
  std::string mode = "psl";
  std::string sampler = "ugs";
  std::string partition = "iid";
  std::int32_t clients = 128;
  std::int64_t samples = 12800;
  std::int64_t batch = 128;
};

/// A training set-up on random images: evaluation off, schedule and timeline apart from the steps.
template <class Context>
class Training {
 public:
  Training(Context& ctx, const Case& what)
      : ctx_(ctx),
        scene_(make_scene(config_of(what), {.dataset = random_data(what)})),
        population_(ctx_, scene_.population),
        planner_(ctx, scene_.population, population_, scene_.config, scene_.timing.profile, scene_.timing),
        images_(ctx, scene_.dataset.train_features, scene_.dataset.train_labels),
        engine_(ctx, scene_.network, {engine_settings()}) {
    planner_.start();
    const GatherShape gather{what.input.channels, what.input.height, what.input.width};
    const GatherSource source{images_.images.data(), {0.5f, 0.5f, 0.5f}, {4.f, 4.f, 4.f}, 1};
    engine_.start(gather, {{&images_, source, planner_.schedule()}});
    new_epoch();
  }

  /// Seconds per step over `count` steps; starts a new epoch (not timed) when one ends.
  double steps(std::int64_t count) {
    double total = 0.0;
    for (std::int64_t done = 0; done < count;) {
      const std::int64_t now = std::min(count - done, steps_ - next_);
      total += seconds([&] {
        for (std::int64_t t = 0; t < now; ++t) engine_.enqueue_step();
        ctx_.synchronize();
      });
      done += now;
      next_ += now;
      if (next_ == steps_) new_epoch();
    }
    return total / static_cast<double>(count);
  }
  /// Seconds per sample over a whole epoch of steps.
  double epoch_per_sample() {
    new_epoch();
    return steps(steps_) * static_cast<double>(steps_) / static_cast<double>(scene_.population.samples());
  }
  /// Seconds for the plan of an epoch: schedule, deviation, timeline, and their copies on the host.
  double schedule_seconds() {
    return seconds([&] { planner_.plan(epoch_++); });
  }
  std::int64_t steps_per_epoch() const { return steps_; }

 private:
  static Config config_of(const Case& what) {
    Config config;
    config.partition.kind = what.partition;
    config.partition.clients = what.clients;
    config.sampler.kind = what.sampler;
    config.sampler.batch = what.batch;
    config.model.name = what.model;
    config.model.cut = what.model.starts_with("resnet") ? "layer1" : "pool1";
    config.model.client_norm = config.model.server_norm = what.norm;
    config.train.mode = what.mode;
    config.train.epochs = 1;
    config.train.client_optimizer.schedule = config.train.server_optimizer.schedule = RateSchedule::kConstant;
    config.train.client_optimizer.lr = config.train.server_optimizer.lr = 1e-3;
    return config;
  }
  static Dataset random_data(const Case& what) {
    Dataset data;
    data.name = "random";
    data.channels = what.input.channels;
    data.height = what.input.height;
    data.width = what.input.width;
    data.classes = 10;
    data.train_features.resize(static_cast<std::size_t>(what.samples * what.input.size()));
    for (std::size_t i = 0; i < data.train_features.size(); ++i) {
      data.train_features[i] = static_cast<std::uint8_t>((i * 2654435761u) >> 13);
    }
    for (std::int64_t i = 0; i < what.samples; ++i) data.train_labels.push_back(static_cast<std::int32_t>(i % 10));
    return data;
  }
  EngineSettings engine_settings() const {
    EngineSettings settings;
    settings.train = scene_.config.train;
    settings.clients = scene_.population.clients;
    settings.bounds = planner_.bounds();
    settings.steps_per_epoch = settings.bounds.steps;
    return settings;
  }
  void new_epoch() {
    steps_ = planner_.plan(epoch_++).schedule.steps();
    engine_.begin_epoch(0, steps_);
    ctx_.synchronize();
    next_ = 0;
  }

  Context& ctx_;
  Scene scene_;
  DevicePopulation<Context> population_;
  EpochPlanner<Context> planner_;
  DeviceImages<Context> images_;
  Engine<Context> engine_;
  std::uint32_t epoch_ = 0;
  std::int64_t steps_ = 0;  // of this epoch
  std::int64_t next_ = 0;   // the first one that has not run
};

template <class Context>
Comparison compare_steps(Context& ctx, const Options& options, const Case& first, const Case& second) {
  Training<Context> a(ctx, first), b(ctx, second);
  const std::int64_t steps = options.quick ? 3 : 20;
  return compare(
      options.quick ? 2 : 15, [&] { return a.steps(steps); }, [&] { return b.steps(steps); });
}

std::string milliseconds(const Comparison& c, const char* first, const char* second) {
  return fmt::format("{} {:.3f} ms, {} {:.3f} ms per step", first, c.first * 1e3, second, c.second * 1e3);
}

struct TorchTimes {
  double step = 0.0;  ///< seconds
  std::string version;
};
/// Runs profiling/pytorch_reference.py for one of its two loops.
TorchTimes pytorch(const Options& options, const std::string& arguments) {
  namespace fs = std::filesystem;
  fs::path script = fs::path(SPLITSIM_SOURCE_DIR) / "profiling/pytorch_reference.py";
  std::error_code error;
  if (!fs::exists(script, error)) {  // installed
    script = fs::read_symlink("/proc/self/exe", error).parent_path() / "../share/splitsim/pytorch_reference.py";
  }
  const std::string command = fmt::format("{} '{}' {}", options.python, script.string(), arguments);
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  std::array<char, 4096> chunk;
  while (pipe != nullptr && fgets(chunk.data(), chunk.size(), pipe.get()) != nullptr) text += chunk.data();
  const nlohmann::json result = nlohmann::json::parse(text, nullptr, false);
  if (result.is_discarded()) throw InputError("--pytorch " + options.python + ": could not run '" + command + "'");
  return {result.at("median_step_s").get<double>(), result.at("torch").get<std::string>()};
}

/// A step against PyTorch's on the same batch, in turns: the centralised one, or its tied loop over 128 clients. PyTorch
/// takes the better one of its two layouts.
template <class Context>
Figure against_pytorch(Context& ctx, const Options& options, Case what, bool loop) {
  say_timing(fmt::format("PyTorch and splitsim ({}{})", what.model, loop ? ", a loop over clients" : ""));
  const bool large = what.model.starts_with("resnet");
  if (!loop) what.mode = "central";
  const std::string model = what.model + (large && what.norm == NormKind::kBatch ? "_batch" : "");
  const std::string arguments = fmt::format(
      "--model {} --channels {} --size {} --batch 128 --threads {} --batches {} {}", model, what.input.channels,
      what.input.height, ctx.threads(), large ? 1 : 8, loop ? "--loop tied --clients 128" : "--loop central");
  Training<Context> ours(ctx, what);
  std::vector<double> steps, torch_steps[2];
  const char* layouts[] = {"nchw", "channels_last"};
  std::string version;
  for (int round = 0; round < (options.quick ? 1 : 3); ++round) {
    steps.push_back(ours.steps(options.quick || large ? 3 : 40));
    for (int layout = 0; layout < 2; ++layout) {
      const TorchTimes torch = pytorch(options, arguments + " --layout " + layouts[layout]);
      torch_steps[layout].push_back(torch.step);
      version = torch.version;
    }
  }
  const double a = median(steps), nchw = median(torch_steps[0]), last = median(torch_steps[1]),
               b = std::min(nchw, last);
  const std::string detail = fmt::format(
      "splitsim {:.3f} ms, PyTorch {} {:.3f} ms ({}; {} {:.3f}) per step, {} threads", a * 1e3, version, b * 1e3,
      layouts[nchw <= last ? 0 : 1], layouts[nchw <= last ? 1 : 0], std::max(nchw, last) * 1e3, ctx.threads());
  if (loop) return {"PyTorch's tied loop over 128 clients over psl (" + model + ")", b / a, 5.0, true, "ratio", detail};
  return {fmt::format("central step over PyTorch's ({}, {}x{})", model, what.input.height, what.input.width),
          a / b,
          large ? 1.2 : 0.8,
          false,
          "ratio",
          detail};
}

}  // namespace

template <class Context>
std::vector<Figure> training_figures(Context& ctx, const Options& options) {
  std::vector<Figure> figures;
  {
    say_timing("psl steps, K = 1024 and K = 1");
    Case many, one;
    many.clients = 1024;
    one.clients = 1;
    const Comparison c = compare_steps(ctx, options, many, one);
    figures.push_back(
        {"psl step, K = 1024 over K = 1 (lenet)", c.ratio, 1.05, false, "ratio", milliseconds(c, "K = 1024", "K = 1")});
  }
  for (const char* model : {"lenet", "cnn"}) {
    say_timing(fmt::format("psl_local and psl steps ({})", model));
    Case local, tied;
    local.model = tied.model = model;
    local.clients = tied.clients = 256;
    local.mode = "psl_local";
    const Comparison c = compare_steps(ctx, options, local, tied);
    figures.push_back({fmt::format("psl_local over psl, K = 256, cut pool1 ({})", model), c.ratio,
                       Context::kIsDevice ? 1.5 : 1.25, false, "ratio", milliseconds(c, "psl_local", "psl")});
  }
  if constexpr (Context::kIsDevice) {  // on a CPU these steps take seconds
    say_timing("psl_local and psl steps (resnet18)");
    Case local, tied;
    local.model = tied.model = "resnet18";
    local.input = tied.input = {3, 32, 32};
    local.clients = tied.clients = 256;
    local.samples = tied.samples = 5120;
    local.mode = "psl_local";
    const Comparison c = compare_steps(ctx, options, local, tied);
    figures.push_back({"psl_local over psl, K = 256, cut layer1 (resnet18)", c.ratio, std::nullopt, false, "ratio",
                       milliseconds(c, "psl_local", "psl")});
  }
  {
    say_timing("fls and ugs epochs");
    Case fls, ugs;
    fls.partition = ugs.partition = "extended_dirichlet";
    fls.samples = ugs.samples = options.quick ? 2560 : 12800;
    fls.sampler = "fls";
    Training<Context> a(ctx, fls), b(ctx, ugs);
    const Comparison c = compare(
        options.quick ? 1 : 7, [&] { return a.epoch_per_sample(); }, [&] { return b.epoch_per_sample(); });
    figures.push_back({"fls over ugs, epoch per sample (lenet, severe, K = 128)", c.ratio,
                       Context::kIsDevice ? std::nullopt : std::optional(1.2), false, "ratio",
                       fmt::format("fls {:.2f} us in {} steps, ugs {:.2f} us in {} steps", c.first * 1e6,
                                   a.steps_per_epoch(), c.second * 1e6, b.steps_per_epoch())});
  }
  {
    say_timing("schedules and timelines");
    Case quickstart;
    quickstart.samples = 20000;
    quickstart.partition = "extended_dirichlet";
    Training<Context> training(ctx, quickstart);
    const Comparison c = compare(
        options.quick ? 2 : 7, [&] { return training.schedule_seconds(); },
        [&] { return training.epoch_per_sample() * 20000; });
    figures.push_back({"schedule + timeline share of an epoch (ugs, quickstart)", c.first / (c.first + c.second), 0.01,
                       false, "share",
                       fmt::format("{:.2f} ms of {:.1f} ms", c.first * 1e3, (c.first + c.second) * 1e3)});
  }
  if (!options.python.empty() && !Context::kIsDevice) {
    Case lenet, cnn, resnet, resnet_batch;
    cnn.model = "cnn";
    resnet.model = resnet_batch.model = "resnet18";
    resnet_batch.norm = NormKind::kBatch;
    cnn.input = resnet.input = resnet_batch.input = {3, 32, 32};
    resnet.samples = resnet_batch.samples = 2560;
    figures.push_back(against_pytorch(ctx, options, lenet, false));
    figures.push_back(against_pytorch(ctx, options, lenet, true));
    figures.push_back(against_pytorch(ctx, options, cnn, false));
    figures.push_back(against_pytorch(ctx, options, resnet, false));
    figures.push_back(against_pytorch(ctx, options, resnet_batch, false));
  }
  return figures;
}

template std::vector<Figure> training_figures(CpuContext&, const Options&);
#if SPLITSIM_WITH_CUDA
template std::vector<Figure> training_figures(CudaContext&, const Options&);
#endif

}  // namespace splitsim::bench

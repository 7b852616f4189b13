// A small training set-up for engine tests: images and labels given, a schedule given, nothing random but the initial
// weights.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include "kernels/device/context.hpp"
#include "runtime/model/layer_kind.hpp"
#include "runtime/model/models.hpp"
#include "runtime/train/engine.hpp"
#include "runtime/train/evaluator.hpp"
#include "samplers/schedule/schedule.hpp"
#include "samplers/schedule/turns.hpp"

namespace splitsim::test {

struct RigInput {
  std::string model = "lenet";
  std::string cut = "pool1";
  std::vector<LayerSpec> layers;  ///< model = layers
  std::string relu6_as;           ///< kind that stands in for every relu6 of the model; empty: none does
  FeatureShape input{1, 28, 28};
  std::int32_t classes = 10;
  std::int32_t clients = 1;
  std::vector<std::uint8_t> images;
  std::vector<float> values;  ///< in place of images
  std::vector<std::int32_t> labels;
  Schedule schedule;
  std::int64_t extra_slots = 0;  ///< capacity of a step beyond its largest batch: empty slots
  TrainSettings train;
  NetworkOptions options;
  std::int32_t width = 0;
  std::vector<std::int64_t> held;  ///< n_k; empty: all alike
  std::vector<std::int32_t> groups;  ///< [K]; empty: client k is in group k / 2
  std::uint64_t seed = 1;
  bool capture = true;
  std::optional<Layout> layout;  ///< empty: the backend's own
};

inline ScheduleBounds bounds_of(const Schedule& schedule, std::int32_t clients, std::int64_t extra_slots) {
  ScheduleBounds bounds{schedule.slots(), schedule.steps(), 0, 0};
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    bounds.batch = std::max<std::int64_t>(bounds.batch, schedule.step_first[t + 1] - schedule.step_first[t]);
  }
  bounds.batch += extra_slots;
  bounds.active = std::min<std::int64_t>(bounds.batch, clients);
  return bounds;
}

inline Network network_of(const RigInput& in) {
  ModelSettings settings;
  settings.name = in.model;
  settings.cut = in.cut;
  settings.width = in.width;
  settings.layers = in.layers;
  std::vector<LayerSpec> layers = model_layers(settings, in.classes);
  for (LayerSpec& spec : layers) {
    if (!in.relu6_as.empty() && spec.kind == &layer_kind("relu6")) spec.kind = &layer_kind(in.relu6_as);
  }
  NetworkOptions options = in.options;
  options.auxiliary = mode_map(in.train).local_loss;
  return build_network(layers, in.cut, in.input, in.classes, options);
}

/// A schedule with its active lists, as the device makes them.
inline Schedule with_active_lists(const Schedule& schedule) {
  CpuContext ctx(1);
  ScheduleBuffer<CpuContext> buffer(ctx, splitsim::bounds_of(schedule));
  upload(ctx, schedule, buffer);
  return download(buffer);
}

inline Groups groups_of(const RigInput& in) {
  Groups groups{in.groups};
  for (std::int32_t k = 0; in.groups.empty() && k < in.clients; ++k) groups.of.push_back(k / 2);
  groups.count = 1 + *std::max_element(groups.of.begin(), groups.of.end());
  return groups;
}

inline std::vector<std::int64_t> class_counts_of(const RigInput& in) {
  std::vector<std::int64_t> counts(static_cast<std::size_t>(in.classes));
  for (const std::int32_t label : in.labels) ++counts[static_cast<std::size_t>(label)];
  return counts;
}

inline std::optional<TurnRules> rules_of(const RigInput& in) {
  return turn_rules(mode_map(in.train), in.train.service_order, in.seed, groups_of(in));
}

/// The schedule as the mode runs it.
inline DealtSchedule dealt(const RigInput& in) {
  const std::optional<TurnRules> rules = rules_of(in);
  return rules ? deal(with_active_lists(in.schedule), *rules, 0) : DealtSchedule{in.schedule};
}

/// What the device gets of the samples.
inline std::vector<std::uint8_t> features_of(const RigInput& in) {
  if (in.values.empty()) return in.images;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(in.values.data());
  return {bytes, bytes + in.values.size() * sizeof(float)};
}

template <class Context>
GatherSource rig_source(const DeviceImages<Context>& data, bool floats = false) {
  if (floats) {
    GatherSource source;
    source.values = reinterpret_cast<const float*>(data.images.data());
    return source;
  }
  return {data.images.data(), {0.5f, 0.5f, 0.5f, 0.5f}, {4.0f, 4.0f, 4.0f, 4.0f}, 0};
}

template <class Context>
class Rig {
 public:
  Rig(Context& ctx, const RigInput& in)
      : ctx_(ctx),
        network(test::network_of(in)),
        dealt_(dealt(in)),
        bounds_(bounds_of(dealt_.schedule, in.clients, in.extra_slots)),
        data_(ctx, features_of(in), in.labels),
        schedule_(ctx, bounds_),
        turns_(ctx, bounds_),
        engine(
            ctx, network,
            {EngineSettings{in.train, in.seed, in.clients, bounds_, in.schedule.steps(), in.held, groups_of(in),
                            in.capture, in.layout, class_counts_of(in), static_cast<std::int64_t>(in.labels.size())}}),
        steps_(dealt_.schedule.steps()) {
    const std::optional<TurnRules> rules = rules_of(in);
    if (rules) {
      turns_.upload(dealt_);
    } else {
      upload(ctx, dealt_.schedule, schedule_);
    }
    gather_.channels = in.input.channels;
    gather_.height = in.input.height;
    gather_.width = in.input.width;
    gather_.floats = !in.values.empty();
    engine.start(gather_,
                 {{&data_, rig_source(data_, gather_.floats), rules ? turns_.view(*rules) : schedule_.view()}});
    engine.begin_epoch(0, steps_);
  }

  const DealtSchedule& dealt_schedule() const { return dealt_; }
  /// Runs steps [from, to) of the epoch (micro-steps where clients take turns); returns their metrics.
  std::vector<StepMetrics> run(std::int64_t from, std::int64_t to) {
    for (std::int64_t t = from; t < to; ++t) engine.enqueue_step();
    ctx_.synchronize();
    const View<const StepMetrics> all = engine.metrics();
    return {all.begin() + from, all.begin() + to};
  }
  std::vector<StepMetrics> run_epoch(std::int32_t epoch = 0) {
    if (epoch > 0) engine.begin_epoch(epoch, steps_);
    return run(0, steps_);
  }
  std::vector<float> gradients(int side) { return engine.gradients(side); }

 private:
  Context& ctx_;

 public:
  const Network network;

 private:
  DealtSchedule dealt_;
  ScheduleBounds bounds_;
  DeviceImages<Context> data_;
  ScheduleBuffer<Context> schedule_;
  DealtBuffer<Context> turns_;
  GatherShape gather_{};

 public:
  Engine<Context> engine;

 private:
  std::int64_t steps_;
};

/// The schedule with `many[t]` empty steps before its step t, t = T: at its end.
inline Schedule with_empty_steps(const Schedule& schedule, const std::vector<int>& many) {
  Schedule out;
  out.sample = schedule.sample;
  out.client = schedule.client;
  for (std::size_t t = 0; t < schedule.step_first.size(); ++t) {
    out.step_first.insert(out.step_first.end(), static_cast<std::size_t>(many[t]), schedule.step_first[t]);
    out.step_first.push_back(schedule.step_first[t]);
  }
  return out;
}

/// Random bytes and labels, and a schedule of `steps` batches of about `batch` slots over `clients`, sorted by client.
inline RigInput random_input(std::int32_t clients, std::int64_t steps, std::int64_t batch, std::uint64_t seed,
                             FeatureShape input = {1, 28, 28}) {
  RigInput in;
  in.input = input;
  in.clients = clients;
  in.seed = seed;
  const auto draw = [&](std::uint32_t element, std::uint32_t step) {
    return random_bits(seed, {Purpose::kTest, element, step}).x;
  };
  const std::int64_t samples = steps * batch;
  in.images.resize(static_cast<std::size_t>(samples * in.input.size()));
  for (std::size_t i = 0; i < in.images.size(); ++i)
    in.images[i] = static_cast<std::uint8_t>(draw(static_cast<std::uint32_t>(i), 1));
  in.schedule.step_first.push_back(0);
  for (std::int64_t t = 0, s = 0; t < steps; ++t) {
    const std::int64_t size = batch - draw(static_cast<std::uint32_t>(t), 4) % (batch / 2);
    std::vector<std::int32_t> owners;
    for (std::int64_t j = 0; j < size; ++j) {
      owners.push_back(static_cast<std::int32_t>(draw(static_cast<std::uint32_t>(t * batch + j), 3) %
                                                 static_cast<std::uint32_t>(clients)));
    }
    std::sort(owners.begin(), owners.end());
    for (const std::int32_t owner : owners) {
      in.schedule.sample.push_back(static_cast<std::int32_t>(s++));
      in.schedule.client.push_back(owner);
    }
    in.schedule.step_first.push_back(static_cast<std::int32_t>(s));
  }
  for (std::int64_t s = 0; s < samples; ++s)
    in.labels.push_back(static_cast<std::int32_t>(draw(static_cast<std::uint32_t>(s), 2) % 10));
  in.train.epochs = 2;
  in.train.client_optimizer.schedule = in.train.server_optimizer.schedule = RateSchedule::kConstant;
  return in;
}

/// The same with small images and a narrow net that has a norm on either side and a residual block: for tests that do not
/// depend on the net, most of which train many times. (An emulated GPU takes ten times as long for lenet.)
inline RigInput narrow_input(std::int32_t clients, std::int64_t steps, std::int64_t batch, std::uint64_t seed) {
  RigInput in = random_input(clients, steps, batch, seed, {1, 8, 8});
  in.model = "layers";
  in.cut = "pool1";
  in.layers = {layer::conv("conv1", 4, 3, 1, 1),
               layer::norm("norm1", 2),
               layer::relu("relu1"),
               layer::max_pool("pool1", 2, 2),
               layer::conv("conv2", 4, 3, 2, 1),
               layer::norm("norm2", 2),
               layer::relu("relu2"),
               layer::conv("conv3", 4, 3, 1, 1),
               layer::add("add3", "conv3", "relu2"),
               layer::global_avg_pool("pool3"),
               layer::linear("fc1", 10)};
  return in;
}

/// What two epochs leave behind.
template <class Context>
TrainingState after_two_epochs(Context& ctx, const RigInput& in) {
  Rig<Context> rig(ctx, in);
  rig.run_epoch();
  rig.run_epoch(1);
  return rig.engine.download();
}

}  // namespace splitsim::test

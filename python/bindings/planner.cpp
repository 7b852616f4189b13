// Schedules and timelines without learning.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <limits>
#include <memory>
#include <mutex>
#include <tuple>
#include <utility>

#include "base/error.hpp"
#include "python/bindings/arrays.hpp"
#include "python/bindings/parts.hpp"
#include "runtime/plan/epoch_plan.hpp"

namespace splitsim::python {

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace {

/// Plans epochs in any order: a timeline goes on where the epoch before it has ended, so earlier ones are made again.
class Epochs {
 public:
  virtual ~Epochs() = default;
  virtual ScheduleBounds bounds() const = 0;
  virtual EpochPlan plan(std::int32_t epoch, bool timed) = 0;
};

template <class Context>
class EpochsOn final : public Epochs {
 public:
  EpochsOn(std::unique_ptr<Context> ctx, const Scene& scene)
      : ctx_(std::move(ctx)),
        population_(*ctx_, scene.population),
        planner_(*ctx_, scene.population, population_, scene.config, scene.timing.profile, scene.timing,
                 scene.schedules ? &*scene.schedules : nullptr),
        start_(planner_.clock().state()) {
    planner_.start();
  }

  ScheduleBounds bounds() const override { return planner_.bounds(); }

  EpochPlan plan(std::int32_t epoch, bool timed) override {
    const bool from_start = !timed || next_ < 0 || epoch < next_;  // a schedule is the same wherever the clock is
    std::int32_t at = !timed ? epoch : from_start ? 0 : next_;
    if (from_start) planner_.clock().set_state(start_);
    next_ = -1;  // until this has gone well
    for (; timed && at < epoch; ++at) planner_.plan(static_cast<std::uint32_t>(at), false);
    EpochPlan plan = planner_.plan(static_cast<std::uint32_t>(epoch), timed);
    next_ = timed ? epoch + 1 : -1;
    return plan;
  }

 private:
  std::unique_ptr<Context> ctx_;
  DevicePopulation<Context> population_;
  EpochPlanner<Context> planner_;
  ClockState start_;
  std::int32_t next_ = -1;  // where the clock is; -1: nowhere
};

/// Instead of the config's data set: labels, how many classes they have, and images [C, H, W] for the model's cut.
Dataset labels_alone(const Array<std::int32_t>& labels, std::int32_t classes, std::tuple<int, int, int> shape) {
  Dataset dataset;
  dataset.name = "labels";
  std::tie(dataset.channels, dataset.height, dataset.width) = shape;
  dataset.classes = classes;
  dataset.train_labels = vector_of(labels);
  return dataset;
}

class Planner {
 public:
  using Labels = std::optional<Array<std::int32_t>>;

  Planner(const ReadConfig& read, const Device& device, nb::object hooks, const Labels& labels, const Labels& owner,
          std::tuple<int, int, int, int> classes_shape, std::int64_t cut_bytes)
      : threads_(device.threads), hooks_(std::move(hooks)) {
    SceneParts given;
    const auto [classes, channels, height, width] = classes_shape;
    if (labels) given.dataset = labels_alone(*labels, classes, {channels, height, width});
    if (owner) given.owner = vector_of(*owner);
    given.cut_activation = cut_bytes;
    given.schedules = source_of(hooks_, work_);
    on_thread([&] { make(read.config, device, std::move(given)); });
  }

  nb::dict plan(std::int32_t epoch, bool timed) {
    EpochPlan plan;
    std::string sha256, timeline_sha256;
    on_thread([&] {
      claim_threads(threads_);
      plan = epochs_->plan(epoch, timed);
      sha256 = plan.schedule.sha256();
      timeline_sha256 = plan.timeline.sha256();
    });
    nb::dict of;
    of["sha256"] = sha256;
    of["sample"] = array_of(std::move(plan.schedule.sample));
    of["client"] = array_of(std::move(plan.schedule.client));
    of["step_first"] = array_of(std::move(plan.schedule.step_first));
    of["active_first"] = array_of(std::move(plan.schedule.active_first));
    of["active_client"] = array_of(std::move(plan.schedule.active_client));
    of["active_slot"] = array_of(std::move(plan.schedule.active_slot));
    of["deviation"] = array_of(std::move(plan.deviation));
    of["drift"] = array_of(std::move(plan.drift));
    of["missed"] = array_of(std::move(plan.losses.missed));
    of["deferred"] = array_of(std::move(plan.losses.deferred));
    of["absent"] = array_of(std::move(plan.losses.absent));
    if (!timed) return of;
    of["timeline_sha256"] = timeline_sha256;
    of["start_ns"] = array_of(std::move(plan.timeline.start_ns));
    of["end_ns"] = array_of(std::move(plan.timeline.end_ns));
    of["critical_forward"] = array_of(std::move(plan.timeline.critical_forward));
    of["critical_backward"] = array_of(std::move(plan.timeline.critical_backward));
    std::vector<std::int64_t> waiting, active;
    for (const EntryWaiting& entry : plan.waiting) {
      waiting.push_back(entry.waiting_ns);
      active.push_back(entry.total_ns);
    }
    of["waiting_ns"] = array_of(std::move(waiting));
    of["active_ns"] = array_of(std::move(active));
    return of;
  }

  nb::dict population() const { return dict_of(scene_.population, scene_.timing.profile); }
  const std::vector<std::string>& warnings() const { return warnings_; }
  std::int64_t max_steps() const { return epochs_->bounds().steps; }
  std::int64_t max_batch() const { return epochs_->bounds().batch; }

 private:
  void make(const Config& config, const Device& device, SceneParts given) {
    if (!given.dataset) {
      given.dataset = load_dataset(config.data, seeds_of(config).data);
      given.dataset->train_features = given.dataset->test_features = given.dataset->validation_features = {};
    }
    scene_ = make_scene(config, std::move(given));
    warnings_ = silent_settings(config, sampling_facts(scene_.population, scene_.timing.profile, config.sampler));
#if SPLITSIM_WITH_CUDA
    if (use_cuda(device)) {
      claim_threads(device.threads);
      epochs_ = std::make_unique<EpochsOn<CudaContext>>(std::make_unique<CudaContext>(false), scene_);
      return;
    }
#endif
    static_cast<void>(use_cuda(device));  // refuses a GPU that is not there
    epochs_ = std::make_unique<EpochsOn<CpuContext>>(std::make_unique<CpuContext>(device.threads), scene_);
  }

  // One at a time; who waits does so without the interpreter's lock.
  template <class F>
  void on_thread(const F& work) {
    std::unique_lock lock(mutex_, std::defer_lock);
    {
      const nb::gil_scoped_release unlocked;
      lock.lock();
    }
    WorkThread thread;
    work_ = &thread;
    thread.run(work);
  }

  std::mutex mutex_;
  int threads_;
  nb::object hooks_;
  WorkThread* work_ = nullptr;
  Scene scene_;
  std::vector<std::string> warnings_;
  std::unique_ptr<Epochs> epochs_;
};

/// The owner of every sample, by [partition] of a config. natural: whom the samples come from, or nothing.
nb::object partition(const ReadConfig& read, const Array<std::int32_t>& labels, std::int32_t classes,
                     const Array<std::int32_t>& natural) {
  const std::vector<std::int32_t> of = vector_of(labels), from = vector_of(natural);
  Population population;
  WorkThread thread;
  thread.run([&] { population = make_partition(of, classes, read.config.partition, seeds_of(read.config).partition, from); });
  return array_of(std::move(population.owner));
}

}  // namespace

void bind_planner(nb::module_& module) {
  module.def("partition", &partition, "config"_a, "labels"_a, "classes"_a, "natural"_a);
  nb::class_<Planner>(module, "Planner")
      .def(nb::init<const ReadConfig&, const Device&, nb::object, const Planner::Labels&, const Planner::Labels&,
                    std::tuple<int, int, int, int>, std::int64_t>(),
           "config"_a, "device"_a, "hooks"_a.none(), "labels"_a.none(), "owner"_a.none(), "classes_shape"_a,
           "cut_bytes"_a)
      .def("plan", &Planner::plan, "epoch"_a, "timed"_a)
      .def("population", &Planner::population)
      .def_prop_ro("warnings", &Planner::warnings)
      .def_prop_ro("max_steps", &Planner::max_steps)
      .def_prop_ro("max_batch", &Planner::max_batch);
}

}  // namespace splitsim::python

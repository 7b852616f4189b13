// Samplers written in Python.
#include <nanobind/stl/string.h>

#include <memory>
#include <utility>

#include "python/bindings/arrays.hpp"
#include "python/bindings/parts.hpp"

namespace splitsim::python {

namespace nb = nanobind;

nb::dict dict_of(const Population& population, const Profile& profile) {
  nb::dict of;
  const auto clients = static_cast<std::size_t>(population.clients),
             classes = static_cast<std::size_t>(population.classes);
  of["clients"] = population.clients;
  of["classes"] = population.classes;
  of["owner"] = array_of(population.owner);
  of["labels"] = array_of(population.label);
  of["class_counts"] = array_of(population.histogram, {clients, classes});
  of["sha256"] = population.sha256();
  of["delay_ns"] = array_of(profile.delay_ns);
  of["forward_ns"] = array_of(profile.forward_ns);
  of["backward_ns"] = array_of(profile.backward_ns);
  of["up_ns"] = array_of(profile.up_ns);
  of["down_ns"] = array_of(profile.down_ns);
  of["model_up_ns"] = array_of(profile.model_up_ns);
  of["model_down_ns"] = array_of(profile.model_down_ns);
  of["server_fixed_ns"] = profile.server_fixed_ns;
  of["server_per_sample_ns"] = profile.server_per_sample_ns;
  return of;
}

namespace {

using Rows = nb::ndarray<const std::int32_t, nb::shape<-1, 3>, nb::c_contig, nb::device::cpu>;

/// Asks Python once per epoch, though the first one is needed twice: for its bounds, and to be trained.
class PythonSampler {
 public:
  PythonSampler(const nb::object& hooks, WorkThread*& work) : hooks_(hooks), work_(work) {}

  std::vector<std::int32_t> rows(std::uint32_t epoch, const Population& population, const Profile& profile) {
    if (epoch == 0 && !first_.empty()) return first_;
    std::vector<std::int32_t> rows;
    work_->ask([&] {
      if (!introduced_) hooks_.attr("introduce")(dict_of(population, profile));
      introduced_ = true;
      const auto array = nb::cast<Rows>(hooks_.attr("rows")(epoch));
      rows.assign(array.data(), array.data() + array.size());
    });
    if (epoch == 0) first_ = rows;
    return rows;
  }

 private:
  const nb::object& hooks_;
  WorkThread*& work_;
  bool introduced_ = false;
  std::vector<std::int32_t> first_;
};

}  // namespace

std::optional<ScheduleSource> source_of(const nb::object& hooks, WorkThread*& work) {
  if (hooks.is_none() || !nb::cast<bool>(hooks.attr("samples"))) return {};
  const auto sampler = std::make_shared<PythonSampler>(hooks, work);
  ScheduleSource source;
  source.rows = [sampler](std::uint32_t epoch, const Population& population, const Profile& profile) {
    return sampler->rows(epoch, population, profile);
  };
  source.most_steps = nb::cast<std::int64_t>(hooks.attr("max_steps"));
  source.most_batch = nb::cast<std::int64_t>(hooks.attr("max_batch"));
  return source;
}

}  // namespace splitsim::python

// splitsim._core: what python/splitsim wraps. Arguments are as that has checked them.
#include <fmt/format.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <new>
#include <utility>

#include "base/error.hpp"
#include "python/bindings/parts.hpp"
#include "runtime/config/help.hpp"
#include "runtime/config/keys/keys.hpp"
#include "runtime/config/seeds.hpp"
#include "runtime/config/version.hpp"

namespace splitsim::python {

namespace nb = nanobind;
using nb::literals::operator""_a;

Device::Device(std::string kind, int thread_count) : DeviceChoice{std::move(kind), thread_count, "device = \"cuda\""} {
  if (device != "auto" && device != "cpu" && device != "cuda") {
    throw InputError(fmt::format("device = {}: allowed: \"auto\", \"cpu\", \"cuda\"", quoted(device)));
  }
  if (threads < 0 || threads > 4096) {
    throw InputError(fmt::format("threads = {}: allowed: None, or an integer in [1, 4096]", threads));
  }
}

namespace {

// By name, so that the classes are there without this module.
void raise(const char* name, const char* message) {
  const nb::object type = nb::module_::import_("splitsim.errors").attr(name);
  PyErr_SetString(type.ptr(), message);
}

void translate(const std::exception_ptr& thrown, void*) {
  try {
    std::rethrow_exception(thrown);
  } catch (const InputError& error) {
    raise("InputError", error.what());
  } catch (const OutOfMemory& error) {
    raise("OutOfMemory", error.what());
  } catch (const NoDevice& error) {
    raise("NoDevice", error.what());
  } catch (const Error& error) {
    raise("BackendError", error.what());
  } catch (const std::bad_alloc&) {
    raise("OutOfMemory", "out of host memory");
  }
}

ReadConfig read_config(const std::string& toml, const std::string& source, const std::vector<std::string>& settings,
                       const std::string& file) {
  const std::vector<Override> overrides(settings.begin(), settings.end());
  return {parse_variants({toml, source}, {}, {{"settings", overrides}}).front(), file};
}

}  // namespace

}  // namespace splitsim::python

NB_MODULE(_core, module) {
  using namespace splitsim::python;
  nb::set_leak_warnings(false);  // at the end of a process that an exception has ended, frames still hold objects
  nb::register_exception_translator(&translate);
  module.attr("__version__") = splitsim::version();
  module.attr("git_commit") = splitsim::git_commit();
  module.attr("built_with_cuda") = splitsim::built_with_cuda();
  nb::class_<ReadConfig>(module, "Config")
      .def(
          "__init__",
          [](ReadConfig* self, const std::string& toml, const std::string& source,
             const std::vector<std::string>& settings,
             const std::string& file) { new (self) ReadConfig(read_config(toml, source, settings, file)); },
          "toml"_a, "source"_a, "settings"_a, "file"_a)
      .def_prop_ro("toml", [](const ReadConfig& self) { return splitsim::to_toml(self.config); })
      .def_prop_ro("commented", [](const ReadConfig& self) { return splitsim::commented_toml(self.config); })
      .def_prop_ro("sha256", [](const ReadConfig& self) { return splitsim::config_sha256(self.config); })
      .def_prop_ro("file", [](const ReadConfig& self) { return self.file; })
      .def_prop_ro("batch", [](const ReadConfig& self) { return self.config.sampler.batch; })
      .def_prop_ro("clients", [](const ReadConfig& self) { return self.config.partition.clients; })
      .def_prop_ro("sampler_seed", [](const ReadConfig& self) { return splitsim::seeds_of(self.config).sampler; });
  nb::class_<Device>(module, "Device").def(nb::init<std::string, int>(), "name"_a, "threads"_a);
  bind_planner(module);
  bind_run(module);
}

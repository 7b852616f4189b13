#include "samplers/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"
#include "kernels/device/context.hpp"

namespace splitsim {

namespace {
void check_choice(const char* key, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::string list;
  for (const std::string& name : allowed) list += (list.empty() ? "" : ", ") + name;
  throw InputError(fmt::format("sampler.{} = \"{}\": allowed are {}", key, value, list));
}
}  // namespace

template <class Context>
std::vector<SamplerInfo> infos_of_rows();  // registry_impl.hpp: the rows are the same on every backend

const std::vector<SamplerInfo>& sampler_infos() {
  static const std::vector<SamplerInfo> infos = infos_of_rows<CpuContext>();
  return infos;
}

const SamplerInfo& sampler_info(const std::string& kind) {
  const auto& infos = sampler_infos();
  const auto found =
      std::find_if(infos.begin(), infos.end(), [&](const SamplerInfo& info) { return info.name == kind; });
  if (found != infos.end()) return *found;
  std::vector<std::string> kinds;
  for (const SamplerInfo& info : infos) kinds.push_back(info.name);
  check_choice("kind", kind, kinds);
  return infos.front();  // not reached
}

void check_sampler_settings(const SamplerSettings& settings, const Population& population, const Profile& profile) {
  sampler_info(settings.kind);
  if (settings.batch < 1 || settings.batch > population.samples()) {
    throw InputError(fmt::format("sampler.batch = {}: allowed are 1 to {} (the number of samples)", settings.batch,
                                 population.samples()));
  }
  const std::int64_t most_passes = std::numeric_limits<std::int32_t>::max() / population.samples();
  if (settings.local_epochs < 1 || settings.local_epochs > most_passes) {
    throw InputError(
        fmt::format("sampler.local_epochs = {}: allowed are 1 to {} (an epoch must have fewer than 2^31 slots)",
                    settings.local_epochs, most_passes));
  }
  if (settings.kind == "file" && settings.file.empty()) {
    throw InputError("sampler.file = \"\": must name a saved schedule when sampler.kind = \"file\"");
  }
  if (profile.clients() != population.clients) {
    throw InputError(
        fmt::format("profile: {} clients, allowed: {} as in the population", profile.clients(), population.clients));
  }
}

}  // namespace splitsim

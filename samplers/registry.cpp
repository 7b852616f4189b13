#include "samplers/registry.hpp"

#include <fmt/format.h>

#include <limits>

#include "base/error.hpp"
#include "kernels/device/context.hpp"

namespace splitsim {

template <class Context>
std::vector<SamplerInfo> infos_of_rows();  // registry_impl.hpp: the rows are the same on every backend

const std::vector<SamplerInfo>& sampler_infos() {
  static const std::vector<SamplerInfo> infos = infos_of_rows<CpuContext>();
  return infos;
}

const SamplerInfo& sampler_info(const std::string& kind) {
  std::string names;
  for (const SamplerInfo& info : sampler_infos()) {
    if (info.name == kind) return info;
    names += (names.empty() ? "" : ", ") + info.name;
  }
  throw InputError(fmt::format("sampler.kind = \"{}\": allowed are {}", kind, names));
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

#include "samplers/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/error.hpp"

namespace splitsim {

namespace {
void check_choice(const char* key, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  std::string list;
  for (const std::string& name : allowed) list += (list.empty() ? "" : ", ") + name;
  throw InputError(fmt::format("sampler.{} = \"{}\": allowed are {}", key, value, list));
}
}  // namespace

const std::vector<SamplerInfo>& sampler_infos() {
  static const std::vector<SamplerInfo> infos = {
      {"ugs", "uniform global sampling: a random permutation of all samples, cut into batches (paper)"},
      {"urn", "ugs with odds exp(delta z_k): clients with long delays first (delta > 0) or last (ours)",
       {.sees_delays = true}},
      {"lds", "latent Dirichlet sampling: odds from observed labels and delays by a Dirichlet model (paper)",
       {.sees_delays = true, .on_host = true}},
      {"central", "the batches of ugs with owners ignored: the centralised baseline", {.owners = false}},
      {"fls", "fixed local sampling: every client gives B/K samples to each step until it is depleted (paper)"},
      {"fpls", "fixed proportional local sampling: as fls with B n_k/N samples (paper)"},
      {"speed", "every step dealt in proportion to the clients' speed 1/tau_k, as far as their data reach (ours)",
       {.sees_delays = true}},
      {"makespan", "every step dealt so that its slowest client finishes as early as possible (ours)",
       {.sees_delays = true}},
      {"lb_greedy", "ugs's class counts, each sample supplied by the client that finishes next (arXiv 2609.32132)",
       {.sees_delays = true, .on_host = true}},
      {"lb_flow", "ugs's class counts, supplied by the flow that ends the step soonest (arXiv 2609.32132)",
       {.sees_delays = true, .on_host = true}},
      {"relay", "one client after another, each local_epochs times through its data in batches of B"},
      {"file", "a saved schedule (sampler.file), the same in every epoch", {.on_host = true}},
  };
  return infos;
}

const SamplerInfo& sampler_info(const std::string& kind) {
  const auto& infos = sampler_infos();
  const auto found = std::find_if(infos.begin(), infos.end(), [&](const SamplerInfo& info) { return info.name == kind; });
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

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
      {"ugs", "uniform global sampling: a random permutation of all samples, cut into batches (paper)", true},
      {"urn", "ugs with odds exp(delta z_k): clients with long delays first (delta > 0) or last (ours)", true},
      {"lds", "latent Dirichlet sampling: odds from observed labels and delays by a Dirichlet model (paper)", true, true},
      {"central", "the batches of ugs with owners ignored: the centralised baseline", false},
      {"fls", "fixed local sampling: every client gives B/K samples to each step until it is depleted (paper)", true},
      {"fpls", "fixed proportional local sampling: as fls with B n_k/N samples (paper)", true},
      {"speed", "every step dealt in proportion to the clients' speed 1/tau_k, as far as their data reach (ours)",
       true},
      {"makespan", "every step dealt so that its slowest client finishes as early as possible (ours)", true},
      {"lb_greedy", "ugs's class counts, each sample supplied by the client that finishes next (arXiv 2609.32132)",
       true, true},
      {"lb_flow", "ugs's class counts, supplied by the flow that ends the step soonest (arXiv 2609.32132)", true, true},
      {"relay", "one client after another, each local_epochs times through its data in batches of B", true},
      {"file", "a saved schedule (sampler.file), the same in every epoch", true, true},
  };
  return infos;
}

void check_sampler_settings(const SamplerSettings& settings, const Population& population, const Profile& profile) {
  std::vector<std::string> kinds;
  for (const SamplerInfo& info : sampler_infos()) kinds.push_back(info.name);
  check_choice("kind", settings.kind, kinds);
  if (settings.batch < 1 || settings.batch > population.samples()) {
    throw InputError(fmt::format("sampler.batch = {}: allowed are 1 to {} (the number of samples)", settings.batch,
                                 population.samples()));
  }
  check_choice("chunks", settings.chunks, {"even", "last_short"});
  const std::int64_t most_passes = std::numeric_limits<std::int32_t>::max() / population.samples();
  if (settings.local_epochs < 1 || settings.local_epochs > most_passes) {
    throw InputError(
        fmt::format("sampler.local_epochs = {}: allowed are 1 to {} (an epoch must have fewer than 2^31 slots)",
                    settings.local_epochs, most_passes));
  }
  if (settings.kind == "file" && settings.file.empty()) {
    throw InputError("sampler.file = \"\": must name a saved schedule when sampler.kind = \"file\"");
  }
  check_choice("delay_signal", settings.delay_signal, {"participation", "typical_step"});
  check_choice("prior", settings.prior, {"mean", "mode"});
  check_choice("estimate", settings.estimate, {"map", "draw", "prior"});
  check_choice("depletion", settings.depletion, {"odds", "renormalise"});
  check_choice("reestimate", settings.reestimate, {"never", "on_depletion", "every_step"});
  if (profile.clients() != population.clients) {
    throw InputError(
        fmt::format("profile: {} clients, allowed: {} as in the population", profile.clients(), population.clients));
  }
}

}  // namespace splitsim

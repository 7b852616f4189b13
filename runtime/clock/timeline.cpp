#include "runtime/clock/timeline.hpp"

#include "base/error.hpp"
#include "base/hash.hpp"

namespace splitsim {

ClockKind resolved_kind(const ClockMode& mode, const LatencySettings& settings) {
  return mode.kind == ClockKind::kBarrier && settings.barrier == Barrier::kRunAhead ? ClockKind::kRunAhead : mode.kind;
}

ModelSync resolved_sync(const ClockMode& mode, const LatencySettings& settings) {
  const ModelSync sync = settings.model_sync == ModelSync::kMode ? mode.model_sync : settings.model_sync;
  if (mode.kind == ClockKind::kRelay && sync != ModelSync::kNone) {
    throw InputError(
        std::string("clock.model_sync = \"") + name_of(settings.model_sync) +
        "\": must be mode or none where one client after another steps (sl), which always hands the model over");
  }
  return sync;
}

std::string Timeline::sha256() const {
  Sha256 hash;
  hash.add(start_ns);
  hash.add(end_ns);
  hash.add(critical_forward);
  hash.add(critical_backward);
  return hash.hex();
}

}  // namespace splitsim

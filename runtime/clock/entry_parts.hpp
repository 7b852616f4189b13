// What an active entry's two durations (runtime/clock/timeline.hpp) are made of, in the order in which it happens: the
// clock adds the parts up, a trace draws them. Determinism: exact.
#pragma once

#include <cstdint>

#include "kernels/device/macros.hpp"
#include "runtime/clock/nanoseconds.hpp"
#include "samplers/latency/profile.hpp"

namespace splitsim {

/// One client of a profile; its times side by side, since they are read together.
struct ProfileRow {
  std::int64_t delay_ns, forward_ns, backward_ns, up_ns, down_ns, model_up_ns, model_down_ns;
};

inline ProfileRow profile_row(const Profile& profile, std::size_t client) {
  return {profile.delay_ns[client], profile.forward_ns[client],  profile.backward_ns[client],  profile.up_ns[client],
          profile.down_ns[client],  profile.model_up_ns[client], profile.model_down_ns[client]};
}

struct EntryParts {
  std::int64_t model_down_ns = 0;  ///< model_sync = step, else 0
  std::int64_t forward_ns = 0;     ///< rne(J (d + b f))
  std::int64_t up_ns = 0;          ///< b up
  std::int64_t down_ns = 0;        ///< b down
  std::int64_t backward_ns = 0;    ///< rne(J b g)
  std::int64_t model_up_ns = 0;    ///< model_sync = step, else 0

  PSL_HD std::int64_t fwd_ns() const { return add_ns(model_down_ns, add_ns(forward_ns, up_ns)); }
  PSL_HD std::int64_t bwd_ns() const { return add_ns(add_ns(down_ns, backward_ns), model_up_ns); }
};

/// factor: J. samples: b. uploads: whether smashed data cross in this step.
PSL_HD inline EntryParts entry_parts(const ProfileRow& client, double factor, std::int64_t samples,
                                     bool sync_every_step, bool uploads = true) {
  EntryParts parts;
  parts.forward_ns = scale_ns(factor, add_ns(client.delay_ns, times_ns(samples, client.forward_ns)));
  parts.up_ns = uploads ? times_ns(samples, client.up_ns) : 0;
  parts.down_ns = times_ns(samples, client.down_ns);
  parts.backward_ns = scale_ns(factor, times_ns(samples, client.backward_ns));
  if (sync_every_step) {
    parts.model_down_ns = client.model_down_ns;
    parts.model_up_ns = client.model_up_ns;
  }
  return parts;
}

}  // namespace splitsim

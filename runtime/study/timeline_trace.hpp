// A timeline as a picture: what the server, the clients and their links do when, as a trace that Perfetto
// (ui.perfetto.dev) and chrome://tracing show. Determinism: exact.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/clock/timeline.hpp"

namespace splitsim {

enum class Lane : std::uint8_t { kSteps, kServer, kCompute, kUplink, kDownlink };

/// Something that takes time. Spans of no length are left out, but for steps and server.
struct TraceSpan {
  Lane lane;
  std::int32_t client;  ///< -1 for steps and server
  std::int32_t step;
  const char* name;  ///< what it is: step, server, forward, activations, gradients, backward, model
  std::int64_t start_ns, end_ns;
  std::int64_t samples;  ///< of the client in this step; of the whole step for steps and server
};

/// How much of an epoch a trace holds.
struct TraceLimits {
  std::int64_t steps = 100;
  std::int64_t clients = 16;
};

struct TimelineTrace {
  std::string name;
  std::int64_t steps = 0, clients = 0;      ///< of the epoch
  std::int64_t steps_shown = 0;             ///< the first ones
  std::vector<std::int32_t> clients_shown;  ///< those that held up most of these steps, then others that took part
  std::vector<TraceSpan> spans;
};

/// The first epoch of a clock that started at 0. Durations come from the clock's own integer formulas; that every step
/// ends when the timeline says is checked. With barrier = one, whose clients pass the server each at its own time, the
/// server's span is the critical client's.
/// Errors: InputError for kinds of clock other than barriers and run-ahead, and for limits below 1.
TimelineTrace trace_timeline(const std::string& name, const Schedule& schedule, const Timeline& timeline,
                             const Profile& profile, const LatencySettings& settings, const ClockMode& mode,
                             std::uint64_t seed, const TraceLimits& limits);

/// JSON in Chrome's trace event format; one process per trace, one thread per lane. ts and dur are microseconds with
/// three decimals, so nothing is lost; args hold step, samples and, in integers, start_ns and duration_ns.
std::string to_chrome_json(const std::vector<TimelineTrace>& traces);

}  // namespace splitsim

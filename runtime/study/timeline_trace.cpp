#include "runtime/study/timeline_trace.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "base/error.hpp"
#include "runtime/clock/entry_parts.hpp"
#include "samplers/latency/distribution_draw.hpp"
#include "samplers/schedule/rounds.hpp"

namespace splitsim {

namespace {

struct Entry {
  std::int32_t client;
  std::int64_t samples;
  EntryParts parts;
};

std::vector<std::int32_t> chosen_clients(const Schedule& schedule, const Timeline& timeline, std::int64_t steps,
                                         std::int64_t most) {
  std::map<std::int32_t, std::int64_t> held_up;  // by id, so that ties go to the lowest
  for (std::int32_t e = 0; e < schedule.active_first[static_cast<std::size_t>(steps)]; ++e) {
    held_up.emplace(schedule.active_client[static_cast<std::size_t>(e)], 0);
  }
  for (std::size_t t = 0; t < static_cast<std::size_t>(steps); ++t) {
    for (const std::int32_t k : std::set<std::int32_t>{timeline.critical_forward[t], timeline.critical_backward[t]}) {
      if (k >= 0) ++held_up[k];
    }
  }
  std::vector<std::int32_t> clients;
  for (const auto& [client, count] : held_up) clients.push_back(client);
  std::stable_sort(clients.begin(), clients.end(),
                   [&](std::int32_t a, std::int32_t b) { return held_up.at(a) > held_up.at(b); });
  if (static_cast<std::int64_t>(clients.size()) > most) clients.resize(static_cast<std::size_t>(most));
  return clients;
}

// Replays an epoch step by step, on the host.
class Replay {
 public:
  Replay(const Schedule& schedule, const Profile& profile, const LatencySettings& settings, const ClockMode& mode,
         std::uint64_t seed, TimelineTrace& trace)
      : schedule_(schedule),
        profile_(profile),
        jitter_(make_drawer(settings.jitter)),
        run_ahead_(resolved_kind(mode, settings) == ClockKind::kRunAhead),
        one_barrier_(settings.barrier == Barrier::kOne),
        sync_every_step_(resolved_sync(mode, settings) == ModelSync::kStep),
        sync_rounds_(resolved_sync(mode, settings) == ModelSync::kRound),
        rounds_{mode.round_steps},
        seed_(seed),
        trace_(trace),
        shown_(trace.clients_shown.begin(), trace.clients_shown.end()),
        ready_ns_(static_cast<std::size_t>(profile.clients())) {}

  // Gives the step's end.
  std::int64_t step(std::int64_t t) {
    const std::vector<Entry> entries = entries_of(t);
    const auto i = static_cast<std::size_t>(t);
    const std::int64_t batch = schedule_.step_first[i + 1] - schedule_.step_first[i];
    const std::int64_t server_ns = add_ns(profile_.server_fixed_ns, times_ns(batch, profile_.server_per_sample_ns));
    const auto begin = [&](const Entry& entry) { return run_ahead_ ? ready(entry.client) : now_ns_; };

    // When the server begins: once the last client has arrived, and under run-ahead is free.
    std::int64_t server_begin = run_ahead_ ? server_ready_ns_ : now_ns_, longest = -1;
    for (const Entry& entry : entries) {
      const std::int64_t arrival = begin(entry) + entry.parts.fwd_ns();
      if (!one_barrier_) server_begin = std::max(server_begin, arrival);
      const std::int64_t chain = entry.parts.fwd_ns() + entry.parts.bwd_ns();
      if (one_barrier_ && chain > longest) server_begin = arrival;
      longest = std::max(longest, chain);
    }
    const std::int64_t server_end = server_begin + server_ns;
    add({Lane::kServer, -1, step_id(t), "server", server_begin, server_end, batch});

    std::int64_t end = server_end;
    for (const Entry& entry : entries) {
      const std::int64_t from = begin(entry);
      const std::int64_t back = one_barrier_ ? from + entry.parts.fwd_ns() + server_ns : server_end;
      draw(entry, t, from, back);
      const std::int64_t done = back + entry.parts.bwd_ns();
      end = std::max(end, done);
      if (run_ahead_) ready(entry.client) = done;
    }
    server_ready_ns_ = server_end;
    if (run_ahead_) end = std::max(end, now_ns_);
    if (sync_rounds_ && rounds_.ends_after(t, schedule_.steps())) end = end_round(t, end);
    now_ns_ = end;
    return end;
  }

 private:
  static std::int32_t step_id(std::int64_t t) { return static_cast<std::int32_t>(t); }
  std::int64_t& ready(std::int32_t client) { return ready_ns_[static_cast<std::size_t>(client)]; }

  std::vector<Entry> entries_of(std::int64_t t) const {
    std::vector<Entry> entries;
    const auto step = static_cast<std::size_t>(t);
    const auto first = static_cast<std::size_t>(schedule_.active_first[step]);
    const auto end = static_cast<std::size_t>(schedule_.active_first[step + 1]);
    for (std::size_t e = first; e < end; ++e) {
      const std::int32_t client = schedule_.active_client[e];
      const std::int64_t samples = schedule_.view().samples_of(t, static_cast<std::int64_t>(e));
      const double factor = jitter_(seed_, jitter_address(client, t, 0), profile_.clients(), samples);
      entries.push_back({client, samples, entry_parts(times_of(client), factor, samples, sync_every_step_)});
    }
    return entries;
  }

  ProfileRow times_of(std::int32_t client) const { return profile_row(profile_, static_cast<std::size_t>(client)); }

  // `from`: when the client begins, `back`: when its gradients leave the server.
  void draw(const Entry& entry, std::int64_t t, std::int64_t from, std::int64_t back) {
    const EntryParts& parts = entry.parts;
    const auto part = [&](Lane lane, const char* name, std::int64_t& at, std::int64_t duration) {
      add({lane, entry.client, step_id(t), name, at, at + duration, entry.samples});
      at += duration;
    };
    part(Lane::kDownlink, "model", from, parts.model_down_ns);
    part(Lane::kCompute, "forward", from, parts.forward_ns);
    part(Lane::kUplink, "activations", from, parts.up_ns);
    part(Lane::kDownlink, "gradients", back, parts.down_ns);
    part(Lane::kCompute, "backward", back, parts.backward_ns);
    part(Lane::kUplink, "model", back, parts.model_up_ns);
  }

  // model_sync = round: the clients that stepped return their models and get the average once all have arrived.
  std::int64_t end_round(std::int64_t t, std::int64_t end) {
    const auto first = schedule_.active_first[static_cast<std::size_t>(rounds_.first_of(t))];
    const auto last = schedule_.active_first[static_cast<std::size_t>(t + 1)];
    std::set<std::int32_t> clients;
    for (std::int32_t e = first; e < last; ++e) clients.insert(schedule_.active_client[static_cast<std::size_t>(e)]);
    std::int64_t averaged = run_ahead_ ? 0 : end;
    for (const std::int32_t k : clients) {
      const std::int64_t from = run_ahead_ ? ready(k) : end;
      const std::int64_t back = from + times_of(k).model_up_ns;
      add({Lane::kUplink, k, step_id(t), "model", from, back, 0});
      averaged = std::max(averaged, back);
    }
    for (const std::int32_t k : clients) {
      const std::int64_t has_it = averaged + times_of(k).model_down_ns;
      add({Lane::kDownlink, k, step_id(t), "model", averaged, has_it, 0});
      end = std::max(end, has_it);
      ready(k) = has_it;
    }
    return end;
  }

  void add(const TraceSpan& span) {
    if (span.client >= 0 && (span.end_ns == span.start_ns || shown_.count(span.client) == 0)) return;
    trace_.spans.push_back(span);
  }

  const Schedule& schedule_;
  const Profile& profile_;
  const Drawer jitter_;
  const bool run_ahead_, one_barrier_, sync_every_step_, sync_rounds_;
  const Rounds rounds_;
  const std::uint64_t seed_;
  TimelineTrace& trace_;
  const std::set<std::int32_t> shown_;
  std::vector<std::int64_t> ready_ns_;  // [K] run-ahead: when a client can begin its next step
  std::int64_t server_ready_ns_ = 0, now_ns_ = 0;
};

}  // namespace

TimelineTrace trace_timeline(const std::string& name, const Schedule& schedule, const Timeline& timeline,
                             const Profile& profile, const LatencySettings& settings, const ClockMode& mode,
                             std::uint64_t seed, const TraceLimits& limits) {
  if (limits.steps < 1 || limits.clients < 1) {
    throw InputError(
        fmt::format("a trace of {} steps and {} clients: both must be at least 1", limits.steps, limits.clients));
  }
  if (mode.kind != ClockKind::kBarrier && mode.kind != ClockKind::kRunAhead) {
    throw InputError("traces show barriers and clients that run ahead; this mode has another clock");
  }
  TimelineTrace trace;
  trace.name = name;
  trace.steps = schedule.steps();
  trace.clients = profile.clients();
  trace.steps_shown = std::min(limits.steps, trace.steps);
  trace.clients_shown = chosen_clients(schedule, timeline, trace.steps_shown, limits.clients);
  Replay replay(schedule, profile, settings, mode, seed, trace);
  for (std::int64_t t = 0; t < trace.steps_shown; ++t) {
    const auto i = static_cast<std::size_t>(t);
    trace.spans.push_back({Lane::kSteps, -1, static_cast<std::int32_t>(t), "step", timeline.start_ns[i],
                           timeline.end_ns[i], schedule.step_first[i + 1] - schedule.step_first[i]});
    const std::int64_t end = replay.step(t);
    if (end != timeline.end_ns[i]) {
      throw std::logic_error(
          fmt::format("step {} ends at {} ns in the trace and at {} ns in the timeline", t, end, timeline.end_ns[i]));
    }
  }
  return trace;
}

}  // namespace splitsim

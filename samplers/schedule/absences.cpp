#include "samplers/schedule/absences.hpp"

#include <algorithm>
#include <map>

namespace splitsim {

namespace {

// Writes a schedule step by step, with its active lists.
class Writer {
 public:
  explicit Writer(const Schedule& like) {
    out_.sample.reserve(like.sample.size());
    out_.client.reserve(like.client.size());
    out_.step_first = out_.active_first = {0};
  }
  void entry(std::int32_t client, const std::int32_t* first, const std::int32_t* last) {
    out_.active_client.push_back(client);
    out_.active_slot.push_back(static_cast<std::int32_t>(out_.sample.size()));
    add(client, first, last);
  }
  /// More of the last entry's client.
  void add(std::int32_t client, const std::int32_t* first, const std::int32_t* last) {
    out_.sample.insert(out_.sample.end(), first, last);
    out_.client.insert(out_.client.end(), static_cast<std::size_t>(last - first), client);
  }
  void end_step() {
    out_.step_first.push_back(static_cast<std::int32_t>(out_.sample.size()));
    out_.active_first.push_back(static_cast<std::int32_t>(out_.active_client.size()));
  }
  Schedule take() { return std::move(out_); }

 private:
  Schedule out_;
};

// Samples of one client that wait for a step of its.
struct Waiting {
  std::int32_t client;
  std::size_t step;  // that they were scheduled for
  const std::int32_t *next, *last;
};

}  // namespace

Schedule without_absent(const Schedule& schedule, const Presence& presence, OnAbsence rule, std::int64_t room,
                        std::uint32_t epoch, Losses& losses) {
  const ScheduleView view = schedule.view();
  Writer writer(schedule);
  std::vector<bool> round;  // who takes part
  std::vector<Waiting> waiting;
  const auto miss = [&](const Waiting& samples) {
    const auto count = static_cast<std::int32_t>(samples.last - samples.next);
    losses.missed[samples.step] += count;
    losses.misses.push_back({static_cast<std::int32_t>(samples.step), samples.client, count});
  };
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    const auto step = static_cast<std::size_t>(t);
    if (t == 0 || presence.round_of(t) != presence.round_of(t - 1)) round = presence.participants(epoch, t);
    const auto here = [&](std::int32_t k) {
      return round[static_cast<std::size_t>(k)] && presence.available(epoch, t, k);
    };
    std::vector<std::int32_t> there;  // entries
    std::vector<Waiting> away;
    std::int64_t free = room;
    for (std::int32_t e = view.active_first[t]; e < view.active_first[t + 1]; ++e) {
      const std::int32_t k = view.active_client[e];
      const std::int32_t samples = view.samples_of(t, e);
      if (here(k)) {
        there.push_back(e);
        free -= samples;
        continue;
      }
      losses.absent[step] += 1;
      losses.absences.push_back({static_cast<std::int32_t>(t), k, samples});
      const std::int32_t* first = view.sample + view.active_slot[e];
      away.push_back({k, step, first, first + samples});
    }
    std::map<std::int32_t, std::vector<Waiting>> back;  // by client, oldest first
    for (Waiting& samples : waiting) {
      if (free <= 0) break;
      if (!here(samples.client)) continue;
      const auto many = std::min<std::int64_t>(free, samples.last - samples.next);
      back[samples.client].push_back({samples.client, samples.step, samples.next, samples.next + many});
      losses.deferred[samples.step] += static_cast<std::int32_t>(many);
      samples.next += many;
      free -= many;
    }
    std::erase_if(waiting, [](const Waiting& samples) { return samples.next == samples.last; });
    auto next_back = back.begin();
    const auto write_back_before = [&](std::int32_t client) {
      for (; next_back != back.end() && next_back->first < client; ++next_back) {
        writer.entry(next_back->first, nullptr, nullptr);
        for (const Waiting& part : next_back->second) writer.add(part.client, part.next, part.last);
      }
    };
    for (const std::int32_t e : there) {
      const std::int32_t k = view.active_client[e];
      write_back_before(k);
      const std::int32_t* first = view.sample + view.active_slot[e];
      writer.entry(k, first, first + view.samples_of(t, e));
      if (next_back == back.end() || next_back->first != k) continue;
      for (const Waiting& part : next_back->second) writer.add(k, part.next, part.last);
      ++next_back;
    }
    write_back_before(INT32_MAX);
    writer.end_step();
    if (rule == OnAbsence::kDefer) {
      waiting.insert(waiting.end(), away.begin(), away.end());
    } else {
      for (const Waiting& samples : away) miss(samples);
    }
  }
  for (const Waiting& samples : waiting) miss(samples);
  return writer.take();
}

Schedule without_late(const Schedule& schedule, const std::vector<bool>& late, Losses& losses) {
  const ScheduleView view = schedule.view();
  Writer writer(schedule);
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    for (std::int32_t e = view.active_first[t]; e < view.active_first[t + 1]; ++e) {
      const std::int32_t k = view.active_client[e], samples = view.samples_of(t, e);
      const std::int32_t* first = view.sample + view.active_slot[e];
      if (!late[static_cast<std::size_t>(e)]) {
        writer.entry(k, first, first + samples);
        continue;
      }
      losses.missed[static_cast<std::size_t>(t)] += samples;
      losses.misses.push_back({static_cast<std::int32_t>(t), k, samples});
      losses.late.push_back({static_cast<std::int32_t>(t), k, samples});
    }
    writer.end_step();
  }
  return writer.take();
}

}  // namespace splitsim

#include "runtime/mode/ledger.hpp"

#include <set>

namespace splitsim {

std::vector<Traffic> Ledger::add(const DealtSchedule& epoch, std::int64_t steps, bool complete,
                                 Participation& total) const {
  const Schedule& schedule = epoch.schedule;
  const ScheduleView view = schedule.view();
  std::vector<Traffic> traffic(static_cast<std::size_t>(steps));
  std::set<std::int32_t> round;  // clients that stepped in it so far
  std::int32_t before = -1;      // who was served last
  const std::size_t micro_steps = static_cast<std::size_t>(schedule.steps());
  const std::int64_t all_steps = complete ? steps : -1;  // an epoch that was cut short does not end its last round
  for (std::size_t m = 0; m < micro_steps && epoch.parent_of(m) < steps; ++m) {
    const std::int32_t parent = epoch.parent_of(m);
    Traffic& step = traffic[static_cast<std::size_t>(parent)];
    const std::int32_t end = schedule.active_first[m + 1];
    for (std::int32_t e = schedule.active_first[m]; e < end; ++e) {
      const auto entry = static_cast<std::size_t>(e);
      const std::int32_t client = schedule.active_client[entry];
      const auto k = static_cast<std::size_t>(client);
      const std::int64_t samples = view.samples_of(static_cast<std::int64_t>(m), e);
      total.steps[k] += 1;
      total.samples[k] += samples;
      if (mode_.sends(parent)) {
        total.sent[k] += samples;
        step += cut(samples);
      }
      const bool takes_over = mode_.model_traffic == ModelTraffic::kTurn && client != before;
      if (mode_.model_traffic == ModelTraffic::kStep || takes_over) {
        total.models[k] += 1;
        step += models(1);
      }
      if (mode_.model_traffic == ModelTraffic::kRound) round.insert(client);
      before = client;
    }
    if (!epoch.ends_step(m) || !rounds_.ends_after(parent, all_steps) || round.empty()) continue;
    for (const std::int32_t client : round) total.models[static_cast<std::size_t>(client)] += 1;
    step += models(static_cast<std::int64_t>(round.size()));
    round.clear();
  }
  return traffic;
}

void Ledger::add(const Losses& losses, std::int64_t steps, std::vector<Traffic>& traffic, Participation& total) const {
  for (const Loss& loss : losses.misses) {
    if (loss.step < steps) total.missed_samples[static_cast<std::size_t>(loss.client)] += loss.samples;
  }
  for (const Loss& loss : losses.absences) {
    if (loss.step < steps) total.absences[static_cast<std::size_t>(loss.client)] += 1;
  }
  for (const Loss& entry : losses.late) {
    if (entry.step >= steps) continue;
    const auto k = static_cast<std::size_t>(entry.client);
    total.late[k] += 1;
    total.late_samples[k] += entry.samples;
    traffic[static_cast<std::size_t>(entry.step)] += in_vain(1, entry.samples);
  }
}

Traffic Ledger::of_client(const Participation& total, std::size_t client) const {
  Traffic traffic = cut(total.sent[client]);
  traffic += models(total.models[client]);
  traffic += in_vain(total.late[client], total.late_samples[client]);
  return traffic;
}

}  // namespace splitsim

#include "samplers/schedule/schedule_file.hpp"

#include <fmt/format.h>

#include <cstddef>
#include <limits>
#include <utility>

#include "base/error.hpp"
#include "base/npy.hpp"

namespace splitsim {

namespace {

constexpr std::int32_t kNobody = -1;

template <class... Args>
[[noreturn]] void refuse(const std::string& path, std::size_t row, fmt::format_string<Args...> text, Args&&... args) {
  throw InputError(fmt::format("{}: row {}: {}", path, row, fmt::format(text, std::forward<Args>(args)...)));
}

struct Row {
  std::int32_t step, client, sample;
};

/// Checks a row against the one before it; before the first one stands step -1.
void check_row(const std::string& path, std::size_t row, const Row& now, const Row& before, bool nobody) {
  if (now.sample < 0) refuse(path, row, "sample {}: allowed are ids from 0", now.sample);
  if ((now.client == kNobody) != nobody || now.client < kNobody) {
    refuse(path, row, "client {}: allowed are ids from 0, or -1 in every row", now.client);
  }
  if (now.step == before.step && now.step >= 0) {
    if (now.client >= before.client) return;
    refuse(path, row, "client {} after client {} in step {}: rows must be sorted by step, then client", now.client,
           before.client, now.step);
  }
  if (now.step == before.step + 1) return;
  if (before.step < 0) refuse(path, row, "step {}: the first row must be of step 0", now.step);
  refuse(path, row, "step {} after step {}: steps must follow each other without gaps", now.step, before.step);
}

}  // namespace

void save_schedule(const std::string& path, const Schedule& schedule) {
  const bool nobody = schedule.nobody_active();
  NpyArray<std::int32_t> array{{schedule.slots(), 3}, {}};
  array.values.reserve(3 * schedule.sample.size());
  for (std::int64_t t = 0; t < schedule.steps(); ++t) {
    if (schedule.step_first[t] == schedule.step_first[t + 1]) {
      throw InputError(
          fmt::format("{}: step {} of the schedule is empty; allowed are steps of at least 1 slot", path, t));
    }
    for (std::int32_t i = schedule.step_first[t]; i < schedule.step_first[t + 1]; ++i) {
      array.values.push_back(static_cast<std::int32_t>(t));
      array.values.push_back(nobody ? kNobody : schedule.client[i]);
      array.values.push_back(schedule.sample[i]);
    }
  }
  write_npy(path, array);
}

Schedule schedule_of_rows(const std::string& where, const std::vector<std::int32_t>& rows) {
  const std::size_t slots = rows.size() / 3;
  if (slots == 0 || slots > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    throw InputError(fmt::format("{}: {} rows: allowed are 1 to 2147483647", where, slots));
  }
  const auto row_at = [&](std::size_t i) { return Row{rows[3 * i], rows[3 * i + 1], rows[3 * i + 2]}; };
  const bool nobody = row_at(0).client == kNobody;
  Schedule schedule;
  schedule.sample.reserve(slots);
  schedule.client.reserve(slots);
  Row before{-1, 0, 0};
  for (std::size_t i = 0; i < slots; ++i) {
    const Row now = row_at(i);
    check_row(where, i, now, before, nobody);
    if (now.step != before.step) schedule.step_first.push_back(static_cast<std::int32_t>(i));
    schedule.sample.push_back(now.sample);
    schedule.client.push_back(nobody ? 0 : now.client);
    before = now;
  }
  schedule.step_first.push_back(static_cast<std::int32_t>(slots));
  if (nobody) schedule.active_first.assign(schedule.step_first.size(), 0);
  return schedule;
}

Schedule load_schedule(const std::string& path) {
  using Limits = std::numeric_limits<std::int32_t>;
  const auto array = read_npy_integers<std::int32_t>(path, {Limits::min(), Limits::max(), "step, client, sample"});
  if (array.shape.size() != 2 || array.shape[1] != 3) {
    throw InputError(fmt::format("{}: holds an array of shape {}, allowed is (slots, 3): rows of step, client, sample",
                                 path, tuple_text(array.shape)));
  }
  return schedule_of_rows(path, array.values);
}

void check_schedule_file(const std::string& path, const Schedule& schedule, const Population& population) {
  const auto samples = static_cast<std::size_t>(population.samples());
  const bool nobody = schedule.nobody_active();
  if (schedule.sample.size() % samples != 0) {
    throw InputError(fmt::format("{}: {} rows for {} samples: every sample must occur equally often", path,
                                 schedule.sample.size(), samples));
  }
  const auto times = static_cast<std::int64_t>(schedule.sample.size() / samples);
  std::vector<std::int64_t> seen(samples, 0);
  for (std::size_t i = 0; i < schedule.sample.size(); ++i) {
    const std::int32_t sample = schedule.sample[i], client = schedule.client[i];
    if (sample >= population.samples()) refuse(path, i, "sample {}: allowed are 0 to {}", sample, samples - 1);
    if (!nobody && client != population.owner[sample]) {
      refuse(path, i, "client {} gives sample {}, which client {} owns in this partition", client, sample,
             population.owner[sample]);
    }
    if (++seen[sample] > times) {
      refuse(path, i, "sample {} for the {}. time: with {} rows for {} samples each must occur {} time(s)", sample,
             seen[sample], schedule.sample.size(), samples, times);
    }
  }
}

}  // namespace splitsim

#include "samplers/schedule/presence.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#define CSV_IO_NO_THREAD  // the text is in memory already
#include <csv.h>

#include "base/csv_text.hpp"
#include "base/error.hpp"
#include "kernels/device/philox.hpp"

namespace splitsim {

namespace {

using Trace = std::map<std::int32_t, std::map<std::int64_t, bool>>;

Trace read_availability(const std::string& path, std::int32_t clients) {
  const std::string text = csv_text("clients.availability_file", path);
  io::CSVReader<3, io::trim_chars<' ', '\t'>, io::double_quote_escape<',', '"'>, io::throw_on_overflow,
                io::single_and_empty_line_comment<'#'>>
      reader(path, text.data(), text.data() + text.size());
  const auto fail = [&](const std::string& message) {
    throw InputError(fmt::format("{}:{}: {}", path, reader.get_file_line(), message));
  };
  Trace trace;
  try {
    reader.read_header(io::ignore_no_column, "client", "step", "available");
    const char *id = nullptr, *at = nullptr, *there = nullptr;
    while (reader.read_row(id, at, there)) {
      const auto client = csv_number<std::int32_t>(id);
      const auto step = csv_number<std::int64_t>(at);
      const auto state = csv_number<std::int32_t>(there);
      if (!client || *client < 0 || *client >= clients) {
        fail(fmt::format("client = \"{:.40}\": must be in 0..{} (partition.clients = {})", id, clients - 1, clients));
      }
      if (!step || *step < 1) fail(fmt::format("step = \"{:.40}\": must be a step of the run, from 1", at));
      if (!state || (*state != 0 && *state != 1)) fail(fmt::format("available = \"{:.40}\": must be 0 or 1", there));
      if (!trace[*client].emplace(*step - 1, *state == 1).second) {
        fail(fmt::format("client {} has a second row for step {}", *client, *step));
      }
    }
  } catch (const io::error::base& error) {
    throw InputError(fmt::format("{}: must be a CSV with the columns client, step, available: {}", path, error.what()));
  }
  return trace;
}

}  // namespace

Presence::Presence(const ClientSettings& settings, std::int32_t clients, const StepGrid& grid, std::uint64_t seed)
    : settings_(settings), clients_(clients), grid_(grid), seed_(seed) {
  if (settings.availability == Availability::kTrace) trace_ = read_availability(settings.availability_file, clients);
}

std::vector<bool> Presence::participants(std::uint32_t epoch, std::int64_t step) const {
  const auto k = static_cast<std::size_t>(clients_);
  if (settings_.participation == 1.0) return std::vector<bool>(k, true);
  std::vector<std::uint64_t> key(k);
  const auto round = static_cast<std::uint32_t>(round_of(step));
  for (std::size_t i = 0; i < k; ++i) {
    const Bits128 bits = random_bits(seed_, {Purpose::kParticipation, static_cast<std::uint32_t>(i), round, epoch});
    key[i] = (static_cast<std::uint64_t>(bits.y) << 32) | bits.x;
  }
  std::vector<std::size_t> order(k);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto many = static_cast<std::ptrdiff_t>(std::max(1.0, std::nearbyint(settings_.participation * clients_)));
  std::nth_element(order.begin(), order.begin() + many - 1, order.end(),
                   [&](std::size_t a, std::size_t b) { return key[a] != key[b] ? key[a] < key[b] : a < b; });
  std::vector<bool> chosen(k);
  for (std::ptrdiff_t i = 0; i < many; ++i) chosen[order[static_cast<std::size_t>(i)]] = true;
  return chosen;
}

double Presence::uniform(std::int64_t step_of_run, std::int32_t client) const {
  const auto step = static_cast<std::uint64_t>(step_of_run);
  const Bits128 bits = random_bits(seed_, {Purpose::kAvailability, static_cast<std::uint32_t>(client),
                                           static_cast<std::uint32_t>(step), static_cast<std::uint32_t>(step >> 32)});
  return static_cast<double>((static_cast<std::uint64_t>(bits.y) << 21) | (bits.x >> 11)) * 0x1p-53;
}

// The state before a step matters only until a draw decides the next one whatever it was: going back to that draw is
// going back a few steps, and needs no state.
bool Presence::on_in_chain(std::int64_t step_of_run, std::int32_t client) const {
  const double off = 1.0 / settings_.mean_on, on = 1.0 / settings_.mean_off;  // probabilities of a change
  bool flips = false;
  for (std::int64_t s = step_of_run; s > 0; --s) {
    const double u = uniform(s, client);
    const bool certainly_off = u < std::min(off, 1.0 - on), certainly_on = u >= std::max(off, 1.0 - on);
    if (certainly_off || certainly_on) return certainly_on != flips;
    if (off + on > 1.0) flips = !flips;  // between the two it stays, or surely changes
  }
  return (uniform(0, client) < on / (off + on)) != flips;
}

bool Presence::available(std::uint32_t epoch, std::int64_t step, std::int32_t client) const {
  const std::int64_t at = epoch * grid_.steps_per_epoch + step;
  switch (settings_.availability) {
    case Availability::kAlways:
      return true;
    case Availability::kBernoulli:
      return uniform(at, client) < settings_.available;
    case Availability::kChain:
      return on_in_chain(at, client);
    case Availability::kTrace:
      break;
  }
  const auto rows = trace_.find(client);
  if (rows == trace_.end()) return true;
  const auto next = rows->second.upper_bound(at);
  return next == rows->second.begin() || std::prev(next)->second;
}

}  // namespace splitsim

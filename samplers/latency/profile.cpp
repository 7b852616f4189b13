#include "samplers/latency/profile.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.hpp"
#include "base/hash.hpp"
#include "samplers/latency/distribution_draw.hpp"
#include "samplers/latency/latency_trace.hpp"

namespace splitsim {

namespace {

constexpr double kNsPerMs = 1e6;

/// The address' step: which quantity a client's draw is for. Part of every result, never renumber.
enum Quantity : std::uint32_t { kDelay = 0, kCompute = 1, kUplink = 2, kDownlink = 3, kSpeed = 4 };

Address profile_address(std::int32_t client, Quantity quantity) {
  return {Purpose::kProfile, static_cast<std::uint32_t>(client), quantity, 0, 0};
}

/// Client -> rank in [0, K), a uniformly random ranking by addressed keys (ties, of probability 2^-64, to the lower
/// id).
std::vector<std::int32_t> random_ranks(std::int32_t clients, Quantity quantity, std::uint64_t seed) {
  std::vector<std::pair<std::uint64_t, std::int32_t>> keys(static_cast<std::size_t>(clients));
  for (std::int32_t k = 0; k < clients; ++k) {
    keys[static_cast<std::size_t>(k)] = {random_u64(seed, profile_address(k, quantity)), k};
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::int32_t> rank(keys.size());
  for (std::int32_t r = 0; r < clients; ++r)
    rank[static_cast<std::size_t>(keys[static_cast<std::size_t>(r)].second)] = r;
  return rank;
}

bool is_speed(Quantity quantity) { return quantity == kUplink || quantity == kDownlink || quantity == kSpeed; }

/// One value per client, in the quantity's unit.
std::vector<double> draw_quantity(std::int32_t clients, const Distribution& distribution, Quantity quantity,
                                  std::uint64_t seed) {
  const Drawer drawer = make_drawer(distribution);
  std::vector<double> values(static_cast<std::size_t>(clients));
  if (distribution.kind == DistributionKind::kTwoSpeed) {
    const double slow_value = is_speed(quantity) ? distribution.a / distribution.c : distribution.a * distribution.c;
    const double slow_clients = std::rint(distribution.b * clients);
    const std::vector<std::int32_t> rank = random_ranks(clients, quantity, seed);
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = rank[k] < slow_clients ? slow_value : distribution.a;
  } else if (distribution.kind == DistributionKind::kZipf) {
    const std::vector<std::int32_t> rank = random_ranks(clients, quantity, seed);
    for (std::size_t k = 0; k < values.size(); ++k) values[k] = drawer.zipf(rank[k] + 1.0);
  } else {
    for (std::int32_t k = 0; k < clients; ++k) {
      values[static_cast<std::size_t>(k)] = drawer(seed, profile_address(k, quantity), clients);
    }
  }
  return values;
}

/// Rounds once, to nearest, ties to even. NaN and everything beyond kMaxProfileNs are refused.
std::int64_t round_ns(double ns, const char* key, std::int64_t client) {
  const double rounded = std::rint(ns);
  if (rounded >= 0.0 && rounded <= static_cast<double>(kMaxProfileNs)) return static_cast<std::int64_t>(rounded);
  throw InputError(
      fmt::format("{}: client {} would need {:g} ns: must be at most 2^53 ns (104 days) per event", key, client, ns));
}

template <class ToNs>
std::vector<std::int64_t> all_ns(const std::vector<double>& values, const char* key, ToNs to_ns) {
  std::vector<std::int64_t> ns(values.size());
  for (std::size_t k = 0; k < values.size(); ++k) ns[k] = round_ns(to_ns(values[k]), key, static_cast<std::int64_t>(k));
  return ns;
}

/// bytes / (mbps 10^6 / 8 bytes per second), in ns.
std::vector<std::int64_t> transfer_ns(const std::vector<double>& mbps, std::int64_t bytes, const char* key) {
  return all_ns(mbps, key, [bytes](double speed) { return static_cast<double>(bytes) * 8000.0 / speed; });
}

void check_number(double value, const char* key) {
  if (!std::isfinite(value) || value < 0.0) {
    throw InputError(fmt::format("{} = {:g}: must be a finite number >= 0", key, value));
  }
}

std::int64_t server_ns(double ms, const char* key) {
  check_number(ms, key);
  const double ns = std::rint(ms * kNsPerMs);
  if (ns > static_cast<double>(kMaxProfileNs)) {
    throw InputError(fmt::format("{} = {:g}: must be at most 2^53 ns (104 days)", key, ms));
  }
  return static_cast<std::int64_t>(ns);
}

/// The columns of the trace that some quantity reads, if there is one.
std::optional<Trace> trace_of(std::int32_t clients, const LatencySettings& settings) {
  TraceColumns columns;
  const auto ask = [&](const Distribution& quantity, std::vector<double> Trace::*column) {
    if (quantity.kind == DistributionKind::kTrace) columns.push_back(column);
  };
  if (settings.compute == ComputeRule::kFlops) {
    ask(settings.client_gflops, &Trace::gflops);
  } else {
    ask(settings.compute_ms, &Trace::compute_ms_per_sample);
  }
  ask(settings.uplink_mbps, &Trace::up_mbps);
  ask(settings.downlink_mbps, &Trace::down_mbps);
  ask(settings.delay_ms, &Trace::delay_ms);
  if (columns.empty()) return std::nullopt;
  if (settings.trace_file.empty()) {
    throw InputError("clock.trace_file = \"\": must name a CSV file when a quantity has kind = trace");
  }
  return load_trace(settings.trace_file, clients, columns);
}

/// Times of a sample's passes, at every client and at the server.
struct Compute {
  std::vector<std::int64_t> forward_ns, backward_ns;
  std::int64_t server_per_sample_ns;
};

Compute of_samples(const std::vector<double>& compute_ms, const LatencySettings& settings) {
  return {all_ns(compute_ms, "clock.compute_ms", [](double ms) { return ms * kNsPerMs; }),
          all_ns(compute_ms, "clock.backward_ratio x clock.compute_ms",
                 [&](double ms) { return ms * kNsPerMs * settings.backward_ratio; }),
          server_ns(settings.server_per_sample_ms, "clock.server_ms.per_sample")};
}

/// A multiply-add is two operations, and 10^9 operations a second are one in a nanosecond.
Compute of_work(const std::vector<double>& gflops, const LatencySettings& settings, const CutCosts& cut) {
  if (!(settings.server_gflops > 0.0)) {
    throw InputError(fmt::format("clock.server_gflops = {:g}: must be a number > 0", settings.server_gflops));
  }
  const auto forward = [&](double speed) { return 2.0 * static_cast<double>(cut.client_macs) / speed; };
  const double server = 2.0 * static_cast<double>(cut.server_macs) * (1.0 + settings.backward_ratio);
  return {all_ns(gflops, "clock.client_gflops", forward),
          all_ns(gflops, "clock.backward_ratio and clock.client_gflops",
                 [&](double speed) { return forward(speed) * settings.backward_ratio; }),
          round_ns(server / settings.server_gflops, "clock.server_gflops", -1)};
}

}  // namespace

Profile make_profile(std::int32_t clients, const LatencySettings& settings, const CutCosts& cut, std::uint64_t seed) {
  check_distribution(settings.delay_ms, "clock.delay_ms", true);
  check_distribution(settings.compute_ms, "clock.compute_ms", true);
  check_distribution(settings.client_gflops, "clock.client_gflops", false);
  check_distribution(settings.uplink_mbps, "clock.uplink_mbps", false);
  check_distribution(settings.downlink_mbps, "clock.downlink_mbps", false);
  check_number(settings.backward_ratio, "clock.backward_ratio");

  const std::optional<Trace> trace = trace_of(clients, settings);
  const auto values_of = [&](const Distribution& distribution, Quantity quantity, std::vector<double> Trace::*column) {
    return distribution.kind == DistributionKind::kTrace ? (*trace).*column
                                                         : draw_quantity(clients, distribution, quantity, seed);
  };
  const std::vector<double> delay = values_of(settings.delay_ms, kDelay, &Trace::delay_ms);
  const Compute compute =
      settings.compute == ComputeRule::kFlops
          ? of_work(values_of(settings.client_gflops, kSpeed, &Trace::gflops), settings, cut)
          : of_samples(values_of(settings.compute_ms, kCompute, &Trace::compute_ms_per_sample), settings);
  const std::vector<double> uplink = values_of(settings.uplink_mbps, kUplink, &Trace::up_mbps);
  const std::vector<double> downlink = values_of(settings.downlink_mbps, kDownlink, &Trace::down_mbps);

  Profile profile;
  if (trace) profile.trace_sha256 = trace->sha256();
  profile.delay_ns = all_ns(delay, "clock.delay_ms", [](double ms) { return ms * kNsPerMs; });
  profile.forward_ns = compute.forward_ns;
  profile.backward_ns = compute.backward_ns;
  profile.up_ns = transfer_ns(uplink, cut.activation + cut.label, "clock.uplink_mbps");
  profile.down_ns = transfer_ns(downlink, cut.gradient, "clock.downlink_mbps");
  profile.model_up_ns = transfer_ns(uplink, cut.client_model, "clock.uplink_mbps");
  profile.model_down_ns = transfer_ns(downlink, cut.client_model, "clock.downlink_mbps");
  profile.server_fixed_ns = server_ns(settings.server_fixed_ms, "clock.server_ms.fixed");
  profile.server_per_sample_ns = compute.server_per_sample_ns;
  return profile;
}

std::string Profile::sha256() const {
  Sha256 hash;
  const std::int64_t scalars[] = {std::int64_t{clients()}, server_fixed_ns, server_per_sample_ns};
  hash.add(scalars, sizeof scalars);
  for (const std::vector<std::int64_t>* values :
       {&delay_ns, &forward_ns, &backward_ns, &up_ns, &down_ns, &model_up_ns, &model_down_ns}) {
    hash.add(*values);
  }
  return hash.hex();
}

}  // namespace splitsim

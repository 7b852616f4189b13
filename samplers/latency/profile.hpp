// How fast each client is: drawn once per run, in integer nanoseconds (SPEC-style virtual time is exact and
// order-free).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/names.hpp"
#include "samplers/latency/distribution.hpp"

namespace splitsim {

/// Where the clients of a step wait for each other.
enum class Barrier : std::uint8_t { kTwo, kOne, kRunAhead };
constexpr auto names_of(Barrier) {
  return named_values<Barrier>({{"two", "after the forward and after the backward passes (paper)"},
                                {"one", "once per step: a client's passes are one chain"},
                                {"run_ahead", "never: clients with halves of their own (psl_local) start their next step at once (ours)"}});
}

/// When client models take time on the links.
enum class ModelSync : std::uint8_t { kMode, kNone, kStep, kRound };
constexpr auto names_of(ModelSync) {
  return named_values<ModelSync>({{"mode", "when the learning mode moves them, as the ledger counts"},
                                  {"none", "their transfers take no time"},
                                  {"step", "down and up in every step"},
                                  {"round", "down and up once a round"}});
}

/// Where computing times come from.
enum class ComputeRule : std::uint8_t { kPerSample, kFlops };
constexpr auto names_of(ComputeRule) {
  return named_values<ComputeRule>({{"per_sample", "clock.compute_ms and clock.server_ms.per_sample, whatever the cut"},
                                    {"flops", "multiply-adds of either side over its speed: the cut has a price"}});
}

/// Keys of [clock]. Times in milliseconds, link speeds in megabits per second.
struct LatencySettings {
  Barrier barrier = Barrier::kTwo;                                           ///< two | one | run_ahead
  Distribution delay_ms{DistributionKind::kTwoSpeed, 1.0, 0.1, 10.0};    ///< per participation
  Distribution compute_ms{DistributionKind::kLognormal, 0.2, 0.5, 0.0};  ///< forward, per sample
  Distribution uplink_mbps{DistributionKind::kConstant, 100.0, 0.0, 0.0};
  Distribution downlink_mbps{DistributionKind::kConstant, 100.0, 0.0, 0.0};
  Distribution jitter{DistributionKind::kConstant, 1.0, 0.0, 0.0};  ///< factor per (step, client)
  double backward_ratio = 2.0;                                      ///< backward over forward compute
  ComputeRule compute = ComputeRule::kPerSample;
  Distribution client_gflops{DistributionKind::kLognormal, 20.0, 0.5, 0.0};  ///< flops
  double server_gflops = 10000.0;                                            ///< flops
  double server_fixed_ms = 1.0;
  double server_per_sample_ms = 0.01;
  ModelSync model_sync = ModelSync::kMode;  ///< mode | none | step | round
  std::string trace_file;           ///< CSV for kind = trace
  double deadline_ms = 0.0;         ///< barriers: who has not arrived by then is left out; 0: everybody is waited for
  double quorum = 1.0;              ///< barriers: the share of a step's clients that is waited for
  double joule_per_gmac = 0.0;      ///< a client's energy: per 10^9 multiply-adds,
  double joule_per_mbyte = 0.0;     ///< per 10^6 bytes it sends or receives,
  double idle_watt = 0.0;           ///< and while it waits

  bool drops_late() const { return deadline_ms > 0.0 || quorum < 1.0; }
};

/// What a cut costs: sizes of what crosses it, in bytes, and the work on either side of it.
struct CutCosts {
  std::int64_t activation = 0;    ///< per sample, up
  std::int64_t gradient = 0;      ///< per sample, down: of the activation
  std::int64_t label = 4;         ///< per sample, up
  std::int64_t client_model = 0;  ///< the client half's parameters
  std::int64_t client_macs = 0;   ///< multiply-adds of a sample's forward pass
  std::int64_t server_macs = 0;
};

/// Upper end of every entry of a profile, so that conversions to double and back are exact.
constexpr std::int64_t kMaxProfileNs = std::int64_t{1} << 53;

/// Per client, integer nanoseconds, rounded once (to nearest, ties to even). d, f, g, up, down of the clock's formulas.
/// Entries are in [0, kMaxProfileNs].
struct Profile {
  std::vector<std::int64_t> delay_ns;       ///< [K] per participation
  std::vector<std::int64_t> forward_ns;     ///< [K] per sample
  std::vector<std::int64_t> backward_ns;    ///< [K] per sample
  std::vector<std::int64_t> up_ns;          ///< [K] per sample: activation + label bytes over the uplink
  std::vector<std::int64_t> down_ns;        ///< [K] per sample: cut-gradient bytes over the downlink
  std::vector<std::int64_t> model_up_ns;    ///< [K] client model over the uplink
  std::vector<std::int64_t> model_down_ns;  ///< [K] client model over the downlink
  std::int64_t server_fixed_ns = 0;
  std::int64_t server_per_sample_ns = 0;
  std::string trace_sha256{};  ///< Trace::sha256() of what was read of clock.trace_file; empty: nothing was

  std::int32_t clients() const { return static_cast<std::int32_t>(delay_ns.size()); }
  std::string sha256() const;  ///< of the numbers, wherever they come from
};

/// Draws the profile of K clients; the quantities are independent of each other. Errors: InputError (a distribution's
/// parameters, a time beyond kMaxProfileNs, a trace file's line and column).
Profile make_profile(std::int32_t clients, const LatencySettings& settings, const CutCosts& cut, std::uint64_t seed);

}  // namespace splitsim

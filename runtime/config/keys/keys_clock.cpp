// Keys of [clock].
#include "runtime/config/keys/key_builders.hpp"

namespace splitsim::key_table {

std::vector<Key> clock_keys() {
  using S = LatencySettings;
  using enum DistributionUse;
  const Condition barriers{"train.mode", modes_where([](const ModeMap& m) { return m.clock == ClockKind::kBarrier; })};
  const Condition per_sample{"clock.compute", {"per_sample"}}, flops{"clock.compute", {"flops"}};
  const Condition waits{"clock.barrier", {"two", "one"}};
  return {
      choice("clock.barrier", at<&S::barrier>, "where the clients of a step wait for each other").when({barriers}),
      draw("clock.delay_ms", at<&S::delay_ms>, kTime, "ms", "client's delay per participation"),
      choice("clock.compute", at<&S::compute>, "where computing times come from"),
      draw("clock.compute_ms", at<&S::compute_ms>, kTime, "ms", "client's forward compute per sample")
          .when({per_sample}),
      draw("clock.client_gflops", at<&S::client_gflops>, kRate, "GFLOP/s", "client's speed").when({flops}),
      positive("clock.server_gflops", at<&S::server_gflops>, "GFLOP/s", "server's speed").when({flops}),
      draw("clock.jitter", at<&S::jitter>, kJitter, "", "factor on a client's delay and compute, anew in every step"),
      draw("clock.uplink_mbps", at<&S::uplink_mbps>, kRate, "Mbit/s", "client's link to the server"),
      draw("clock.downlink_mbps", at<&S::downlink_mbps>, kRate, "Mbit/s", "client's link from the server"),
      real("clock.backward_ratio", at<&S::backward_ratio>, 0.0, 1e6, "", "client's backward over forward compute"),
      real("clock.server_ms.fixed", at<&S::server_fixed_ms>, 0.0, kMaxServerMs, "ms", "server's time per step"),
      real("clock.server_ms.per_sample", at<&S::server_per_sample_ms>, 0.0, kMaxServerMs, "ms",
           "server's time per sample")
          .when({per_sample}),
      real("clock.deadline_ms", at<&S::deadline_ms>, 0.0, kMaxServerMs, "ms",
           "barriers: clients that arrive later are left out of the step; 0: everybody is waited for")
          .when({barriers, waits}),
      share("clock.quorum", at<&S::quorum>,
            "barriers: share of a step's clients that is waited for, the earliest; the others are left out")
          .when({barriers, waits}),
      choice("clock.model_sync", at<&S::model_sync>, "when client models take time on the links")
          .when({{"train.mode", modes_where([](const ModeMap& m) { return m.clock != ClockKind::kRelay; })}}),
      real("clock.joule_per_gmac", at<&S::joule_per_gmac>, 0.0, kUnbounded, "J",
           "clients.csv: energy of 10^9 multiply-adds"),
      real("clock.joule_per_mbyte", at<&S::joule_per_mbyte>, 0.0, kUnbounded, "J",
           "clients.csv: energy of 10^6 bytes on a client's link"),
      real("clock.idle_watt", at<&S::idle_watt>, 0.0, kUnbounded, "W", "clients.csv: power of a client that waits"),
      seed("clock.seed", at<&SeedSettings::clock>, "seed of the clients' latencies, and of jitter"),
      path_to("clock.trace_file", at<&S::trace_file>,
              "trace: CSV with client, compute_ms_per_sample, up_mbps, down_mbps, delay_ms, gflops")
          .when({{"clock.delay_ms", {"trace"}}})
          .when({{"clock.compute_ms", {"trace"}}})
          .when({{"clock.client_gflops", {"trace"}}})
          .when({{"clock.uplink_mbps", {"trace"}}})
          .when({{"clock.downlink_mbps", {"trace"}}}),
  };
}

}  // namespace splitsim::key_table

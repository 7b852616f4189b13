// Keys of [clients].
#include "runtime/config/keys/key_builders.hpp"

namespace splitsim::key_table {

std::vector<Key> client_keys() {
  using S = ClientSettings;
  const Condition grouped{"train.mode", modes_where([](const ModeMap& m) { return m.needs_groups(); })};
  return {
      integer("clients.groups", at<&S::groups>, 1, kMaxInt32, "", "cpsl, gcpsl: into how many groups clients fall")
          .when({grouped, {"clients.grouping", {"contiguous", "round_robin", "random"}}}),
      choice("clients.grouping", at<&S::grouping>, "cpsl, gcpsl: which group a client is in").when({grouped}),
      path_to("clients.groups_file", at<&S::groups_file>, "grouping = file: .npy, a group from 0 for every client")
          .when({grouped, {"clients.grouping", {"file"}}}),
      share("clients.participation", at<&S::participation>,
            "share of the clients that takes part in a round, drawn anew for each; at least one does"),
      choice("clients.availability", at<&S::availability>, "when clients are there"),
      real("clients.available", at<&S::available>, 0.0, 1.0, "", "bernoulli: probability")
          .when({{"clients.availability", {"bernoulli"}}}),
      real("clients.mean_on", at<&S::mean_on>, 1.0, 1e9, "steps", "chain: mean length of being there")
          .when({{"clients.availability", {"chain"}}}),
      real("clients.mean_off", at<&S::mean_off>, 1.0, 1e9, "steps", "chain: mean length of being away")
          .when({{"clients.availability", {"chain"}}}),
      path_to("clients.availability_file", at<&S::availability_file>,
              "trace: CSV with client, step, available: 1 or 0 from that step of the run on")
          .when({{"clients.availability", {"trace"}}}),
      choice("clients.on_absence", at<&S::on_absence>, "what becomes of an absent client's samples"),
  };
}

}  // namespace splitsim::key_table

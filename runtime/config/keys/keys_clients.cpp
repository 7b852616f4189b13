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
  };
}

}  // namespace splitsim::key_table

// Who can supply which classes: an integral flow client -> class -> demand that grows unit by unit along augmenting
// paths (LEMON's Edmonds-Karp). Its unit is compiled as C++17, since LEMON 1.3.1 uses members of std::allocator that
// C++20 removed; so this header is plain C++17, too.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace splitsim {

/// One (client, class) pair for which the client holds data. Links are sorted by client, then class.
struct SupplyLink {
  std::int32_t client = 0;
  std::int32_t label = 0;
  std::int32_t capacity = 0;  ///< samples that the client can still give of this class
  std::int32_t flow = 0;      ///< samples that it gives
};

class SupplyFlow {
 public:
  SupplyFlow(std::int32_t clients, std::int32_t classes, std::vector<SupplyLink> links);
  ~SupplyFlow();
  SupplyFlow(const SupplyFlow&) = delete;
  SupplyFlow& operator=(const SupplyFlow&) = delete;

  /// Sets the demands [C], with no flow yet.
  void start(const std::vector<std::int32_t>& demand);
  /// One unit more from `client`, which must have a link. It may change which classes others give, never how many
  /// samples they give. False, and nothing changes, if no rerouting makes room: then it will not until the next
  /// start(), whatever is added meanwhile.
  bool add(std::int32_t client);
  /// Links with the flow so far.
  const std::vector<SupplyLink>& links();
  /// Takes the given flows ([links], within capacities) out of the capacities.
  void consume(const std::vector<SupplyLink>& given);

 private:
  struct Network;
  std::unique_ptr<Network> network_;
  std::vector<SupplyLink> links_;
  std::vector<std::int64_t> client_first_;  // [K+1] client k's links
  std::vector<bool> closed_;                // [C] no path leads from here to demand until the next start()
};

}  // namespace splitsim

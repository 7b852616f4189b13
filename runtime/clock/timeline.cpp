#include "runtime/clock/timeline.hpp"

#include "base/hash.hpp"

namespace splitsim {

std::string Timeline::sha256() const {
  Sha256 hash;
  hash.add(start_ns);
  hash.add(end_ns);
  hash.add(critical_forward);
  hash.add(critical_backward);
  return hash.hex();
}

}  // namespace splitsim

// Populations for tests: given sizes, and random ones with every awkward shape.
#pragma once

#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "samplers/latency/profile.hpp"
#include "samplers/population/population.hpp"

namespace splitsim::reference {

/// Client k owns sizes[k] samples; ids are dealt round robin and labels count through the classes.
inline Population population_of(std::vector<int> sizes, int classes) {
  const int clients = static_cast<int>(sizes.size());
  std::vector<std::int32_t> owner, label;
  for (bool any = true; any;) {
    any = false;
    for (int k = 0; k < clients; ++k) {
      if (sizes[k] == 0) continue;
      sizes[k] -= 1;
      any = true;
      label.push_back(static_cast<std::int32_t>(owner.size()) % classes);
      owner.push_back(k);
    }
  }
  return make_population(owner, label, clients, classes);
}

/// A profile with the given delays (ns) and per-sample times that differ from client to client.
inline Profile profile_of(std::vector<std::int64_t> delay_ns) {
  Profile profile;
  profile.delay_ns = std::move(delay_ns);
  for (std::size_t k = 0; k < profile.delay_ns.size(); ++k) {
    const auto unit = static_cast<std::int64_t>(k * 7919 % 101 + 1);
    profile.forward_ns.push_back(1000 * unit);
    profile.backward_ns.push_back(2000 * unit);
    profile.up_ns.push_back(300 * unit);
    profile.down_ns.push_back(100 * unit);
    profile.model_up_ns.push_back(0);
    profile.model_down_ns.push_back(0);
  }
  return profile;
}

/// Random shapes: uneven sizes, many empty clients, one client with everything, one sample each, more clients than
/// samples.
inline rc::Gen<Population> any_population() {
  return rc::gen::exec([] {
    const int shape = *rc::gen::inRange(0, 5), classes = *rc::gen::inRange(1, 7);
    const int clients = *rc::gen::inRange(1, 40);
    std::vector<int> sizes(static_cast<std::size_t>(clients), 0);
    const int lucky = *rc::gen::inRange(0, clients);
    for (int k = 0; k < clients; ++k) {
      if (shape == 0) sizes[k] = *rc::gen::inRange(0, 30);
      if (shape == 1) sizes[k] = *rc::gen::inRange(0, 4) == 0 ? *rc::gen::inRange(1, 60) : 0;
      if (shape == 2) sizes[k] = k == lucky ? 200 : 0;
      if (shape == 3) sizes[k] = 1;
      if (shape == 4) sizes[k] = k == lucky ? 150 : 1;
    }
    if (std::accumulate(sizes.begin(), sizes.end(), 0) == 0) sizes[lucky] = 1;
    const Population plain = population_of(sizes, classes);
    // Random places and labels, so that ids do not follow owners.
    std::vector<std::int32_t> owner = plain.owner, label = plain.label;
    for (std::size_t i = owner.size(); i > 1; --i) std::swap(owner[i - 1], owner[*rc::gen::inRange<std::size_t>(0, i)]);
    for (auto& c : label) c = *rc::gen::inRange(0, classes);
    return make_population(owner, label, clients, classes);
  });
}

/// Fixes RapidCheck's seed unless RC_PARAMS is set, so that a test run is repeatable.
inline const bool kRapidCheckIsSeeded = setenv("RC_PARAMS", "seed=24071573", 0) == 0;

}  // namespace splitsim::reference

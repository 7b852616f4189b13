// The modes of the registry, for tests that hold in each.
#pragma once

#include <string>
#include <vector>

#include "runtime/mode/mode.hpp"

namespace splitsim::test {

inline std::vector<std::string> mode_names() {
  std::vector<std::string> names;
  for (const ModeInfo& info : mode_infos()) names.push_back(info.name);
  return names;
}

inline ModeMap map_of(const std::string& mode) {
  TrainSettings settings;
  settings.mode = mode;
  return mode_map(settings);
}

}  // namespace splitsim::test

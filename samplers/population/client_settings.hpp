// Settings of who the clients are to each other and when they are there.
#pragma once

#include <cstdint>
#include <string>

#include "samplers/population/groups.hpp"

namespace splitsim {

/// Keys of [clients].
struct ClientSettings {
  std::int32_t groups = 4;  ///< cpsl, gcpsl; kinds of grouping but file
  Grouping grouping = Grouping::kContiguous;
  std::string groups_file;  ///< file: .npy, [K] integers
};

}  // namespace splitsim

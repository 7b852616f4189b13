// Numbers as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace splitsim {

/// "12.3 MiB".
std::string human_bytes(std::uint64_t bytes);

}  // namespace splitsim

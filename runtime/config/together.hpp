// Which experiments can be trained as one: those that agree on all that shapes and launches depend on.
#pragma once

#include <string>

#include "runtime/config/config.hpp"

namespace splitsim {

/// Equal for experiments that can be trained together. They may differ in seeds, partition (not in the number of clients),
/// sampler, clock, presence of clients, learning rates and their schedules, epochs, tests and records. An experiment whose
/// link remembers samples (cut.error_feedback) is alone.
std::string together_key(const Config& config);

}  // namespace splitsim

// splitsim-run --together: several runs as one.
#pragma once

#include <string>

#include "drivers/common.hpp"

namespace splitsim {

/// Trains the runs of a list as one engine. A line of the list is CONFIG.toml, a tab, and the run's directory: an empty or new one
/// begins, one that holds a run goes on from its checkpoint with its own configuration, one whose run is finished is left
/// alone. Exit code: 0. Errors: InputError for the list, configs that cannot be trained together, or a directory that holds
/// another experiment; Diverged once all are done, if one has; Interrupted.
int run_together(const std::string& list, const DeviceOptions& device);

}  // namespace splitsim

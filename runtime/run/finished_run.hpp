// Whether a run directory holds all that its experiment asks for.
#pragma once

#include <optional>
#include <string>

#include "runtime/config/config.hpp"
#include "runtime/record/records.hpp"

namespace splitsim {

/// The summary of a completed run of this very config (by its hash) to which nothing is left to do: all epochs, or
/// eval.stop_at_accuracy. Whether its inputs had the same content is for the caller to say (check_inputs()). Errors:
/// InputError for files that cannot be read.
std::optional<Summary> finished_run(const Config& config, const std::string& out_dir);

}  // namespace splitsim

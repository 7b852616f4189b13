// Which experiments are one and the same, but for how long they run: what a checkpoint may be continued as.
#pragma once

#include <string>

#include "runtime/config/config.hpp"

namespace splitsim {

/// The key of a learning-rate schedule whose first epochs depend on train.epochs, such as
/// "train.client_optimizer.schedule"; empty if there is none: then a longer run begins with the bits of a shorter one.
std::string schedule_bound_to_length(const Config& config);

/// config_sha256() that leaves train.epochs out where no schedule is bound to it.
std::string continuation_sha256(const Config& config);

/// Throws InputError unless a run recorded with `saved` may go on as `wanted`: paths may differ, and train.epochs
/// where no schedule is bound to it.
void check_continuation(const Config& saved, const Config& wanted);

}  // namespace splitsim

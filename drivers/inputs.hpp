// What a program reads, and that it does not write over it.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/config.hpp"

namespace splitsim {

/// Every path that an experiment names: its own file, if any, and the values of path keys. Without empty ones.
std::vector<std::string> inputs_of(const std::string& config_file, const Config& config);

/// Throws InputError if writing `output` would replace one of `inputs`, under whatever name, or a file in a folder among
/// them. option: for the message. An empty output is none.
void check_output(const std::string& option, const std::string& output, const std::vector<std::string>& inputs);

}  // namespace splitsim

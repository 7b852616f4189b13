// The table of keys as text for people: help by section, and the commented configuration.
#pragma once

#include <string>
#include <vector>

#include "runtime/config/config.hpp"

namespace splitsim {

struct HelpSection {
  std::string name;     ///< a table of the configuration, or distributions, layers, short, all
  std::string summary;  ///< one line
};
const std::vector<HelpSection>& help_sections();

/// A section's keys with default, unit, meaning, what is allowed and what reads them; the names that its lists hold.
/// Errors: InputError for a section that there is not, with the nearest one.
std::string config_help(const std::string& section);

/// The config as TOML with a comment on every key: meaning, unit, what is allowed. Keys that are not read are comments
/// themselves: parse_config of it is the same as of to_toml().
std::string commented_toml(const Config& config);

}  // namespace splitsim

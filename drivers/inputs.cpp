#include "drivers/inputs.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "base/error.hpp"
#include "runtime/config/keys/keys.hpp"

namespace splitsim {

namespace fs = std::filesystem;

std::vector<std::string> inputs_of(const std::string& config_file, const Config& config) {
  std::vector<std::string> paths = {config_file};
  for (const Key& key : config_keys()) {
    if (key.is_path()) paths.push_back(get(std::get<TextRule>(key.rule).field, config));
  }
  std::erase(paths, "");
  return paths;
}

void check_output(const std::string& option, const std::string& output, const std::vector<std::string>& inputs) {
  if (output.empty()) return;
  const fs::path path(output);
  for (const std::string& input : inputs) {
    std::error_code ignored;
    const bool folder = fs::is_directory(input, ignored);
    const bool replaces = folder ? fs::exists(fs::path(input) / path.filename(), ignored) &&
                                       fs::equivalent(fs::path(input) / path.filename(), path, ignored)
                                 : fs::equivalent(input, path, ignored);
    if (!replaces) continue;
    throw InputError(fmt::format("{} {}: would replace {}, which this program reads; allowed: another name", option,
                                 output, folder ? "a file in " + input : input));
  }
}

}  // namespace splitsim

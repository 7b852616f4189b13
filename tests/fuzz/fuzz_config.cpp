// TOML text, then lines of --set after a line "---".
#include <sstream>

#include "runtime/config/config.hpp"
#include "tests/fuzz/targets.hpp"

namespace splitsim::fuzz {

void fuzz_config(std::string_view bytes) {
  constexpr std::string_view kRule = "\n---\n";
  const std::size_t rule = bytes.find(kRule);
  const std::string text(bytes.substr(0, rule));
  std::vector<std::string> overrides;
  if (rule != std::string_view::npos) {
    std::istringstream lines{std::string(bytes.substr(rule + kRule.size()))};
    for (std::string line; std::getline(lines, line);) overrides.push_back(line);
  }
  const Config config = parse_config(text, "fuzz.toml", overrides);
  const std::string resolved = to_toml(config);
  const Config again = parse_config(resolved, "resolved.toml", {});
  require(to_toml(again) == resolved, "the resolved config gives itself");
  require(config_sha256(again) == config_sha256(config), "the resolved config has the same hash");
}

}  // namespace splitsim::fuzz

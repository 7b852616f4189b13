#include <fmt/format.h>

#include "base/hash.hpp"
#include "runtime/config/keys/keys.hpp"

namespace splitsim {

namespace {

// The parts of a key's path: table, inline table within it, name; the first two may be empty.
struct Parts {
  std::string table, inner, name;
};
Parts parts_of(const std::string& path) {
  const std::size_t first = path.find('.'), last = path.rfind('.');
  if (first == std::string::npos) return {"", "", path};
  if (first == last) return {path.substr(0, first), "", path.substr(first + 1)};
  return {path.substr(0, first), path.substr(first + 1, last - first - 1), path.substr(last + 1)};
}

// A seed that is absent, or, for the hash, that is the experiment's anyway.
bool says_nothing(const Key& key, const Config& config, bool for_hash) {
  const auto* rule = std::get_if<SeedRule>(&key.rule);
  if (rule == nullptr) return false;
  const std::optional<std::uint64_t>& seed = get(rule->field, config);
  return !seed.has_value() || (for_hash && *seed == config.seed);
}

std::string dump(const Config& config, bool with_paths) {
  std::string text, table, inner;
  const auto close_inner = [&] {
    if (!inner.empty()) text += " }\n";
    inner.clear();
  };
  for (const Key& key : config_keys()) {
    if ((key.is_path() && !with_paths) || !is_read(key, config)) continue;
    if (says_nothing(key, config, !with_paths)) continue;
    const Parts parts = parts_of(key.path);
    if (parts.inner != inner || parts.table != table) close_inner();
    if (parts.table != table) text += fmt::format("\n[{}]\n", parts.table);
    if (parts.inner.empty()) {
      text += fmt::format("{} = {}\n", parts.name, value_toml(key, config));
    } else {
      text += inner.empty() ? fmt::format("{} = {{ ", parts.inner) : ", ";
      text += fmt::format("{} = {}", parts.name, value_toml(key, config));
    }
    table = parts.table;
    inner = parts.inner;
  }
  close_inner();
  return text;
}

}  // namespace

std::string to_toml(const Config& config) { return dump(config, true); }

std::string config_sha256(const Config& config) {
  Sha256 hash;
  hash.add(dump(config, false));
  return hash.hex();
}

}  // namespace splitsim

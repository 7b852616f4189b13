// One list of settings for tests that run many kinds: a kind gets those that it reads.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"
#include "runtime/config/config.hpp"

namespace splitsim::test {

/// `settings` and `more`, as overrides, without those of `settings` that nothing reads beside the others.
inline std::vector<std::string> where_read(std::vector<std::string> settings, const std::vector<std::string>& more) {
  while (true) {
    std::vector<std::string> all = settings;
    all.insert(all.end(), more.begin(), more.end());
    try {
      parse_config("", "test", all);
    } catch (const InputError& error) {
      const std::string message = error.what();
      const auto unread = [&](const std::string& setting) {
        return message.find(" not read it") != std::string::npos &&
               message.starts_with("--set: " + setting.substr(0, setting.find('=')) + " = ");
      };
      if (std::erase_if(settings, unread) > 0) continue;
    }
    return all;
  }
}

}  // namespace splitsim::test

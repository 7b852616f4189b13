#include "base/csv_text.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/files.hpp"

namespace splitsim {

std::string csv_text(const std::string& key, const std::string& path) {
  std::string text;
  try {
    text = read_text_file(path);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{} = \"{}\": {}", key, path, error.what()));
  }
  const std::size_t nul = text.find('\0');
  if (nul != std::string::npos) {
    const auto lines = std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(nul), '\n');
    throw InputError(fmt::format("{}:{}: holds a NUL byte; allowed: text in UTF-8 (is this UTF-16?)", path, 1 + lines));
  }
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\r' && (i + 1 == text.size() || text[i + 1] != '\n')) text[i] = '\n';
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  return text;
}

}  // namespace splitsim

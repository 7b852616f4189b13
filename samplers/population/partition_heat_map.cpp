#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "samplers/population/partition.hpp"

namespace splitsim {
namespace {

constexpr std::string_view kRamp = " .:-=+*#%@";

/// Blank for nothing, then nine levels of equal width. Integers only, so that no rounding moves a level.
char shade(std::int64_t count, std::int64_t total) {
  const auto levels = static_cast<std::int64_t>(kRamp.size()) - 1;
  return total == 0 ? kRamp.front() : kRamp[(count * levels + total - 1) / total];
}

}  // namespace

std::string heat_map(const Population& population, int max_rows) {
  const std::int64_t classes = population.classes;
  const std::int64_t clients = population.clients;
  const std::int64_t rows = std::clamp<std::int64_t>(max_rows, 0, clients);
  std::string text = fmt::format(
      "{} of {} clients x {} classes; a cell is the class's share of the client's samples:\n", rows, clients, classes);
  text += "' ' none";
  for (std::size_t level = 1; level < kRamp.size(); ++level) {
    text += fmt::format(", '{}' <= {}/{}", kRamp[level], level, kRamp.size() - 1);
  }
  text += '\n';
  for (std::int64_t row = 0; row < rows; ++row) {
    const std::int64_t k = row * clients / rows;  // spread evenly over all clients
    text += fmt::format("{:>8} |", k);
    for (std::int64_t c = 0; c < classes; ++c) {
      text += shade(population.histogram[k * classes + c], population.size(static_cast<std::int32_t>(k)));
    }
    text += fmt::format("| {}\n", population.size(static_cast<std::int32_t>(k)));
  }
  text += "  pooled |";
  for (std::int64_t c = 0; c < classes; ++c) text += shade(population.class_total[c], population.samples());
  text += fmt::format("| {}\n", population.samples());
  return text;
}

}  // namespace splitsim

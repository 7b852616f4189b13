#include "base/nearest.hpp"

#include <algorithm>

namespace splitsim {

namespace {
std::string last_part(const std::string& dotted) { return dotted.substr(dotted.rfind('.') + 1); }
}  // namespace

int edit_distance(const std::string& a, const std::string& b) {
  // Optimal string alignment, three rows of the table at a time.
  std::vector<int> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const int replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

std::string nearest(const std::string& typed, const std::vector<std::string>& names) {
  const std::string typed_last = last_part(typed);
  int best = 2 + static_cast<int>(typed_last.size()) / 4;  // one more than what still counts as a slip
  std::string found;
  for (const std::string& name : names) {
    const int wrong_table = 1;
    const int distance = std::min(edit_distance(typed, name), edit_distance(typed_last, last_part(name)) + wrong_table);
    if (distance < best) {
      best = distance;
      found = name;
    }
  }
  return found;
}

}  // namespace splitsim

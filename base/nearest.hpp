// "Did you mean": the known name nearest to a mistyped one.
#pragma once

#include <string>
#include <vector>

namespace splitsim {

/// Fewest insertions, deletions, replacements and swaps of neighbours that turn a into b.
int edit_distance(const std::string& a, const std::string& b);

/// The name nearest to `typed` (the first of equals), or empty if none is close enough to be what was meant. Dotted
/// names are also compared by their last part alone, so that a key in the wrong table is found.
std::string nearest(const std::string& typed, const std::vector<std::string>& names);

}  // namespace splitsim

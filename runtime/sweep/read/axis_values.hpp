// Values of axes out of TOML: labels, ranges, the text of an override. For the readers of sweeps only.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <string>
#include <vector>

namespace splitsim {

/// A value on one line of TOML.
std::string inline_toml(const toml::node& node);

/// A value as a column and a folder show it: a word as it is, a number without ".0", a list as "3+5", a table as
/// "two_speed:base=10:share=0.1".
std::string label_of(const toml::node& node);

/// "1..5" and "0..100:20" (with a step), both ends included; nothing for any other text. Errors: InputError with
/// `place` before it: an end below the start, a step of 0, more than 100000 values.
std::optional<std::vector<std::int64_t>> range_of(const std::string& text, const std::string& place);

/// Whether a key's values say by themselves what they are: "sampler.kind" and its like.
bool takes_words(const std::string& key);

}  // namespace splitsim

// Enumerations with names. Beside each stands one table, a function names_of(E) that is found by its argument:
//
//   enum class Barrier : std::uint8_t { kTwo, kOne };
//   constexpr auto names_of(Barrier) {
//     return named_values<Barrier>({{"two", "after both passes"}, {"one", "once per step"}});
//   }
//
// in the order of the values. Configuration, help, errors and records take the names from there; code compares values.
#pragma once

#include <array>
#include <cstddef>
#include <string>

#include "base/error.hpp"

namespace splitsim {

struct ValueName {
  const char* name;
  const char* summary;  ///< one line for --help
};

/// The table of an enum E whose values count from 0.
template <class E, std::size_t N>
constexpr std::array<ValueName, N> named_values(const ValueName (&names)[N]) {
  std::array<ValueName, N> table{};
  for (std::size_t i = 0; i < N; ++i) table[i] = names[i];
  return table;
}

template <class E>
constexpr const char* name_of(E value) {
  return names_of(value)[static_cast<std::size_t>(value)].name;
}

/// The value that a key's text names. Errors: InputError listing the names.
template <class E>
E value_named(const std::string& key, const std::string& text) {
  const auto table = names_of(E{});
  std::string allowed;
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (text == table[i].name) return static_cast<E>(i);
    allowed += (i == 0 ? "" : ", ") + std::string(table[i].name);
  }
  throw InputError(key + " = \"" + text + "\": allowed: " + allowed);
}

/// The same into a variable of the enum's type.
template <class E>
void set_named(E& to, const std::string& key, const std::string& text) {
  to = value_named<E>(key, text);
}

}  // namespace splitsim

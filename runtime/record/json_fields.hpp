// Fields of records to and from JSON: what is not finite becomes null and NaN. Errors of the reader: InputError naming
// where, the field, its value and what is allowed.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/error.hpp"
#include "runtime/record/ordinal.hpp"

namespace splitsim::json_fields {

using Json = nlohmann::ordered_json;

template <class T>
Json json_of(const T& value) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::isfinite(value) ? Json(value) : Json(nullptr);
  } else {
    return value;
  }
}
template <class T>
Json json_of(const std::optional<T>& value) {
  return value.has_value() ? json_of(*value) : Json(nullptr);
}

template <class T>
Json json_of(const Ordinal<T>& number) {
  return std::int64_t{number.value} + 1;
}
inline Json json_of(const std::vector<double>& values) {
  Json list = Json::array();
  for (const double value : values) list.push_back(json_of(value));
  return list;
}

struct Writer {
  Json& object;
  template <class T>
  void operator()(const char* key, const T& value) const {
    object[key] = json_of(value);
  }
};

/// Reads the fields that are there and of the right kind; anything else is an error naming `where`.
struct Reader {
  const Json& object;
  const std::string& where;

  template <class T>
  void operator()(const char* key, T&& value) const {
    if (!object.is_object() || !object.contains(key)) throw InputError(fmt::format("{}: '{}' is missing", where, key));
    read(key, object[key], value);
  }

  [[noreturn]] void fail(const char* key, const Json& json, const char* allowed) const {
    throw InputError(fmt::format("{}: '{}' = {}; allowed: {}", where, key, json.dump(), allowed));
  }
  void read(const char* key, const Json& json, std::string& value) const {
    if (!json.is_string()) fail(key, json, "a text");
    value = json.get<std::string>();
  }
  void read(const char* key, const Json& json, std::map<std::string, std::string>& values) const {
    if (!json.is_object()) fail(key, json, "an object");
    values.clear();
    for (const auto& [name, value] : json.items()) read(name.c_str(), value, values[name]);
  }
  void read(const char* key, const Json& json, double& value) const {
    if (!json.is_number() && !json.is_null()) fail(key, json, "a number or null");
    value = json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
  }
  void read(const char* key, const Json& json, std::vector<double>& values) const {
    if (!json.is_array()) fail(key, json, "a list of numbers");
    values.clear();
    for (const Json& value : json) read(key, value, values.emplace_back());
  }
  template <class T>
  void read(const char* key, const Json& json, const Ordinal<T>& number) const {
    if (!json.is_number_unsigned() || json.get<std::uint64_t>() < 1) fail(key, json, "a whole number from 1");
    read(key, Json(json.get<std::uint64_t>() - 1), number.value);
  }
  void read(const char* key, const Json& json, std::optional<double>& value) const {
    value.reset();
    if (!json.is_null()) read(key, json, value.emplace());
  }
  template <class T>
  void read(const char* key, const Json& json, T& value) const requires std::is_integral_v<T> {
    static_assert(std::is_integral_v<T>);
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<T>::max());
    const bool small = json.is_number_unsigned() && json.get<std::uint64_t>() <= kMax;
    const bool negative = json.is_number_integer() && !json.is_number_unsigned() && std::is_signed_v<T> &&
                          json.get<std::int64_t>() >= static_cast<std::int64_t>(std::numeric_limits<T>::min());
    if (!small && !negative) fail(key, json, "a whole number");
    value = json.get<T>();
  }
};

inline Json parse(const std::string& text, const std::string& where) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) throw InputError(fmt::format("{}: not a JSON object", where));
  return json;
}

}  // namespace splitsim::json_fields

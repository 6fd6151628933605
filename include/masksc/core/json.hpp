// JSON with the order of keys kept (nlohmann-json). Numbers of files that fit no integer are refused where one is asked
// for; the library itself would cast them.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

namespace masksc {

using Json = nlohmann::ordered_json;

/// Json::parse, compiled once. Throws Json::parse_error. (Of files that others wrote: core/json_text.hpp.)
Json parse_json(std::string_view text);

/// The same; null where it is no JSON.
Json json_or_null(std::string_view text);

template <typename T>
concept JsonInteger = std::integral<T> && !std::same_as<T, bool>;

/// Whether the number `json` is one of T, but for what follows the point.
template <JsonInteger T>
bool fits(const auto& json) {
  using Kind = nlohmann::json::value_t;
  if (json.type() == Kind::number_integer) return std::in_range<T>(json.template get_ref<const std::int64_t&>());
  if (json.type() == Kind::number_unsigned) return std::in_range<T>(json.template get_ref<const std::uint64_t&>());
  if (json.type() != Kind::number_float) return true;
  const double value = json.template get_ref<const double&>();
  return value > static_cast<double>(std::numeric_limits<T>::min()) - 1 &&
         value < std::ldexp(1.0, std::numeric_limits<T>::digits);
}

}  // namespace masksc

template <masksc::JsonInteger T>
struct nlohmann::adl_serializer<T> {
  static void to_json(auto& json, T value) { nlohmann::to_json(json, value); }
  /// Throws Json::out_of_range.
  static void from_json(const auto& json, T& value) {
    if (!masksc::fits<T>(json))
      throw nlohmann::detail::out_of_range::create(406, "number too large: " + json.dump(), &json);
    nlohmann::from_json(json, value);
  }
};

// Compiled once, in core/json.cpp: these are a third of the time of a file with JSON.
extern template class nlohmann::basic_json<nlohmann::ordered_map>;
extern template class nlohmann::detail::serializer<masksc::Json>;
extern template class std::vector<masksc::Json>;

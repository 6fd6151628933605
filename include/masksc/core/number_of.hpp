// Numbers that texts write.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace masksc {

/// The number that all of `text` writes, as C++ reads it in any locale; nothing where it is anything else, or beyond T.
template <typename T>
std::optional<T> number_of(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace masksc

// Small helpers for messages: the nearest known name, text of strangers made fit to print, durations, byte counts.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace masksc {

/// The name in `known` with the least edit distance to `name`, or "" when none is near (over half of it differs).
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "; did you mean 'x'?" or "" when nothing is near.
std::string suggestion(std::string_view name, std::span<const std::string> known);

/// The parts of `text` between any of the characters `separators`, empty ones too: views of it.
std::vector<std::string_view> split(std::string_view text, std::string_view separators);

/// Whether `text` is UTF-8 throughout: no stray bytes, no overlong forms, no surrogates.
bool is_utf8(std::string_view text);

/// `text` with everything that could steer a terminal written as \xNN: control characters, marks that turn the
/// direction of writing, bytes that are no UTF-8. Line feeds stay where `keep_lines` says so.
std::string printable(std::string_view text, bool keep_lines = false);

/// A name from a file as messages show it: printable, and cut off with "..." where it is long.
std::string shown(std::string_view name);
/// Names of a list, separated by ", ", with "..." in place of those beyond the first twenty; "none" without any.
std::string shown(std::span<const std::string> names);

/// "12 s", "3 min 05 s", "2 h 07 min".
std::string format_duration(double seconds);

/// "1.2 GiB", "37 MiB".
std::string format_bytes(double bytes);

}  // namespace masksc

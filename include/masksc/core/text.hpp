// Small helpers for messages: the nearest known name, text of strangers made fit to print, durations, byte counts.
#pragma once

#include <cstddef>
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

/// A word as a shell takes it: in quotes where it needs them.
std::string quoted_word(const std::string& word);

/// `text` without the blanks, tabs and carriage returns around it: a view of it.
std::string_view trimmed(std::string_view text);

/// Characters of `text`, which is UTF-8.
std::size_t character_count(std::string_view text);
/// The first `count` characters of `text`, which is UTF-8; all of it where there are no more: a view of it.
std::string_view first_characters(std::string_view text, std::size_t count);

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

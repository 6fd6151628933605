// Small helpers for messages: the nearest known name, durations, byte counts.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace masksc {

/// The name in `known` with the least edit distance to `name`, or "" when none is near (over half of it differs).
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// "; did you mean 'x'?" or "" when nothing is near.
std::string suggestion(std::string_view name, std::span<const std::string> known);

/// "12 s", "3 min 05 s", "2 h 07 min".
std::string format_duration(double seconds);

/// "1.2 GiB", "37 MiB".
std::string format_bytes(double bytes);

}  // namespace masksc

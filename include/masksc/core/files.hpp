// Files that appear whole or not at all.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace masksc {

/// The name under which a file is written before `publish` moves it to `path`.
std::filesystem::path staging_path(const std::filesystem::path& path);

/// Flushes `staged` to disk, renames it to `path` and flushes the folder. Throws EnvironmentError.
void publish(const std::filesystem::path& staged, const std::filesystem::path& path);

/// Writes `text` to `path` through a staging file. Throws EnvironmentError; an existing file is never damaged.
void write_file(const std::filesystem::path& path, std::string_view text);

/// The whole file. Throws UserError when it can't be read.
std::string read_file(const std::filesystem::path& path);

}  // namespace masksc

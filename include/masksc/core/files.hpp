// Files that appear whole or not at all.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace masksc {

/// The name under which a file is written before `publish` moves it to `path`.
std::filesystem::path staging_path(const std::filesystem::path& path);

/// Flushes `staged` to disk, renames it to `path` and flushes the folder. Throws EnvironmentError.
void publish(const std::filesystem::path& staged, const std::filesystem::path& path);

/// A file being written under its staging name: removed unless it is published.
class StagedFile {
 public:
  explicit StagedFile(std::filesystem::path target) : target_(std::move(target)), staged_(staging_path(target_)) {}
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;
  ~StagedFile() {
    std::error_code ignored;
    if (!published_) std::filesystem::remove(staged_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return staged_; }
  /// Throws EnvironmentError.
  void publish() {
    masksc::publish(staged_, target_);
    published_ = true;
  }

 private:
  std::filesystem::path target_;
  std::filesystem::path staged_;
  bool published_ = false;
};

/// `path` from the root on, without "." and "..".
std::filesystem::path full_path(const std::filesystem::path& path);

/// Makes `folder` and those above it; false where it was there. Throws EnvironmentError.
bool make_folder(const std::filesystem::path& folder);

/// Writes `text` to `path` through a staging file. Throws EnvironmentError; an existing file is never damaged.
void write_file(const std::filesystem::path& path, std::string_view text);

/// The whole text of a file, without the byte order mark that some editors put first. Throws UserError when it can't be
/// read, is a folder, or holds more than `most` bytes (a device without end).
std::string read_file(const std::filesystem::path& path, std::size_t most = std::size_t{1} << 30);

}  // namespace masksc

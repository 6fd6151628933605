#include "masksc/core/files.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/error.hpp"

namespace masksc {
namespace {

[[noreturn]] void fail(const char* what, const std::filesystem::path& path, int code) {
  throw EnvironmentError(
      fmt::format("cannot {} '{}': {}; check free space and permissions", what, path.string(), std::strerror(code)));
}

void flush_to_disk(const std::filesystem::path& path, int flags) {
  const Descriptor file(::open(path.c_str(), flags));
  if (!file) fail("open", path, errno);
  // EINVAL: a file system without fsync for folders
  if (::fsync(file.number()) != 0 && errno != EINVAL) fail("flush", path, errno);
}

}  // namespace

std::filesystem::path staging_path(const std::filesystem::path& path) {
  return path.parent_path() / ("." + path.filename().string() + ".partial");
}

void publish(const std::filesystem::path& staged, const std::filesystem::path& path) {
  flush_to_disk(staged, O_RDONLY);
  if (::rename(staged.c_str(), path.c_str()) != 0) fail("rename to", path, errno);
  flush_to_disk(path.has_parent_path() ? path.parent_path() : ".", O_RDONLY | O_DIRECTORY);
}

std::filesystem::path full_path(const std::filesystem::path& path) {
  return std::filesystem::absolute(path).lexically_normal();
}

bool make_folder(const std::filesystem::path& folder) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(folder, error);
  if (error) throw EnvironmentError(fmt::format("cannot make the folder '{}': {}", folder.string(), error.message()));
  return made;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  StagedFile staged(path);
  {
    std::ofstream out(staged.path(), std::ios::binary | std::ios::trunc);
    out.write(text.data(), static_cast<std::streamsize>(text.size()));
    out.flush();
    if (!out) fail("write", staged.path(), errno);
  }
  staged.publish();
}

std::string read_file(const std::filesystem::path& path, std::size_t most) {
  const auto refuse = [&](const char* why) -> std::string {
    throw UserError(fmt::format("cannot read '{}': {}", path.string(), why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return refuse("it is a folder");
  std::ifstream in(path, std::ios::binary);
  if (!in) return refuse(std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> block{};
  while (in) {
    in.read(block.data(), static_cast<std::streamsize>(block.size()));
    text.append(block.data(), static_cast<std::size_t>(in.gcount()));
    if (text.size() > most) return refuse("it is larger than a text of its kind can be");
  }
  if (in.bad()) return refuse(std::strerror(errno));
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  if (text.starts_with(mark)) text.erase(0, mark.size());
  return text;
}

}  // namespace masksc

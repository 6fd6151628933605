#include "text_lines.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <new>

#include "masksc/core/apart.hpp"
#include "masksc/core/descriptor.hpp"
#include "masksc/core/error.hpp"

namespace masksc {
namespace {

/// Also the longest line.
constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

/// A regular file; opening a pipe must not wait for a writer.
Descriptor open_regular(const std::filesystem::path& path) {
  Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file)
    throw UserError(
        fmt::format("cannot open '{}': {}; check the name and the permissions", path.string(), std::strerror(errno)));
  struct stat status {};
  if (::fstat(file.number(), &status) == 0 && S_ISREG(status.st_mode)) return file;
  throw UserError(fmt::format("'{}' is no regular file: give the files of a 10x folder", path.string()));
}

}  // namespace

TextLines::TextLines(std::filesystem::path path) : path_(std::move(path)), buffer_(buffer_bytes) {
  Descriptor descriptor = open_regular(path_);
  file_ = gzdopen(descriptor.number(), "rb");
  if (file_ == nullptr) throw std::bad_alloc();
  static_cast<void>(descriptor.release());  // gzclose closes it
  gzbuffer(file_, 1U << 18U);
}

TextLines::~TextLines() { gzclose(file_); }

bool TextLines::next(std::string_view& line) {
  const auto find_end = [&] {
    return static_cast<const char*>(std::memchr(buffer_.data() + begin_, '\n', end_ - begin_));
  };
  const char* end = find_end();
  while (end == nullptr && refill()) end = find_end();
  if (end == nullptr && begin_ == end_) return false;
  const std::size_t until = end == nullptr ? end_ : static_cast<std::size_t>(end - buffer_.data());
  line = {buffer_.data() + begin_, until - begin_};
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  begin_ = end == nullptr ? end_ : until + 1;
  ++number_;
  return true;
}

bool TextLines::refill() {
  still_working();
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (end_ == buffer_.size()) {
    ++number_;
    refuse(fmt::format("is longer than {} bytes: give a text file", buffer_.size()));
  }
  const int got = gzread(file_, buffer_.data() + end_, static_cast<unsigned>(buffer_.size() - end_));
  int code = Z_OK;
  const char* why = gzerror(file_, &code);
  if (code == Z_ERRNO)
    throw EnvironmentError(fmt::format("cannot read '{}': {}; check the disk or the network file system",
                                       path_.string(), std::strerror(errno)));
  if (got <= 0 && code != Z_OK && code != Z_STREAM_END)
    throw UserError(fmt::format("cannot unpack '{}' after line {}: {}; the file is damaged or not whole: copy it again",
                                path_.string(), number_, why));
  end_ += static_cast<std::size_t>(got);
  return got > 0;
}

void TextLines::rewind() {
  begin_ = end_ = 0;
  number_ = 0;
  if (gzrewind(file_) != 0)
    throw EnvironmentError(
        fmt::format("cannot read '{}' again; check the disk or the network file system", path_.string()));
}

void TextLines::refuse(const std::string& what) const {
  throw UserError(fmt::format("'{}' line {} {}", path_.string(), number_, what));
}

}  // namespace masksc

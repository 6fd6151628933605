// The lines of a text file, plain or gzip, one at a time in bounded memory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

struct gzFile_s;

namespace masksc {

class TextLines {
 public:
  /// Throws UserError when it can't be opened or is no regular file.
  explicit TextLines(std::filesystem::path path);
  TextLines(const TextLines&) = delete;
  TextLines& operator=(const TextLines&) = delete;
  ~TextLines();

  /// The next line without its end, valid until the next call; false after the last one. Throws UserError for a damaged
  /// or truncated gzip and for a line without end.
  bool next(std::string_view& line);
  /// Of the line that was read last, from 1.
  [[nodiscard]] std::int64_t number() const { return number_; }
  /// Back to the first line.
  void rewind();
  /// Throws the UserError "'FILE' line N WHAT".
  [[noreturn]] void refuse(const std::string& what) const;

 private:
  /// Appends to the buffer what the file has next; false at its end.
  bool refill();

  std::filesystem::path path_;
  gzFile_s* file_ = nullptr;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is not yet given out
  std::size_t end_ = 0;
  std::int64_t number_ = 0;
};

}  // namespace masksc

// TensorBoard's event files: records of scalars by step, each with checksums (TFRecord framing, Event messages of
// protocol buffers, encoded here). TensorBoard reads them while they are written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "masksc/core/descriptor.hpp"

namespace masksc {

/// CRC-32C (Castagnoli).
std::uint32_t crc32c(std::string_view data);

/// A TFRecord: length (8 bytes, little-endian), its masked CRC, `payload`, its masked CRC.
std::string tfrecord(std::string_view payload);

struct ScalarEvent {
  double seconds = 0;                                      // since 1970
  std::int64_t step = 0;                                   // not negative
  std::vector<std::pair<std::string, float>> values = {};  // by tag; tags are UTF-8
};

/// The serialised Event of a step's scalars.
std::string encode_event(const ScalarEvent& scalars);

/// A new event file in a folder: later ones sort after earlier ones, so that TensorBoard reads on in the newest. It
/// begins with the version of the format, and with a start of session, which tells a TensorBoard that already shows
/// older files of the folder to forget what it has.
class EventFile {
 public:
  /// Makes the folder as well. Throws EnvironmentError.
  explicit EventFile(const std::filesystem::path& folder);

  /// Throws EnvironmentError; the file is then cut back to its last whole record.
  void append(std::span<const ScalarEvent> events);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void put(const std::string& records);

  std::filesystem::path path_;
  Descriptor file_;
  std::int64_t bytes_ = 0;
};

/// Whether a file of this name is an event file.
bool is_event_file(const std::filesystem::path& path);

}  // namespace masksc

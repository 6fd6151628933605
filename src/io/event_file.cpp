#include "masksc/io/event_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/host.hpp"

namespace masksc {
namespace {

constexpr std::string_view name_prefix = "events.out.tfevents.";

constexpr std::array<std::uint32_t, 256> crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int bit = 0; bit < 8; ++bit) c = (c & 1) != 0 ? (c >> 1) ^ 0x82F63B78U : c >> 1;
    table.at(i) = c;
  }
  return table;
}();

/// TFRecord's mask: the checksum of data that hold checksums would be weak.
std::uint32_t masked(std::uint32_t crc) { return std::rotr(crc, 15) + 0xA282EAD8U; }

template <typename T>
void put_little_endian(std::string& out, T value) {
  for (std::size_t byte = 0; byte < sizeof(T); ++byte) out += static_cast<char>((value >> (8 * byte)) & 0xFF);
}

// Protocol buffers: a field is its key (number and wire type) and its value.
constexpr unsigned varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5;

void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>((value & 0x7F) | 0x80);
  out += static_cast<char>(value);
}

void put_key(std::string& out, unsigned field, unsigned wire) { put_varint(out, field << 3 | wire); }

void put_bytes(std::string& out, unsigned field, std::string_view value) {
  put_key(out, field, bytes);
  put_varint(out, value.size());
  out += value;
}

/// Event: wall_time = 1, step = 2, file_version = 3, summary = 5, session_log = 7.
std::string event_of(double seconds, std::int64_t step) {
  std::string event;
  put_key(event, 1, fixed64);
  put_little_endian(event, std::bit_cast<std::uint64_t>(seconds));
  if (step != 0) {  // 0 is what a missing field means
    put_key(event, 2, varint);
    put_varint(event, static_cast<std::uint64_t>(step));
  }
  return event;
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::string first_records() {
  std::string version = event_of(now(), 0);
  put_bytes(version, 3, "brain.Event:2");
  std::string status;  // SessionLog: status = 1, of which START is 1
  put_key(status, 1, varint);
  put_varint(status, 1);
  std::string start = event_of(now(), 0);
  put_bytes(start, 7, status);
  return tfrecord(version) + tfrecord(start);
}

}  // namespace

std::uint32_t crc32c(std::string_view data) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (const char c : data) crc = (crc >> 8) ^ crc_table.at((crc ^ static_cast<unsigned char>(c)) & 0xFF);
  return crc ^ 0xFFFFFFFFU;
}

std::string tfrecord(std::string_view payload) {
  std::string record;
  put_little_endian(record, std::uint64_t{payload.size()});
  put_little_endian(record, masked(crc32c(record)));
  record += payload;
  put_little_endian(record, masked(crc32c(payload)));
  return record;
}

std::string encode_event(const ScalarEvent& scalars) {
  std::string summary;  // Summary: value = 1; Value: tag = 1, simple_value = 2
  for (const auto& [tag, number] : scalars.values) {
    std::string value;
    put_bytes(value, 1, tag);
    put_key(value, 2, fixed32);
    put_little_endian(value, std::bit_cast<std::uint32_t>(number));
    put_bytes(summary, 1, value);
  }
  std::string event = event_of(scalars.seconds, scalars.step);
  put_bytes(event, 5, summary);
  return event;
}

EventFile::EventFile(const std::filesystem::path& folder) {
  make_folder(folder);
  static std::atomic<int> made = 0;  // by this process: two within a second have names of their own, in their order
  path_ = folder / fmt::format("{}{:010}.{}.{}.{:06}", name_prefix, static_cast<std::int64_t>(now()), host_name(),
                               ::getpid(), made++);
  file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!file_) throw EnvironmentError(fmt::format("cannot write '{}': {}", path_.string(), std::strerror(errno)));
  put(first_records());
}

void EventFile::append(std::span<const ScalarEvent> events) {
  std::string records;
  for (const ScalarEvent& event : events) records += tfrecord(encode_event(event));
  put(records);
}

void EventFile::put(const std::string& records) {
  const ssize_t written = ::write(file_.number(), records.data(), records.size());
  if (written == static_cast<ssize_t>(records.size())) {
    bytes_ += written;
    return;
  }
  const int code = written < 0 ? errno : ENOSPC;
  const bool whole = ::ftruncate(file_.number(), bytes_) == 0 && ::lseek(file_.number(), bytes_, SEEK_SET) == bytes_;
  throw EnvironmentError(fmt::format("cannot write '{}': {}{}", path_.string(), std::strerror(code),
                                     whole ? "" : "; its last record is torn"));
}

bool is_event_file(const std::filesystem::path& path) { return path.filename().string().starts_with(name_prefix); }

}  // namespace masksc

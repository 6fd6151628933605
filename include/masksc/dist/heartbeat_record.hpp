// The file by which a rank shows its peers, and people, that it lives and what it does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

namespace masksc {

enum class RankState {
  computing,
  waiting,  // for the other ranks, in a collective
  ended,    // in order: the run is done, stopped, or has told its error
};

struct HeartbeatRecord {
  int rank = 0;
  std::string host;
  std::int64_t pid = 0;
  std::string stage = "prepare";
  std::int64_t step = 0;   // of the stage; 0 before the first, and in stages without steps
  std::uint64_t beat = 0;  // grows with every writing
  std::string time;        // ISO 8601, UTC; for people: the clocks of two hosts are never compared
  RankState state = RankState::computing;
  std::string operation;    // that a waiting rank waits in
  double seconds = 0;       // that it has computed without a pause, or waited
  double longest_step = 0;  // of its steps so far, in seconds; 0 outside of steps, and before some are done
  std::string reason;       // why a rank ended
};

/// Bytes of every record: one JSON object, spaces, a newline. They are overwritten in place, never moved or truncated.
constexpr std::size_t heartbeat_bytes = 1024;

/// The record as exactly `heartbeat_bytes` bytes; a reason that is too long is cut.
std::string encode(const HeartbeatRecord& record);
/// Nothing for what is not a whole record.
std::optional<HeartbeatRecord> decode(std::string_view text);

/// Writes the record over the one in `path` (mode 0600), which is made only if `create`. Opens and closes the file each
/// time: on NFS that is what carries it to other hosts. Returns whether all was written.
bool write_heartbeat(const std::filesystem::path& path, const HeartbeatRecord& record, bool create) noexcept;
/// Nothing for a file that is missing, unreadable or torn.
std::optional<HeartbeatRecord> read_heartbeat(const std::filesystem::path& path) noexcept;

/// DIR/RANK.json.
std::filesystem::path heartbeat_path(const std::filesystem::path& folder, int rank);
/// Whether `path` is a folder that holds nothing but such files.
bool holds_only_heartbeats(const std::filesystem::path& path);
/// Removes such files, and the folder if nothing else is in it.
void remove_heartbeats(const std::filesystem::path& folder);

/// The time of day as ISO 8601 in UTC.
std::string utc_time();

}  // namespace masksc

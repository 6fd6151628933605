#include "masksc/dist/heartbeat_record.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <system_error>
#include <vector>

#include "masksc/core/descriptor.hpp"
#include "masksc/core/json.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

const char* name_of(RankState state) {
  switch (state) {
    case RankState::computing:
      return "computing";
    case RankState::waiting:
      return "waiting";
    default:
      return "ended";
  }
}

std::optional<RankState> state_of(const std::string& name) {
  for (const RankState state : {RankState::computing, RankState::waiting, RankState::ended})
    if (name == name_of(state)) return state;
  return std::nullopt;
}

std::string to_json(const HeartbeatRecord& record, std::string_view reason) {
  Json json = {{"rank", record.rank}, {"host", record.host}, {"pid", record.pid},   {"stage", record.stage},
               {"step", record.step}, {"beat", record.beat}, {"time", record.time}, {"state", name_of(record.state)}};
  if (record.state == RankState::waiting) {
    json["operation"] = record.operation;
    json["waiting_seconds"] = record.seconds;
  }
  if (record.state == RankState::computing) json["computing_seconds"] = record.seconds;
  if (record.state == RankState::ended)
    json["reason"] = reason;
  else
    json["longest_step_seconds"] = record.longest_step;
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

/// RANK.json
bool is_heartbeat(const fs::path& path) {
  return path.extension() == ".json" && path.stem().string().find_first_not_of("0123456789") == std::string::npos;
}

template <typename Work>
void for_each_entry(const fs::path& folder, const Work& work) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error))
    work(entry->path());
}

}  // namespace

std::string encode(const HeartbeatRecord& record) {
  std::string_view reason = std::string_view(record.reason).substr(0, heartbeat_bytes);
  std::string text = to_json(record, reason);
  while (text.size() >= heartbeat_bytes && !reason.empty()) {
    constexpr std::size_t longest_escape = 6;  // \u00XX
    reason.remove_suffix(std::min((text.size() - heartbeat_bytes) / longest_escape + 1, reason.size()));
    text = to_json(record, reason);
  }
  text.resize(heartbeat_bytes - 1, ' ');
  return text + '\n';
}

std::optional<HeartbeatRecord> decode(std::string_view text) {
  if (text.size() != heartbeat_bytes || text.back() != '\n') return std::nullopt;
  try {
    const Json json = parse_json(text);
    HeartbeatRecord record;
    json.at("rank").get_to(record.rank);
    json.at("host").get_to(record.host);
    json.at("pid").get_to(record.pid);
    json.at("stage").get_to(record.stage);
    json.at("step").get_to(record.step);
    json.at("beat").get_to(record.beat);
    json.at("time").get_to(record.time);
    const auto state = state_of(json.at("state").get<std::string>());
    if (!state) return std::nullopt;
    record.state = *state;
    if (record.state == RankState::waiting) {
      json.at("operation").get_to(record.operation);
      json.at("waiting_seconds").get_to(record.seconds);
    }
    if (record.state == RankState::computing) json.at("computing_seconds").get_to(record.seconds);
    if (record.state == RankState::ended)
      json.at("reason").get_to(record.reason);
    else
      json.at("longest_step_seconds").get_to(record.longest_step);
    return record;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

bool write_heartbeat(const fs::path& path, const HeartbeatRecord& record, bool create) noexcept {
  try {
    const std::string text = encode(record);
    Descriptor file(::open(path.c_str(), O_WRONLY | O_CLOEXEC | (create ? O_CREAT : 0), 0600));
    if (!file) return false;
    const ::ssize_t written = ::pwrite(file.number(), text.data(), text.size(), 0);
    return file.close() && written == static_cast<::ssize_t>(text.size());
  } catch (...) {
    return false;
  }
}

std::optional<HeartbeatRecord> read_heartbeat(const fs::path& path) noexcept {
  try {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file) return std::nullopt;
    std::array<char, heartbeat_bytes + 1> text{};  // one more: a file that is too long is not ours
    const ::ssize_t got = ::pread(file.number(), text.data(), text.size(), 0);
    if (got < 0) return std::nullopt;
    return decode(std::string_view(text.data(), static_cast<std::size_t>(got)));
  } catch (...) {
    return std::nullopt;
  }
}

fs::path heartbeat_path(const fs::path& folder, int rank) { return folder / fmt::format("{}.json", rank); }

bool holds_only_heartbeats(const fs::path& path) {
  std::error_code error;
  bool only = fs::is_directory(path, error);
  for_each_entry(path, [&](const fs::path& entry) { only = only && is_heartbeat(entry); });
  return only;
}

void remove_heartbeats(const fs::path& folder) {
  std::vector<fs::path> ours;
  for_each_entry(folder, [&](const fs::path& entry) {
    if (is_heartbeat(entry)) ours.push_back(entry);
  });
  for (const fs::path& file : ours) ::unlink(file.c_str());
  ::rmdir(folder.c_str());  // fails unless it is empty
}

std::string utc_time() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &utc)};
}

}  // namespace masksc

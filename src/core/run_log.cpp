#include "masksc/core/run_log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

/// Cuts off a last line without its newline: the writer was killed in the middle of it.
void drop_torn_line(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto size = std::filesystem::file_size(path, ignored);
  if (ignored || size == 0) return;
  std::ifstream in(path, std::ios::binary);
  std::uintmax_t whole = 0;
  constexpr std::uintmax_t window = 1 << 16;
  for (std::uintmax_t end = size; end > 0 && whole == 0;) {
    const std::uintmax_t begin = end > window ? end - window : 0;
    std::string text(end - begin, '\0');
    in.seekg(static_cast<std::streamoff>(begin));
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    const auto newline = text.rfind('\n');
    if (newline != std::string::npos) whole = begin + newline + 1;
    end = begin;
  }
  if (whole < size) std::filesystem::resize_file(path, whole);
}

}  // namespace

RunLog::RunLog(const std::filesystem::path& path) : path_(path.string()) {
  drop_torn_line(path);
  file_ = Descriptor(::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!file_) throw EnvironmentError(fmt::format("cannot write '{}': {}", path_, std::strerror(errno)));
}

void RunLog::write(const Json& line) {
  if (!file_) return;
  const std::string text = line.dump() + "\n";
  const off_t before = ::lseek(file_.number(), 0, SEEK_END);
  const ssize_t put = ::write(file_.number(), text.data(), text.size());
  if (put == static_cast<ssize_t>(text.size())) {
    if (follower_) follower_(line);
    return;
  }
  const int code = put < 0 ? errno : ENOSPC;
  const bool whole = put <= 0 || ::ftruncate(file_.number(), before) == 0;  // no torn line is left
  if (!std::exchange(warned_, true))
    log::warning("cannot write '{}': {}; the run goes on, lines are missing{}", path_, std::strerror(code),
                 whole ? "" : " and one is torn");
}

void RunLog::event(const std::string& stage, const std::string& event, std::int64_t step, const Json& more) {
  Json line = {{"stage", stage}, {"event", event}, {"step", step}, {"time", log_time()}};
  line.update(more);
  write(line);
}

void for_each_logged_line(const std::filesystem::path& path, const std::function<void(const Json& line)>& visit) {
  std::ifstream in(path);
  std::int64_t damaged = 0;
  for (std::string text; std::getline(in, text);) {
    if (text.empty()) continue;
    Json line;
    try {
      line = parse_json(text, "a line");
    } catch (const UserError&) {
      ++damaged;
      continue;
    }
    visit(line);
  }
  if (damaged > 0)
    log::warning("'{}': {} no JSON and left out", path.string(),
                 damaged == 1 ? "a line is" : fmt::format("{} lines are", damaged));
}

double logged_seconds(const std::filesystem::path& path) {
  double sum = 0;
  double last = 0;  // of the process that the line is of
  for_each_logged_line(path, [&](const Json& line) {
    if (!line.is_object()) return;
    if (line.value("event", Json()) == begin_event) last = 0;
    const Json time = line.value("time", Json());
    if (!time.is_number()) return;
    if (last > 0) sum += std::max(0.0, time.get<double>() - last);
    last = time.get<double>();
  });
  return sum;
}

double log_time() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<double>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()) / 1000;
}

}  // namespace masksc

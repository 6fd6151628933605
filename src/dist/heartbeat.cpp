#include "masksc/dist/heartbeat.hpp"

#include <unistd.h>

#include <cstdlib>

#include "masksc/core/host.hpp"
#include "masksc/core/log.hpp"

namespace masksc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds quiet_before_looking{1};

/// Rank 0 gives up first, then rank 1; the others only if those can't: one message, not one a rank.
int looks_of(int rank) { return rank <= 1 ? 2 : 4; }

}  // namespace

Heartbeat::Heartbeat(Collectives& ranks, HeartbeatSettings settings)
    : ranks_(ranks),
      settings_(std::move(settings)),
      lookout_(static_cast<double>(settings_.stall_timeout.count()), looks_of(ranks.rank()), ranks.is_root()) {
  on_root(ranks_, [&] {
    std::error_code ignored;
    remove_heartbeats(settings_.folder);  // those of a killed run would look like ranks that hang
    std::filesystem::create_directory(settings_.folder, ignored);
  });
  record_.rank = ranks_.rank();
  record_.host = host_name();
  record_.pid = ::getpid();
  lost_ = true;  // makes the file
  write({});
  ranks_.barrier();  // no rank makes its file after another has removed the folder of a run that fails early
  thread_ = std::thread([this] { run(); });
}

void Heartbeat::begin_stage(const std::string& stage) {
  ranks_.begin_step(0);
  {
    const std::scoped_lock lock(mutex_);
    stage_ = stage;
  }
  wakes_.notify_all();
}

void Heartbeat::end(const std::string& reason) noexcept {
  {
    const std::scoped_lock lock(mutex_);
    if (ended_) return;
    ended_ = true;
  }
  wakes_.notify_all();
  thread_.join();
  try {
    record_.stage = stage_;  // since the last beat it may have moved on
    record_.step = ranks_.activity().step;
    record_.state = RankState::ended;
    record_.reason = reason;
    ++record_.beat;
    record_.time = utc_time();
    write_heartbeat(heartbeat_path(settings_.folder, record_.rank), record_, false);
  } catch (...) {  // a heartbeat never hurts
  }
}

std::function<std::string()> Heartbeat::peers() const {
  return [notes = notes_] {
    const std::scoped_lock lock(notes->mutex);
    return notes->text;
  };
}

void Heartbeat::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wakes_.wait_for(lock, settings_.period, [&] { return ended_ || stage_ != record_.stage; });
    if (ended_) return;
    record_.stage = stage_;
    lock.unlock();
    const RankActivity activity = ranks_.activity();
    try {
      write(activity);
      if (ranks_.size() > 1 && activity.lasting >= quiet_before_looking) look();
    } catch (const std::exception& e) {  // out of memory, say: the rank's own thread meets it and can tell
      log::debug("{}", e.what());
    }
    lock.lock();
  }
}

void Heartbeat::write(const RankActivity& activity) {
  record_.step = activity.step;
  ++record_.beat;
  record_.time = utc_time();
  record_.state = activity.operation != nullptr ? RankState::waiting : RankState::computing;
  record_.operation = activity.operation != nullptr ? activity.operation : "";
  record_.seconds = std::chrono::duration<double>(activity.lasting).count();
  record_.longest_step = std::chrono::duration<double>(activity.longest_step).count();
  const std::filesystem::path path = heartbeat_path(settings_.folder, record_.rank);
  const bool written = write_heartbeat(path, record_, lost_);
  // A beat that stands still would accuse this rank; no file does not.
  if (!written) ::unlink(path.c_str());
  lost_ = !written;
}

void Heartbeat::look() {
  std::vector<std::optional<HeartbeatRecord>> seen;
  Clock::time_point beaten = Clock::now();
  for (int rank = ranks_.is_root() ? 1 : 0; rank < (ranks_.is_root() ? ranks_.size() : 1); ++rank) {
    seen.push_back(read_heartbeat(heartbeat_path(settings_.folder, rank)));
    if (Clock::now() - beaten < settings_.period) continue;
    write(ranks_.activity());  // many files, or a slow disk: this rank must not seem to hang
    beaten = Clock::now();
  }
  const Verdict verdict = lookout_.look(record_, seen, Clock::now());
  {
    const std::scoped_lock lock(notes_->mutex);
    notes_->text = describe_busy(lookout_.peers());
  }
  if (verdict.kind == Verdict::Kind::none) return;
  const std::string message =
      explain(verdict, record_, lookout_.peers(), static_cast<double>(settings_.stall_timeout.count()), ranks_.size());
  if (settings_.on_stall) {
    settings_.on_stall(message);
    return;
  }
  log::error("{}", message);
  record_.state = RankState::ended;
  record_.reason = message;
  ++record_.beat;
  write_heartbeat(heartbeat_path(settings_.folder, record_.rank), record_, false);
  std::_Exit(static_cast<int>(ExitCode::environment));
}

}  // namespace masksc

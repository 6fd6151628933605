#include "masksc/study/points.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "masksc/core/folder_lock.hpp"
#include "masksc/core/log.hpp"
#include "masksc/train/stop.hpp"
#include "point_records.hpp"
#include "point_watch.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;
using Indices = std::vector<std::int64_t>;

/// A rank of a group that waits longer for the others after a point has failed on it ends the program: they are stuck
/// in the middle of the point.
constexpr std::chrono::seconds patience{60};

void check_points(const std::vector<Point>& points, const Collectives& world) {
  std::set<std::string> names;
  for (const Point& point : points) {
    ensure(!point.name.empty() && point.name == file_name(point.name), "the name of a point is one of a file");
    if (!names.insert(point.name).second) throw UserError(fmt::format("there are two points '{}'", point.name));
    if (point.ranks > world.size())
      throw UserError(fmt::format("{} needs {} ranks, and there are {}: start more, or ask for fewer a point",
                                  point.name, point.ranks, world.size()));
  }
}

/// The points to work on, dearest first; after them those that failed before, which may end the program. Records of
/// failed ones, and of others that are to be replaced, go. On one rank.
Indices pending_points(const std::vector<Point>& points, const PointsSettings& settings, const fs::path& folder) {
  // All are read, and those that are not to be replaced refused, before the first one goes.
  std::map<std::int64_t, PointStatus> status;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (settings.only >= 0 && static_cast<std::size_t>(settings.only) != i) continue;
    const PointStatus found = read_record(folder, points[i], settings.overwrite).status;
    if (found != PointStatus::done) status.emplace(static_cast<std::int64_t>(i), found);
  }
  Indices pending;
  std::set<std::int64_t> failed;
  for (const auto& [i, found] : status) {
    const Point& point = points[static_cast<std::size_t>(i)];
    const fs::path record = record_path(folder, point);
    // A point that is replaced begins anew; one that failed goes on where it was.
    if (found == PointStatus::failed) failed.insert(i);
    if (found == PointStatus::missing && fs::exists(record)) fs::remove_all(points_folder(folder) / point.name);
    fs::remove(record);
    pending.push_back(i);
  }
  const auto rank_of = [&](std::int64_t i) {
    return std::pair(failed.contains(i), -points[static_cast<std::size_t>(i)].cost);
  };
  std::stable_sort(pending.begin(), pending.end(),
                   [&](std::int64_t a, std::int64_t b) { return rank_of(a) < rank_of(b); });
  return pending;
}

/// How a point ended on the ranks of its group, the same on all of them; nothing for success. `control` has the same
/// ranks as the point's own communicator, in which a rank that failed alone has left the others.
std::optional<Failure> settle(const std::exception_ptr& mine, Collectives& control) {
  std::optional<Failure> failure;
  if (mine) failure = describe_failure(mine);
  if (control.size() == 1) return failure;
  const std::string note = failure ? "the point failed on this rank: " + failure->message : std::string();
  control.watch(failure ? patience : std::chrono::seconds(0), [note] { return note; });
  std::vector<std::int32_t> codes(static_cast<std::size_t>(control.size()));
  const std::int32_t code = failure ? static_cast<std::int32_t>(failure->code) : 0;
  control.all_gather(std::span<const std::int32_t>(&code, 1), std::span(codes));
  const auto is = [&](auto wanted) { return std::find_if(codes.begin(), codes.end(), wanted) - codes.begin(); };
  auto from = is([](std::int32_t c) { return c != 0 && c != static_cast<std::int32_t>(ExitCode::stopped); });
  const auto end = static_cast<std::ptrdiff_t>(codes.size());
  if (from == end) from = is([](std::int32_t c) { return c != 0; });
  if (from == end) return {};
  return Failure{static_cast<ExitCode>(codes[static_cast<std::size_t>(from)]),
                 broadcast_text(control, failure ? failure->message : "", static_cast<int>(from))};
}

/// A group of ranks at work.
class Group {
 public:
  Group(const std::vector<Point>& points, const PointSession& session, const fs::path& folder,
        std::unique_ptr<Collectives> ranks)
      : points_(points),
        session_(session),
        folder_(folder),
        ranks_(std::move(ranks)),
        control_(ranks_->size() > 1 ? ranks_->split(0) : nullptr) {}

  /// Takes points of `mine` until none is left, or a stop is asked for.
  void work(const Indices& mine) {
    for (;;) {
      std::int64_t next = -1;
      on_root(*ranks_, [&] { next = take(mine); });
      ranks_->broadcast(std::span(&next, 1));
      if (next < 0 || !run(static_cast<std::size_t>(next))) return;
    }
  }

 private:
  [[nodiscard]] std::int64_t take(const Indices& mine) const {
    for (const std::int64_t point : mine) {
      if (stop_requested()) static_cast<void>(session_.mark(stop_mark));
      if (session_.marked(stop_mark)) return -1;
      if (session_.mark(claim_mark(static_cast<std::size_t>(point)))) return point;
    }
    return -1;
  }

  /// Whether the group goes on: false after a stop.
  bool run(std::size_t index) {
    const Point& point = points_[index];
    const auto start = std::chrono::steady_clock::now();
    PointOutcome outcome;
    std::exception_ptr error;
    try {
      const log::Muted muted(log::Level::warning);
      outcome.result = point.run(*ranks_, points_folder(folder_) / point.name);
    } catch (...) {
      error = std::current_exception();
    }
    if (error && control_) note_failure(point, describe_failure(error));
    const std::optional<Failure> failure = settle(error, control_ ? *control_ : *ranks_);
    if (failure && failure->code == ExitCode::stopped) {
      static_cast<void>(session_.mark(stop_mark));
      return false;
    }
    outcome.status = failure ? PointStatus::failed : PointStatus::done;
    if (failure) outcome.failure = *failure;
    outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    on_root(*ranks_, [&] {
      write_record(folder_, point, outcome);
      static_cast<void>(session_.mark(end_mark(index)));
    });
    return true;
  }

  /// The record of a point that failed on this rank, before it waits for the others: where they are stuck in the
  /// middle of the point the program ends.
  void note_failure(const Point& point, const Failure& failure) const {
    if (failure.code == ExitCode::stopped) return;
    PointOutcome outcome;
    outcome.status = PointStatus::failed;
    outcome.failure = failure;
    try {
      write_record(folder_, point, outcome);
    } catch (const std::exception&) {  // a full disk, or no memory left: the message says what went wrong
    }
  }

  const std::vector<Point>& points_;
  const PointSession& session_;
  const fs::path& folder_;
  std::unique_ptr<Collectives> ranks_;
  std::unique_ptr<Collectives> control_;
};

/// Sleeps until all of `mine` have ended: a rank that waited in MPI would take a core from those that work.
void wait_for_all(const Indices& mine, const PointSession& session) {
  for (const std::int64_t point : mine)
    while (!session.marked(end_mark(static_cast<std::size_t>(point))) && !session.marked(stop_mark))
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

/// The points of one size, on as many groups as there may be. A collective.
void work_on(const Indices& mine, int size, const std::vector<Point>& points, const PointsSettings& settings,
             const PointSession& session, const fs::path& folder, Collectives& world) {
  int groups = std::min(world.size() / size, static_cast<int>(mine.size()));
  if (settings.groups > 0) groups = std::min(groups, settings.groups);
  const int group = world.rank() / size;
  std::unique_ptr<Collectives> ranks = world.split(group < groups ? group : -1);
  try {
    if (ranks) {
      // Rank 0 of the world watches by itself.
      std::optional<PointWatch> watch;
      if (ranks->is_root() && !world.is_root())
        watch.emplace(points, std::vector<std::size_t>{}, settings, session, folder, false);
      Group(points, session, folder, std::move(ranks)).work(mine);
    }
    wait_for_all(mine, session);
  } catch (...) {
    try {
      static_cast<void>(session.mark(stop_mark));  // the others end too, and don't wait for this one's points
    } catch (const EnvironmentError&) {            // they learn of it by the program's end
    }
    throw;
  }
  world.barrier();
}

/// Works through all sizes. A collective; true when it stopped on the way.
bool work_through(const Indices& pending, const std::vector<Point>& points, const PointsSettings& settings,
                  const fs::path& folder, Collectives& world) {
  const PointSession session(points_folder(folder) / session_name(settings.only));
  on_root(world, [&] { session.begin(); });
  std::set<int, std::greater<>> sizes;
  for (const std::int64_t i : pending) sizes.insert(points[static_cast<std::size_t>(i)].ranks);
  {
    std::optional<PointWatch> watch;
    if (world.is_root())
      watch.emplace(points, std::vector<std::size_t>(pending.begin(), pending.end()), settings, session, folder, true);
    for (const int size : sizes) {
      Indices mine;
      for (const std::int64_t i : pending)
        if (points[static_cast<std::size_t>(i)].ranks == size) mine.push_back(i);
      work_on(mine, size, points, settings, session, folder, world);
    }
  }
  std::int32_t stopped = 0;
  on_root(world, [&] {
    stopped = session.marked(stop_mark) ? 1 : 0;
    session.end();
  });
  world.broadcast(std::span(&stopped, 1));
  return stopped != 0;
}

/// Each group writes the records of its points. A collective.
std::vector<Point> with_identities_of_root(std::vector<Point> points, Collectives& world) {
  Json identities = Json::array();
  for (const Point& point : points) identities.push_back(point.identity);
  const std::string text = broadcast_text(world, world.is_root() ? identities.dump() : std::string());
  identities = Json::parse(text);
  ensure(identities.size() == points.size(), "all ranks have the same points");
  for (std::size_t i = 0; i < points.size(); ++i) points[i].identity = identities[i];
  return points;
}

}  // namespace

std::vector<PointOutcome> run_points(const std::vector<Point>& points, const PointsSettings& settings,
                                     Collectives& world, const fs::path& folder) {
  const std::vector<Point> agreed = with_identities_of_root(points, world);
  Indices pending;
  std::optional<FolderLock> lock;
  on_root(world, [&] {
    check_points(agreed, world);
    if (settings.only >= 0)
      lock.emplace(points_folder(folder) / (session_name(settings.only) + lock_name),
                   fmt::format("point {} in --output '{}'", settings.only, folder.string()));
    pending = pending_points(agreed, settings, folder);
    const std::size_t all = settings.only >= 0 ? 1 : agreed.size();
    if (pending.size() < all) log::info("{} of {} {}s are there already", all - pending.size(), all, settings.what);
  });
  auto count = static_cast<std::int64_t>(pending.size());
  world.broadcast(std::span(&count, 1));
  pending.resize(static_cast<std::size_t>(count));
  world.broadcast(std::span(pending));
  const std::vector<int> stop_signals = parse_stop_signals(settings.stop_signals);
  install_stop_signals(stop_signals);
  take_stop_signals_apart(stop_signals);
  const bool stopped = !pending.empty() && work_through(pending, agreed, settings, folder, world);
  std::vector<PointOutcome> outcomes;
  on_root(world, [&] {
    if (settings.only < 0) {
      outcomes = read_points(agreed, folder);
    } else {  // other tasks work on the others
      outcomes.resize(agreed.size());
      const auto only = static_cast<std::size_t>(settings.only);
      outcomes[only] = read_record(folder, agreed[only], false);
    }
  });
  if (stopped) {
    const auto done = std::count_if(outcomes.begin(), outcomes.end(),
                                    [](const PointOutcome& o) { return o.status == PointStatus::done; });
    throw StopRequested(broadcast_text(
        world, fmt::format("stopped on request ({}) with {} of {} {}s done; start the same command again to go on",
                           stop_reason(), done, agreed.size(), settings.what)));
  }
  return outcomes;
}

std::vector<PointOutcome> read_points(const std::vector<Point>& points, const fs::path& folder) {
  std::vector<PointOutcome> outcomes;
  outcomes.reserve(points.size());
  for (const Point& point : points) outcomes.push_back(read_record(folder, point, false));
  return outcomes;
}

std::vector<std::string> other_points(const std::vector<Point>& points, const fs::path& folder) {
  std::set<std::string> names = recorded_names(folder);
  for (const Point& point : points) names.erase(point.name);
  return {names.begin(), names.end()};
}

std::string file_name(const std::string& text) {
  std::string name = text;
  for (char& c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string_view(".,=_+-").find(c) == std::string::npos)
      c = '_';
  if (!name.empty() && name.front() == '.') name.front() = '_';
  return name;
}

ExitCode exit_code(const std::vector<PointOutcome>& outcomes) {
  ExitCode worst = ExitCode::done;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.status == PointStatus::failed) worst = std::max(worst, outcome.failure.code);
  return worst;
}

}  // namespace masksc

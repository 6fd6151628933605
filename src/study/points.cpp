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
#include "masksc/core/stop.hpp"
#include "point_group.hpp"
#include "point_records.hpp"
#include "point_watch.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

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
PointIndices pending_points(const std::vector<Point>& points, const PointsSettings& settings, const fs::path& folder) {
  // All are read, and those that are not to be replaced refused, before the first one goes.
  std::map<std::int64_t, PointStatus> status;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (settings.only >= 0 && static_cast<std::size_t>(settings.only) != i) continue;
    const PointStatus found = read_record(folder, points[i], settings.overwrite).status;
    if (found != PointStatus::done) status.emplace(static_cast<std::int64_t>(i), found);
  }
  PointIndices pending;
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

/// Sleeps until all of `mine` have ended: a rank that waited in MPI would take a core from those that work.
void wait_for_all(const PointIndices& mine, const PointSession& session) {
  for (const std::int64_t point : mine)
    while (!session.marked(end_mark(static_cast<std::size_t>(point))) && !session.marked(stop_mark))
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
}

/// The points of one size, on as many groups as there may be. A collective.
void work_on(const PointIndices& mine, int size, const std::vector<Point>& points, const PointsSettings& settings,
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
      PointGroup(points, session, folder, std::move(ranks)).work(mine);
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
bool work_through(const PointIndices& pending, const std::vector<Point>& points, const PointsSettings& settings,
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
      PointIndices mine;
      for (const std::int64_t i : pending)
        if (points[static_cast<std::size_t>(i)].ranks == size) mine.push_back(i);
      work_on(mine, size, points, settings, session, folder, world);
    }
  }
  return of_root(world, [&] {
    const bool stopped = session.marked(stop_mark);
    session.end();
    return stopped;
  });
}

/// Each group writes the records of its points. A collective.
std::vector<Point> with_identities_of_root(std::vector<Point> points, Collectives& world) {
  Json identities = Json::array();
  for (const Point& point : points) identities.push_back(point.identity);
  const std::string text = broadcast_text(world, world.is_root() ? identities.dump() : std::string());
  identities = parse_json(text);
  ensure(identities.size() == points.size(), "all ranks have the same points");
  for (std::size_t i = 0; i < points.size(); ++i) points[i].identity = identities[i];
  return points;
}

}  // namespace

std::vector<PointOutcome> run_points(const std::vector<Point>& points, const PointsSettings& settings,
                                     Collectives& world, const fs::path& folder) {
  const std::vector<Point> agreed = with_identities_of_root(points, world);
  std::optional<FolderLock> lock;
  const PointIndices pending = of_root(world, [&] {
    check_points(agreed, world);
    if (settings.only >= 0)
      lock.emplace(points_folder(folder) / (session_name(settings.only) + lock_name),
                   fmt::format("point {} in --output '{}'", settings.only, folder.string()));
    PointIndices missing = pending_points(agreed, settings, folder);
    const std::size_t all = settings.only >= 0 ? 1 : agreed.size();
    if (missing.size() < all) log::info("{} of {} {}s are there already", all - missing.size(), all, settings.what);
    return missing;
  });
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

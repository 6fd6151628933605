// Points of a study: many independent pieces of work, each with a folder of its own, dealt to groups of ranks and
// resumable point by point.
//
//   FOLDER/points/NAME/       what a point's own work writes
//   FOLDER/points/NAME.json   its record, once it has ended: done with its result, or failed and why
//   FOLDER/points/.session/   who has taken what, while ranks work
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/json.hpp"
#include "masksc/dist/collectives.hpp"

namespace masksc {

struct Point {
  std::string name;  // also of its folder: see file_name
  Json identity;     // an object: all that the result depends on; that of rank 0 counts
  int ranks = 1;     // that work on it together
  double cost = 1;   // expected work, in any unit: the dearest points are begun first
  /// The work: a collective of `ranks`, called on each of them with the point's folder, which may be not there, or hold
  /// what an interrupted call left. The result counts on rank 0 of `ranks`. What it throws, it throws on all of them,
  /// StopRequested with the state safe.
  std::function<Json(Collectives& ranks, const std::filesystem::path& folder)> run;
};

enum class PointStatus { missing, done, failed };

struct PointOutcome {
  PointStatus status = PointStatus::missing;
  Json result;         // of a point that is done
  Failure failure;     // of one that failed
  double seconds = 0;  // of the call that ended it
};

struct PointsSettings {
  std::string stop_signals = "TERM,USR1,USR2,INT";  // as --stop-signals
  bool overwrite = false;                           // points of other identities are replaced, instead of refused
  int groups = 0;                                   // most points at a time (0: as many as the ranks allow)
  int only = -1;                                    // the index of the one point to work on (-1: all)
  std::string what = "point";                       // what messages call a point
  /// A few words on a result, for the line that tells of a point's end.
  std::function<std::string(const Json& result)> describe = nullptr;
};

/// Works on the points that have no result yet; failed ones are tried again. The ranks of `world` form groups of as
/// many ranks as a point wants, larger ones first; ranks that are left over wait. Each group takes the next point when
/// it is done with one; rank 0 tells of every point's end. A point that fails gets a record that says why, and the
/// others go on. A request to stop (core/stop.hpp) that any rank gets stops all groups.
///
/// Returns an outcome a point, on rank 0 (empty elsewhere); with `only` those of the others are missing. A collective.
/// Throws on all ranks: UserError, before any work, for two points of one name, a point that wants more ranks than
/// there are, a record of a point with another identity (unless `overwrite`), or another task at work on the `only`
/// point; StopRequested once all groups have stopped; EnvironmentError when FOLDER cannot be written. The caller keeps
/// others from FOLDER (run/output_folder.hpp).
std::vector<PointOutcome> run_points(const std::vector<Point>& points, const PointsSettings& settings,
                                     Collectives& world, const std::filesystem::path& folder);

/// What the records of FOLDER say, without any work. On one rank. Throws UserError for damaged records and those of
/// other identities.
std::vector<PointOutcome> read_points(const std::vector<Point>& points, const std::filesystem::path& folder);

/// Names of points that have a record in FOLDER and are none of `points`, sorted. On one rank.
std::vector<std::string> other_points(const std::vector<Point>& points, const std::filesystem::path& folder);

/// `text` as the name of a file: letters, digits and . , = _ + - stay, all else becomes _.
std::string file_name(const std::string& text);

/// ExitCode::done, or that of the worst failure.
ExitCode exit_code(const std::vector<PointOutcome>& outcomes);

}  // namespace masksc

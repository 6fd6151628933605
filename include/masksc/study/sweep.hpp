// A sweep: full runs over values of any options, each a point of a study (points.hpp).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/run/options.hpp"
#include "masksc/run/place.hpp"
#include "masksc/study/design.hpp"
#include "masksc/study/points.hpp"

namespace masksc {

/// What happens to the global batch where a point has more ranks: it stays, or grows with them.
enum class Scaling { strong, weak };

struct SweepSettings {
  std::vector<std::string> factors;  // OPTION=VALUE,VALUE...
  DesignKind design = DesignKind::grid;
  std::int64_t seeds = 1;             // from --seed on
  std::int64_t ranks_per_point = 1;   // may be swept
  Scaling scaling = Scaling::strong;  // may be swept
  std::int64_t points_at_once = 0;    // 0: as many as the ranks allow
  std::string point = "all";          // or its number in the list, or array: SLURM_ARRAY_TASK_ID
  bool list = false;
  bool collect = false;
};

void describe(OptionTable& table, SweepSettings& settings);

struct SweepPoint {
  DesignPoint design;
  RunOptions options;  // of its run, but for --output
  int ranks = 1;
};

struct Sweep {
  SweepSettings settings;
  std::vector<Factor> factors;    // values as the options' own text
  std::vector<std::string> base;  // one a factor
  std::vector<SweepPoint> points;
};

/// The sweep that options and settings ask for. Throws UserError that names what is wrong: an option that is unknown or
/// can't be swept, a value that it refuses, options that make no run.
Sweep make_sweep(const RunOptions& options, const SweepSettings& settings);

/// {"mask-ratio": "0.5", ...}: the value of each factor at a point.
Json values_of(const Sweep& sweep, const DesignPoint& point);

/// Whether --ranks-per-point is one of the factors.
bool ranks_are_swept(const Sweep& sweep);

/// One line a point: number, name, ranks, options.
std::string list_points(const Sweep& sweep);

/// The index that --point asks for; -1 is all. Throws UserError.
int chosen_point(const Sweep& sweep);

/// The points as work; identities, for which the input files are read through, only `with_identities`: rank 0 needs
/// them. Throws UserError for a file that cannot be read.
std::vector<Point> work_of(const Sweep& sweep, const RunPlace& place, bool with_identities);

/// "ARI 0.785, silhouette (PCA) 0.121, 3 min 05 s": a result for people; without labels the features' silhouette first.
std::string describe_metrics(const Json& metrics);

/// What --plan says of each point, JSON (points: name, values, ranks, cells_per_second, ...) and a table of it.
Json plan_sweep(const Sweep& sweep);
std::string plan_sweep_table(const Sweep& sweep);

}  // namespace masksc

// What a sweep leaves for its users: sweep.json, .csv, .md, and two drawings.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/study/points.hpp"
#include "masksc/study/sweep.hpp"

namespace masksc {

/// factors: name, values, base. points: name, values (by factor), seed, ranks, status (done, failed, missing), error,
/// ari, nmi, silhouette, silhouette_pca, clusters, seconds, cells_per_second, peak_memory_bytes (of the hungriest
/// rank), loss, and in text what the run decided: clusters_in, guided_by, standardize. summary: a row a combination,
/// each number as mean and sd (of the sample; null for one seed) over its seeds that are done. note: that clusters of
/// some runs are those of principal components; "" where they aren't.
///
/// Where --ranks-per-point is swept, efficiency: cells/s a rank against those of the fewest ranks, all else equal.
Json sweep_json(const Sweep& sweep, const std::vector<PointOutcome>& outcomes);

/// From sweep_json: one row a point; a table of the summary, of the numbers that some row has, and the note.
std::string sweep_csv(const Json& sweep);
std::string sweep_markdown(const Json& sweep);

/// Scores by the values of the two factors that a grid varies, as SVG; "" for other designs.
std::string sweep_heatmap(const Json& sweep);
/// A panel a factor: scores, below them the speed, by the factor's values (grids: over all values of the others), as
/// SVG; "" without results.
std::string sweep_curves(const Json& sweep);

/// Writes sweep.json, sweep.csv, sweep.md and, where there is something to draw, sweep_heatmap.svg and
/// sweep_curves.svg. On one rank. Throws EnvironmentError.
void write_sweep(const Json& sweep, const std::filesystem::path& folder);

}  // namespace masksc

// The table of a comparison: one row a method, mean and standard deviation over seeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"

namespace masksc {

/// The result of one method with one seed; null where there is none (no labels, failed).
struct ComparedPoint {
  std::string method;
  std::int64_t seed = 0;
  Json result;          // scores by name, and in mask-sc's clusters_in (_auto); null when it failed
  std::string failure;  // why
};

/// The numbers of a row, in the order of columns: {"ari", "nmi", ...}. Scores with the number of clusters given, and
/// the same with it estimated (suffix _auto).
const std::vector<std::string>& comparison_columns();

/// One object a method: {"method", "title", "source", "seeds", "status", "message", COLUMN: mean, COLUMN_sd: sample
/// standard deviation}; null for what could not be computed, as the deviation of one seed. Of mask-sc "clusters_in" and
/// "clusters_in_auto" tell what the clusters were found in: "features", "components", or "features and components"
/// where seeds differ; null of the others.
Json comparison_rows(const std::vector<std::string>& methods, const std::vector<ComparedPoint>& points);

/// What is to be said of those whose clusters are those of principal components; "" without any.
std::string comparison_note(const std::vector<ComparedPoint>& points);

/// As text: comma-separated values (means first, then deviations), and Markdown with "mean ± sd".
std::string comparison_csv(const Json& rows);
std::string comparison_markdown(const Json& comparison);

}  // namespace masksc

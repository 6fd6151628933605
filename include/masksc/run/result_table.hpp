// The table on the terminal that ends a program.
#pragma once

#include <string>

#include "masksc/core/json.hpp"

namespace masksc {

/// Clusters and scores as rows of a table on a terminal, from score_json.
std::string score_rows(const Json& scores);

/// The table that ends a run, from metrics.json.
std::string result_table(const Json& metrics, const std::string& folder);

}  // namespace masksc

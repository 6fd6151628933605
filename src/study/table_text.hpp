// Numbers and text as the tables of studies hold them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"

namespace masksc {

struct MeanAndDeviation {
  double mean = 0;
  std::optional<double> deviation;  // of the sample; nothing for a single value
};
/// Nothing without values. The deviation of equal values is 0, to the last bit.
std::optional<MeanAndDeviation> mean_and_deviation(const std::vector<double>& values);

/// What a table of runs of mask-sc has to say where in some of the `runs` the clusters are those of the components (see
/// clusters_in of metrics.json), so that all runs may score alike; "" where in none. `whose`: " of METHOD", or nothing.
std::string components_note(std::int64_t in_components, std::int64_t runs, const std::string& whose = "");

/// A field of a CSV file: quoted where it must be (RFC 4180); empty for null.
std::string csv_field(const Json& value);

/// `text` on one line, fit for a cell of a Markdown table.
std::string markdown_cell(const std::string& text);

}  // namespace masksc

// Numbers and text as the tables of studies hold them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"

namespace masksc {

struct MeanAndDeviation {
  double mean = 0;
  std::optional<double> deviation;  // of the sample; nothing for a single value
};
/// Nothing without values.
std::optional<MeanAndDeviation> mean_and_deviation(const std::vector<double>& values);

/// A field of a CSV file: quoted where it must be (RFC 4180); empty for null.
std::string csv_field(const Json& value);

/// `text` on one line, fit for a cell of a Markdown table.
std::string markdown_cell(const std::string& text);

}  // namespace masksc

#include "table_text.hpp"

#include <fmt/format.h>

#include <cmath>

namespace masksc {

std::optional<MeanAndDeviation> mean_and_deviation(const std::vector<double>& values) {
  if (values.empty()) return std::nullopt;
  const auto n = static_cast<double>(values.size());
  const double first = values.front();
  double beyond = 0;  // the first value: equal ones have their own mean, and no deviation by rounding
  for (const double value : values) beyond += value - first;
  MeanAndDeviation found{first + beyond / n, std::nullopt};
  if (values.size() == 1) return found;
  double squares = 0;
  for (const double value : values) squares += (value - found.mean) * (value - found.mean);
  found.deviation = std::sqrt(squares / (n - 1));
  return found;
}

std::string components_note(std::int64_t in_components, std::int64_t runs, const std::string& whose) {
  if (in_components == 0) return "";
  return fmt::format(
      "In {} of {} runs{} the clusters are those of principal components (clusters_in), which options of the model and "
      "its training do not change.",
      in_components, runs, whose);
}

std::string csv_field(const Json& value) {
  if (value.is_null()) return "";
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted.push_back('"');
    quoted.push_back(c);
  }
  quoted.push_back('"');
  return quoted;
}

std::string markdown_cell(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (c == '|') safe.push_back('\\');
    safe.push_back(c == '\n' ? ' ' : c);
  }
  return safe;
}

}  // namespace masksc

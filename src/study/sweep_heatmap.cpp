#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "masksc/report/svg.hpp"
#include "masksc/study/sweep_report.hpp"

namespace masksc {
namespace {

constexpr double cell_width = 78;
constexpr double cell_height = 40;
constexpr double left = 110;
constexpr double top = 64;
constexpr double gap = 40;
constexpr double bottom = 56;

/// Distinct values in the order in which they were given.
std::vector<std::string> distinct(const Json& values) {
  std::vector<std::string> once;
  for (const Json& value : values)
    if (std::find(once.begin(), once.end(), value.get<std::string>()) == once.end())
      once.push_back(value.get<std::string>());
  return once;
}

struct Axis {
  std::string factor;
  std::vector<std::string> values;
};

std::vector<Axis> varied_factors(const Json& sweep) {
  std::vector<Axis> axes;
  for (const Json& factor : sweep.at("factors")) {
    Axis axis{factor.at("name").get<std::string>(), distinct(factor.at("values"))};
    if (axis.values.size() > 1) axes.push_back(std::move(axis));
  }
  return axes;
}

const Json* find_row(const Json& sweep, const Axis& rows, const std::string& row, const Axis& columns,
                     const std::string& column) {
  for (const Json& candidate : sweep.at("summary"))
    if (candidate.at("values").at(rows.factor) == row && candidate.at("values").at(columns.factor) == column)
      return &candidate;
  return nullptr;
}

/// One score as a grid of cells, its left edge at x.
void draw_panel(Svg& svg, double x, const Json& sweep, const Axis& rows, const Axis& columns, const char* key,
                const char* title) {
  double low = std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::lowest();
  for (const Json& row : sweep.at("summary"))
    if (row.at(key).at("mean").is_number()) {
      low = std::min(low, row.at(key).at("mean").get<double>());
      high = std::max(high, row.at(key).at("mean").get<double>());
    }
  const double width = cell_width * static_cast<double>(columns.values.size());
  svg.text(x + width / 2, top - 36, title, {.anchor = "middle", .size = 15, .bold = true});
  for (std::size_t c = 0; c < columns.values.size(); ++c)
    svg.text(x + cell_width * (static_cast<double>(c) + 0.5), top - 10, columns.values[c], {.anchor = "middle"});
  for (std::size_t r = 0; r < rows.values.size(); ++r)
    for (std::size_t c = 0; c < columns.values.size(); ++c) {
      const double cell_x = x + cell_width * static_cast<double>(c);
      const double cell_y = top + cell_height * static_cast<double>(r);
      const Json* row = find_row(sweep, rows, rows.values[r], columns, columns.values[c]);
      const bool known = row != nullptr && row->at(key).at("mean").is_number();
      const double mean = known ? row->at(key).at("mean").get<double>() : 0;
      const double share = high > low ? 0.08 + 0.84 * (mean - low) / (high - low) : 0.3;
      svg.rectangle(cell_x, cell_y, cell_width, cell_height, known ? blue(share) : "#eeeeee", "#ffffff");
      const bool with_sd = known && row->at(key).at("sd").is_number();
      const std::string color = known && share > 0.55 ? "#ffffff" : "#222222";
      svg.text(cell_x + cell_width / 2, cell_y + cell_height / 2 + (with_sd ? -1 : 4.5),
               known ? fmt::format("{:.3f}", mean) : "–", {.anchor = "middle", .size = 13, .color = color});
      if (with_sd)
        svg.text(cell_x + cell_width / 2, cell_y + cell_height / 2 + 13,
                 fmt::format("± {:.3f}", row->at(key).at("sd").get<double>()),
                 {.anchor = "middle", .size = 10, .color = color});
    }
  svg.text(x + width / 2, top + cell_height * static_cast<double>(rows.values.size()) + 24, columns.factor,
           {.anchor = "middle", .bold = true});
}

}  // namespace

std::string sweep_heatmap(const Json& sweep) {
  const std::vector<Axis> axes = varied_factors(sweep);
  if (sweep.at("design") != "grid" || axes.size() != 2) return "";
  std::vector<std::pair<const char*, const char*>> scores;
  for (const auto& [key, title] :
       {std::pair("ari", "ARI"), std::pair("nmi", "NMI"), std::pair("silhouette", "silhouette"),
        std::pair("silhouette_pca", "silhouette (PCA)")})
    if (std::any_of(sweep.at("summary").begin(), sweep.at("summary").end(), [&, key = key](const Json& row) {
          return row.contains(key) && row.at(key).at("mean").is_number();
        }))
      scores.emplace_back(key, title);  // sweeps of older versions have fewer
  if (scores.empty()) return "";
  const Axis& rows = axes[0];
  const Axis& columns = axes[1];
  const double panel = cell_width * static_cast<double>(columns.values.size());
  const double height = top + cell_height * static_cast<double>(rows.values.size());
  Svg svg(left + (panel + gap) * static_cast<double>(scores.size()), height + bottom);
  svg.text(24, top + (height - top) / 2, rows.factor, {.anchor = "middle", .bold = true, .turn = -90});
  for (std::size_t r = 0; r < rows.values.size(); ++r)
    svg.text(left - 12, top + cell_height * (static_cast<double>(r) + 0.5) + 4, rows.values[r], {.anchor = "end"});
  for (std::size_t i = 0; i < scores.size(); ++i)
    draw_panel(svg, left + (panel + gap) * static_cast<double>(i), sweep, rows, columns, scores[i].first,
               scores[i].second);
  return svg.str();
}

}  // namespace masksc

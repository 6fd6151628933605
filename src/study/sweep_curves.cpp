#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "masksc/core/number_of.hpp"
#include "masksc/report/svg.hpp"
#include "masksc/study/sweep_report.hpp"
#include "table_text.hpp"

namespace masksc {
namespace {

constexpr double panel_width = 300;
constexpr double panel_height = 210;
constexpr double left = 66;
constexpr double across = 60;  // between panels
constexpr double top = 66;
constexpr double down = 70;        // between rows of panels
constexpr double key_width = 110;  // of a name in the legend
constexpr double last_key = 140;   // of the last one, whose name is the longest

struct Series {
  const char* key;
  const char* title;
  const char* color;
};
const std::vector<Series> scores = {{"ari", "ARI", "#0072b2"},
                                    {"nmi", "NMI", "#d55e00"},
                                    {"silhouette", "silhouette", "#009e73"},
                                    {"silhouette_pca", "silhouette (PCA)", "#cc79a7"}};
const std::vector<Series> speed = {{"cells_per_second", "cells/s in training", "#555555"}};

struct CurvePoint {
  double mean = 0;
  double sd = 0;  // over seeds, or over the other factors' values of a grid
};

/// A factor, its values in order, and where they lie from 0 to 1.
struct FactorAxis {
  std::string name;
  std::vector<std::string> values;
  std::vector<double> places;
};

std::optional<double> finite_number(const std::string& text) {
  const auto value = number_of<double>(text);
  return value && std::isfinite(*value) ? value : std::nullopt;
}

FactorAxis axis_of(const Json& factor, bool star) {
  FactorAxis axis{factor.at("name").get<std::string>(), {}, {}};
  const auto add = [&](const std::string& value) {
    if (std::find(axis.values.begin(), axis.values.end(), value) == axis.values.end()) axis.values.push_back(value);
  };
  for (const Json& value : factor.at("values")) add(value.get<std::string>());
  if (star) add(factor.at("base").get<std::string>());
  const bool numeric = std::all_of(axis.values.begin(), axis.values.end(),
                                   [](const std::string& v) { return finite_number(v).has_value(); });
  if (numeric)
    std::sort(axis.values.begin(), axis.values.end(),
              [](const std::string& a, const std::string& b) { return *finite_number(a) < *finite_number(b); });
  const auto count = static_cast<double>(axis.values.size());
  double closest = 1;  // numbers lie where they belong, unless their labels would touch
  if (numeric && count > 1) {
    const double low = *finite_number(axis.values.front());
    const double range = *finite_number(axis.values.back()) - low;
    for (const std::string& value : axis.values) axis.places.push_back((*finite_number(value) - low) / range);
    for (std::size_t i = 1; i < axis.places.size(); ++i)
      closest = std::min(closest, axis.places[i] - axis.places[i - 1]);
  }
  if (!numeric || count < 2 || closest < 0.1) {
    axis.places.clear();
    for (std::size_t i = 0; i < axis.values.size(); ++i)
      axis.places.push_back(count > 1 ? static_cast<double>(i) / (count - 1) : 0.5);
  }
  return axis;
}

/// The score at a value: one row of a star, all rows with that value of a grid.
std::optional<CurvePoint> at_value(const Json& sweep, const FactorAxis& axis, const std::string& value,
                                   const char* key) {
  const bool star = sweep.at("design") == "star";
  std::vector<double> found;
  for (const Json& point : sweep.at("points")) {
    const bool varied_here = !star || point.at("varied") == axis.name || point.value("varied", "").empty();
    if (varied_here && point.at("status") == "done" && point.at("values").at(axis.name) == value &&
        point.at(key).is_number())
      found.push_back(point.at(key).get<double>());
  }
  const auto spread = mean_and_deviation(found);
  if (!spread) return {};
  return CurvePoint{spread->mean, spread->deviation.value_or(0)};
}

Ticks y_axis(const Json& sweep, const std::vector<FactorAxis>& axes, const std::vector<Series>& series,
             bool from_zero = false) {
  double low = std::numeric_limits<double>::max();
  double high = std::numeric_limits<double>::lowest();
  for (const FactorAxis& axis : axes)
    for (const std::string& value : axis.values)
      for (const Series& one : series)
        if (const auto point = at_value(sweep, axis, value, one.key)) {
          low = std::min(low, point->mean - point->sd);
          high = std::max(high, point->mean + point->sd);
        }
  if (low > high) return {};
  return ticks(from_zero ? 0 : low, high, 5);
}

/// One panel, its plot's upper left corner at (x, y).
void draw_panel(Svg& svg, double x, double y, const Json& sweep, const FactorAxis& axis,
                const std::vector<Series>& series, const Ticks& range) {
  const auto at_y = [&](double value) { return y + panel_height * (range.high - value) / (range.high - range.low); };
  const int decimals = std::max(0, static_cast<int>(-std::floor(std::log10(range.step) + 1e-9)));
  for (double tick = range.low; tick <= range.high + range.step / 2; tick += range.step) {
    svg.line(x, at_y(tick), x + panel_width, at_y(tick), "#e3e3e3");
    svg.text(x - 8, at_y(tick) + 4, fmt::format("{:.{}f}", std::abs(tick) < range.step / 2 ? 0 : tick, decimals),
             {.anchor = "end", .size = 11});
  }
  constexpr double margin = 20;  // first and last value keep off the edge
  const auto at_x = [&](double place) { return x + margin + (panel_width - 2 * margin) * place; };
  for (std::size_t i = 0; i < axis.values.size(); ++i) {
    svg.line(at_x(axis.places[i]), y + panel_height, at_x(axis.places[i]), y + panel_height + 5, "#888888");
    svg.text(at_x(axis.places[i]), y + panel_height + 19, axis.values[i], {.anchor = "middle", .size = 11});
  }
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Series& one = series[s];
    // Side by side, so that one series' bars do not hide another's.
    const double aside = 5 * (static_cast<double>(s) - (static_cast<double>(series.size()) - 1) / 2);
    std::vector<std::pair<double, double>> line;
    for (std::size_t i = 0; i < axis.values.size(); ++i) {
      const auto point = at_value(sweep, axis, axis.values[i], one.key);
      if (!point) continue;
      const double px = at_x(axis.places[i]) + aside;
      line.emplace_back(px, at_y(point->mean));
      if (point->sd > 0) svg.line(px, at_y(point->mean - point->sd), px, at_y(point->mean + point->sd), one.color);
      svg.circle(px, at_y(point->mean), 3.5, one.color);
    }
    svg.polyline(line, one.color);
  }
  svg.line(x, y + panel_height, x + panel_width, y + panel_height, "#888888");
  svg.text(x + panel_width / 2, y + panel_height + 40, axis.name, {.anchor = "middle", .bold = true});
}

std::vector<Series> known(const Json& sweep, const std::vector<Series>& wanted) {
  std::vector<Series> there;
  for (const Series& one : wanted)
    if (std::any_of(sweep.at("summary").begin(), sweep.at("summary").end(),
                    [&](const Json& row) { return row.contains(one.key) && row.at(one.key).at("mean").is_number(); }))
      there.push_back(one);  // sweeps of older versions have fewer
  return there;
}

}  // namespace

std::string sweep_curves(const Json& sweep) {
  std::vector<FactorAxis> axes;
  for (const Json& factor : sweep.at("factors")) axes.push_back(axis_of(factor, sweep.at("design") == "star"));
  const std::vector<Series> drawn = known(sweep, scores);
  if (axes.empty() || drawn.empty()) return "";
  const double width = left + std::max((panel_width + across) * static_cast<double>(axes.size()),
                                       key_width * static_cast<double>(drawn.size() - 1) + last_key);
  const double second = top + panel_height + down;
  Svg svg(width, second + panel_height + 56);
  double legend = left;
  for (const Series& one : drawn) {
    svg.line(legend, 20, legend + 22, 20, one.color, 2);
    svg.circle(legend + 11, 20, 3.5, one.color);
    svg.text(legend + 28, 24, one.title, {});
    legend += key_width;
  }
  const bool star = sweep.at("design") == "star";
  if (sweep.at("seeds") > 1 || (!star && axes.size() > 1))
    svg.text(left, 44,
             star || axes.size() == 1 ? "bars: standard deviation over seeds"
                                      : "means and standard deviations over seeds and the other options' values",
             {.size = 11, .color = "#777777"});
  const Ticks of_scores = y_axis(sweep, axes, drawn);
  const Ticks of_speed = y_axis(sweep, axes, speed, /*from_zero=*/true);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const double x = left + (panel_width + across) * static_cast<double>(i);
    draw_panel(svg, x, top, sweep, axes[i], drawn, of_scores);
    draw_panel(svg, x, second, sweep, axes[i], known(sweep, speed), of_speed);
  }
  svg.text(18, top + panel_height / 2, "score", {.anchor = "middle", .turn = -90});
  svg.text(18, second + panel_height / 2, speed.front().title, {.anchor = "middle", .turn = -90});
  return svg.str();
}

}  // namespace masksc

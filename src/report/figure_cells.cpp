#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "masksc/core/text.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/report/figures.hpp"
#include "masksc/report/svg.hpp"

namespace masksc {
namespace {

constexpr std::int64_t most_points = 10'000;
constexpr std::size_t across = 4;  // panels in a row
constexpr double side = 230;
constexpr double gap = 22;
constexpr double title_height = 30;
constexpr double key_height = 17;  // of a name in the legend
constexpr double key_width = 115;  // at least
constexpr double key_indent = 14;  // of the name, behind its dot
constexpr double letter = 6.2;     // of a name, in the mean

// Colours of report.html, in its order.
constexpr std::array<const char*, 20> colours = {
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#7f7f7f",
    "#aec7e8", "#ffbb78", "#98df8a", "#ff9896", "#c5b0d5", "#c49c94", "#f7b6d2", "#9edae5", "#dbdb8d", "#393b79"};

/// "#rrggbb" of hsl(hue 55% 50%), which report.html has beyond its list.
std::string further_colour(std::int32_t code) {
  const double hue = std::fmod(137.5 * code, 360);
  const auto part = [&](double shift) {
    const double k = std::fmod(shift + hue / 30, 12);
    return std::lround(255 * (0.5 - 0.275 * std::max(-1.0, std::min({k - 3, 9 - k, 1.0}))));
  };
  return fmt::format("#{:02x}{:02x}{:02x}", part(0), part(8), part(4));
}

std::string colour_of(std::int32_t code) {
  if (code < 0) return "#c9c9c9";
  return std::cmp_less(code, colours.size()) ? colours[static_cast<std::size_t>(code)] : further_colour(code);
}

std::int32_t place_of(const CellsPanel& panel, std::int32_t code) {
  return code < 0 || panel.places.empty() ? code : panel.places[static_cast<std::size_t>(code)];
}

/// Up to `longest` characters, and an ellipsis where there were more.
std::string shortened(const std::string& name, std::size_t longest) {
  std::string start(first_characters(name, longest));
  if (start.size() < name.size()) start += "\u2026";
  return start;
}

void draw_panel(Svg& svg, double x, double y, const CellsPanel& panel) {
  svg.text(x + side / 2, y - 9, shortened(panel.title, 34), {.anchor = "middle", .size = 13, .bold = true});
  svg.rectangle(x, y, side, side, "#ffffff", "#bbbbbb");
  const std::vector<std::int64_t> drawn = sample_rows(panel.points.rows, most_points, 0);
  std::array<float, 2> low{}, high{};
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const auto by_axis = [&](std::int64_t a, std::int64_t b) {
      return panel.points.row(a)[axis] < panel.points.row(b)[axis];
    };
    const auto [least, most] = std::minmax_element(drawn.begin(), drawn.end(), by_axis);
    low[axis] = panel.points.row(*least)[axis];
    high[axis] = panel.points.row(*most)[axis];
  }
  // One scale for both axes, the points in the middle.
  const double extent = std::max({high[0] - low[0], high[1] - low[1], 1e-6F});
  constexpr double margin = 8;
  const double scale = (side - 2 * margin) / extent;
  const double radius = std::clamp(40 / std::sqrt(static_cast<double>(drawn.size())), 0.7, 2.5);
  for (const std::int64_t cell : drawn) {
    const auto point = panel.points.row(cell);
    const double px = x + side / 2 + scale * (point[0] - (low[0] + high[0]) / 2);
    const double py = y + side / 2 - scale * (point[1] - (low[1] + high[1]) / 2);
    svg.circle(px, py, radius, colour_of(place_of(panel, panel.colours.codes[static_cast<std::size_t>(cell)])));
  }
  if (std::cmp_less(drawn.size(), panel.points.rows))
    svg.text(x + 4, y + side - 5, fmt::format("{} of {} cells", drawn.size(), panel.points.rows),
             {.size = 10, .color = "#777777"});
}

/// A legend and the panels above it.
struct Section {
  std::vector<const CellsPanel*> panels;
  [[nodiscard]] const std::vector<std::string>& names() const { return panels.front()->colours.names; }
  [[nodiscard]] std::size_t columns() const { return std::min(panels.size(), across); }
  [[nodiscard]] std::size_t rows() const { return (panels.size() + across - 1) / across; }
};

/// Names in a row of the legend: as many as stand there in full, or one.
std::size_t keys_in_row(const Section& section, double width) {
  double needed = key_width;
  for (const std::string& name : section.names())
    needed = std::max(needed, 2 * key_indent + letter * static_cast<double>(character_count(name)));
  return static_cast<std::size_t>(std::max(1.0, std::floor(width / needed)));
}

double legend_height(const Section& section, double width) {
  const std::size_t in_row = keys_in_row(section, width);
  const std::size_t rows = (section.names().size() + in_row - 1) / in_row;
  return key_height * static_cast<double>(rows) + 18;
}

/// Width and height of a section.
std::array<double, 2> extent_of(const Section& section) {
  const double width = std::max(side, (side + gap) * static_cast<double>(section.columns()) - gap);
  return {width, (side + title_height) * static_cast<double>(section.rows()) + legend_height(section, width)};
}

void draw_section(Svg& svg, double x, double y, const Section& section) {
  for (std::size_t i = 0; i < section.panels.size(); ++i) {
    const std::size_t row = i / across;
    const double row_y = y + title_height + (side + title_height) * static_cast<double>(row);
    draw_panel(svg, x + (side + gap) * static_cast<double>(i % across), row_y, *section.panels[i]);
  }
  const double legend_y = y + (side + title_height) * static_cast<double>(section.rows()) + 18;
  const std::size_t in_row = keys_in_row(section, extent_of(section)[0]);
  const double key = extent_of(section)[0] / static_cast<double>(in_row);
  const auto longest = static_cast<std::size_t>((key - key_indent) / letter);
  for (std::size_t n = 0; n < section.names().size(); ++n) {
    const double kx = x + key * static_cast<double>(n % in_row);
    const std::size_t row = n / in_row;
    const double ky = legend_y + key_height * static_cast<double>(row);
    svg.circle(kx + 5, ky - 4, 4, colour_of(place_of(*section.panels.front(), static_cast<std::int32_t>(n))));
    svg.text(kx + key_indent, ky, shortened(section.names()[n], longest), {.size = 11});
  }
}

}  // namespace

std::vector<std::int32_t> matching_places(const Labels& clusters, const Labels& labels) {
  std::map<std::pair<std::int32_t, std::int32_t>, std::int64_t> common;  // cells of a (cluster, label)
  for (std::size_t cell = 0; cell < clusters.codes.size(); ++cell)
    if (clusters.codes[cell] >= 0 && labels.codes[cell] >= 0) ++common[{clusters.codes[cell], labels.codes[cell]}];
  std::vector<std::pair<std::int64_t, std::pair<std::int32_t, std::int32_t>>> pairs;
  for (const auto& [pair, cells] : common) pairs.emplace_back(-cells, pair);
  std::sort(pairs.begin(), pairs.end());
  std::vector<std::int32_t> places(clusters.names.size(), -1);
  std::vector<bool> seen(clusters.names.size());  // the first pair of a cluster is that of its commonest category
  std::set<std::int32_t> taken;
  for (const auto& [_, pair] : pairs) {
    const auto cluster = static_cast<std::size_t>(pair.first);
    if (!seen[cluster] && taken.insert(pair.second).second) places[cluster] = pair.second;
    seen[cluster] = true;
  }
  auto next = static_cast<std::int32_t>(labels.names.size());
  for (std::int32_t& place : places)
    if (place < 0) place = next++;
  return places;
}

std::string cells_figure(const std::vector<CellsPanel>& panels) {
  std::vector<Section> sections;
  for (const CellsPanel& panel : panels) {
    if (panel.points.rows == 0) continue;
    if (sections.empty() || sections.back().names() != panel.colours.names ||
        sections.back().panels.front()->places != panel.places)
      sections.emplace_back();
    sections.back().panels.push_back(&panel);
  }
  if (sections.empty()) return "";
  // Single maps stand side by side, sections of more below each other.
  const bool beside = sections.size() <= across &&
                      std::all_of(sections.begin(), sections.end(), [](const Section& s) { return s.columns() == 1; });
  double width = 0, height = 0;
  for (const Section& section : sections) {
    const auto [w, h] = extent_of(section);
    width = beside ? width + w + gap : std::max(width, w + gap);
    height = beside ? std::max(height, h) : height + h + gap;
  }
  Svg svg(width + gap, height + gap);
  double x = gap, y = gap / 2;
  for (const Section& section : sections) {
    draw_section(svg, x, y, section);
    const auto [w, h] = extent_of(section);
    (beside ? x : y) += (beside ? w : h) + gap;
  }
  return svg.str();
}

}  // namespace masksc

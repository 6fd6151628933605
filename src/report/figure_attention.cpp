#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "masksc/report/figures.hpp"
#include "masksc/report/svg.hpp"

namespace masksc {
namespace {

constexpr double side = 128;
constexpr double gap = 14;
constexpr double left = 120;
constexpr double top = 46;
constexpr double row_height = 2 * side + 3 * gap;

/// The matrix of a cell as a grid of at most 64 x 64 squares, each the mean of what it covers; white to blue.
void draw_matrix(Svg& svg, double x, double y, const AttentionGrid& grid, const AttendedCell& cell) {
  const float most = std::max(*std::max_element(cell.matrix.begin(), cell.matrix.end()), 1e-6F);
  const std::int64_t rows = std::min<std::int64_t>(grid.rows, 64), columns = std::min<std::int64_t>(grid.columns, 64);
  const double height = side / static_cast<double>(rows), width = side / static_cast<double>(columns);
  svg.rectangle(x, y, side, side, blue(0), "#bbbbbb");
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      std::int64_t count = 0;
      for (std::int64_t i = r * grid.rows / rows; i < (r + 1) * grid.rows / rows; ++i)
        for (std::int64_t j = c * grid.columns / columns; j < (c + 1) * grid.columns / columns; ++j, ++count)
          sum += std::max(0.0F, cell.matrix[static_cast<std::size_t>(i * grid.columns + j)]);
      const double share = sum / static_cast<double>(std::max<std::int64_t>(count, 1)) / static_cast<double>(most);
      if (share < 0.02) continue;
      svg.rectangle(x + width * static_cast<double>(c), y + height * static_cast<double>(r), width + 0.1, height + 0.1,
                    blue(std::sqrt(share)));
    }
}

/// Attention by patch, white to blue, on the scale of this cell.
void draw_attention(Svg& svg, double x, double y, const AttentionGrid& grid, const AttendedCell& cell) {
  const std::int64_t rows = grid.rows / grid.patch_rows, columns = grid.columns / grid.patch_columns;
  const float most = std::max(*std::max_element(cell.attention.begin(), cell.attention.end()), 1e-12F);
  const double height = side / static_cast<double>(rows), width = side / static_cast<double>(columns);
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      svg.rectangle(x + width * static_cast<double>(c), y + height * static_cast<double>(r), width + 0.1, height + 0.1,
                    blue(static_cast<double>(cell.attention[static_cast<std::size_t>(r * columns + c)] / most)));
  svg.rectangle(x, y, side, side, "none", "#bbbbbb");
}

}  // namespace

std::string attention_figure(const AttentionGrid& attention, const std::vector<std::string>& clusters) {
  std::map<std::int32_t, std::vector<const AttendedCell*>> of_cluster;
  std::size_t most = 0;
  for (const AttendedCell& cell : attention.cells) {
    auto& list = of_cluster[cell.cluster];
    list.push_back(&cell);
    most = std::max(most, list.size());
  }
  if (of_cluster.empty()) return "";
  Svg svg(left + (side + gap) * static_cast<double>(most) + gap,
          top + row_height * static_cast<double>(of_cluster.size()));
  svg.text(left, 20, "expression (above) and attention of the global token, last block, mean over heads (below)",
           {.size = 12, .color = "#555555"});
  double y = top;
  for (const auto& [cluster, cells] : of_cluster) {
    svg.text(left - 12, y + side + gap / 2, fmt::format("cluster {}", clusters.at(static_cast<std::size_t>(cluster))),
             {.anchor = "end", .size = 13, .bold = true});
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const double x = left + (side + gap) * static_cast<double>(i);
      draw_matrix(svg, x, y, attention, *cells[i]);
      draw_attention(svg, x, y + side + gap / 2, attention, *cells[i]);
    }
    y += row_height;
  }
  return svg.str();
}

}  // namespace masksc

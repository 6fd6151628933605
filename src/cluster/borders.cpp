#include "masksc/cluster/borders.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <vector>

#include "squared_distance.hpp"

namespace masksc {
namespace {

constexpr std::int64_t fewest_cells = 10;  // of a cluster that counts
constexpr std::size_t neighbours = 2;      // of a cluster
constexpr double around = 0.15;            // a point, as a share of the distance between the centres

/// A cluster and a neighbour.
struct Border {
  std::int32_t from;
  std::int32_t to;
  double squared_length;  // from centre to centre
};

/// Cells of one cluster around the one centre, the border and the other centre.
using AlongLine = std::array<std::int64_t, 3>;

double dot_from(std::span<const float> origin, std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t i = 0; i < origin.size(); ++i) {
    const auto from = static_cast<double>(origin[i]);
    sum += (static_cast<double>(a[i]) - from) * (static_cast<double>(b[i]) - from);
  }
  return sum;
}

/// Of each cluster that counts, the borders with its nearest ones of these.
std::vector<Border> nearest_borders(const DenseMatrix& centres, std::span<const std::int64_t> sizes) {
  std::vector<std::int32_t> counted;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] >= fewest_cells) counted.push_back(static_cast<std::int32_t>(i));
  std::vector<Border> borders;
  for (const std::int32_t from : counted) {
    std::vector<std::int32_t> others;
    std::copy_if(counted.begin(), counted.end(), std::back_inserter(others), [&](auto other) { return other != from; });
    std::stable_sort(others.begin(), others.end(), [&](std::int32_t a, std::int32_t b) {
      return squared_distance(centres.row(from), centres.row(a)) < squared_distance(centres.row(from), centres.row(b));
    });
    for (std::size_t i = 0; i < std::min(neighbours, others.size()); ++i)
      borders.push_back({from, others[i], squared_distance(centres.row(from), centres.row(others[i]))});
  }
  return borders;
}

AlongLine places(std::span<const float> cell, const DenseMatrix& centres, const Border& border) {
  AlongLine here{};
  if (border.squared_length <= 0) return {1, 1, 1};  // two centres at one place: as full as can be
  const double along = dot_from(centres.row(border.from), cell, centres.row(border.to)) / border.squared_length;
  for (std::size_t point = 0; point < here.size(); ++point)
    here[point] = std::abs(along - 0.5 * static_cast<double>(point)) < around ? 1 : 0;
  return here;
}

}  // namespace

double border_density(const DenseMatrix& local_rows, std::span<const std::int32_t> labels, const DenseMatrix& centres,
                      Collectives& ranks) {
  std::vector<std::int64_t> sizes(static_cast<std::size_t>(centres.rows));
  for (const std::int32_t label : labels) ++sizes[static_cast<std::size_t>(label)];
  ranks.all_reduce(std::span(sizes));
  const std::vector<Border> borders = nearest_borders(centres, sizes);
  if (borders.empty()) return 0;

  std::vector<std::int64_t> counts(borders.size() * 6);  // of each border: AlongLine of `from`, then of `to`
  for (std::int64_t row = 0; row < local_rows.rows; ++row) {
    const std::int32_t label = labels[static_cast<std::size_t>(row)];
    for (std::size_t b = 0; b < borders.size(); ++b) {
      if (label != borders[b].from && label != borders[b].to) continue;
      const AlongLine here = places(local_rows.row(row), centres, borders[b]);
      const std::size_t side = label == borders[b].from ? 0 : 3;
      for (std::size_t point = 0; point < 3; ++point) counts[6 * b + side + point] += here[point];
    }
  }
  ranks.all_reduce(std::span(counts));

  std::vector<double> fullest(sizes.size(), 0);
  for (std::size_t b = 0; b < borders.size(); ++b) {
    const auto from = static_cast<std::size_t>(borders[b].from);
    const auto to = static_cast<std::size_t>(borders[b].to);
    const auto density = [&](std::size_t point) {
      return static_cast<double>(counts[6 * b + point]) / static_cast<double>(sizes[from]) +
             static_cast<double>(counts[6 * b + 3 + point]) / static_cast<double>(sizes[to]);
    };
    const double at_centres = std::min(density(0), density(2));
    fullest[from] = std::max(fullest[from], at_centres > 0 ? std::min(1.0, density(1) / at_centres) : 1.0);
  }
  double sum = 0;
  double cells = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < fewest_cells) continue;
    sum += fullest[i] * static_cast<double>(sizes[i]);
    cells += static_cast<double>(sizes[i]);
  }
  return sum / cells;
}

}  // namespace masksc

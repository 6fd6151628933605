#include "masksc/cluster/borders.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <map>
#include <numeric>
#include <vector>

#include "masksc/cluster/order.hpp"
#include "squared_distance.hpp"

namespace masksc {
namespace {

constexpr std::size_t neighbours = 2;  // of a cluster
constexpr double around = 0.15;        // a point, as a share of the distance between the centres
constexpr double gap = 0.5;            // a border that is less full

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
    if (sizes[i] >= kFewestCells) counted.push_back(static_cast<std::int32_t>(i));
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

/// How full each of the borders is, 0 to 1. A collective.
std::vector<double> densities(const std::vector<Border>& borders, const DenseMatrix& local_rows,
                              std::span<const std::int32_t> labels, const DenseMatrix& centres,
                              std::span<const std::int64_t> sizes, Collectives& ranks) {
  std::vector<std::vector<std::size_t>> of_cluster(sizes.size());
  for (std::size_t b = 0; b < borders.size(); ++b)
    for (const std::int32_t end : {borders[b].from, borders[b].to})
      of_cluster[static_cast<std::size_t>(end)].push_back(b);
  std::vector<std::int64_t> counts(borders.size() * 6);  // of each border: AlongLine of `from`, then of `to`
  for (std::int64_t row = 0; row < local_rows.rows; ++row) {
    const std::int32_t label = labels[static_cast<std::size_t>(row)];
    for (const std::size_t b : of_cluster[static_cast<std::size_t>(label)]) {
      const AlongLine here = places(local_rows.row(row), centres, borders[b]);
      const std::size_t side = label == borders[b].from ? 0 : 3;
      for (std::size_t point = 0; point < 3; ++point) counts[6 * b + side + point] += here[point];
    }
  }
  ranks.all_reduce(std::span(counts));

  std::vector<double> found;
  for (std::size_t b = 0; b < borders.size(); ++b) {
    const auto density = [&](std::size_t point) {
      return static_cast<double>(counts[6 * b + point]) /
                 static_cast<double>(sizes[static_cast<std::size_t>(borders[b].from)]) +
             static_cast<double>(counts[6 * b + 3 + point]) /
                 static_cast<double>(sizes[static_cast<std::size_t>(borders[b].to)]);
    };
    const double at_centres = std::min(density(0), density(2));
    found.push_back(at_centres > 0 ? std::min(1.0, density(1) / at_centres) : 1.0);
  }
  return found;
}

/// The merged cluster that has most cells of each cluster. A collective.
std::vector<std::int32_t> homes_of(std::span<const std::int32_t> labels, std::span<const std::int32_t> merged,
                                   std::size_t clusters, Collectives& ranks) {
  std::vector<std::int64_t> shared(clusters * clusters);
  for (std::size_t i = 0; i < labels.size(); ++i)
    ++shared[static_cast<std::size_t>(labels[i]) * clusters + static_cast<std::size_t>(merged[i])];
  ranks.all_reduce(std::span(shared));
  std::vector<std::int32_t> homes;
  for (std::size_t i = 0; i < clusters; ++i) {
    const auto begin = shared.begin() + static_cast<std::ptrdiff_t>(i * clusters);
    const auto end = begin + static_cast<std::ptrdiff_t>(clusters);
    homes.push_back(static_cast<std::int32_t>(std::max_element(begin, end) - begin));
  }
  return homes;
}

}  // namespace

double border_density(const DenseMatrix& local_rows, std::span<const std::int32_t> labels, const DenseMatrix& centres,
                      Collectives& ranks) {
  const std::vector<std::int64_t> sizes = cluster_sizes(labels, centres.rows, ranks);
  const std::vector<Border> borders = nearest_borders(centres, sizes);
  if (borders.empty()) return 0;
  const std::vector<double> full = densities(borders, local_rows, labels, centres, sizes, ranks);

  std::vector<double> fullest(sizes.size(), 0);
  for (std::size_t b = 0; b < borders.size(); ++b) {
    double& of_cluster = fullest[static_cast<std::size_t>(borders[b].from)];
    of_cluster = std::max(of_cluster, full[b]);
  }
  double sum = 0;
  double cells = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] < kFewestCells) continue;
    sum += fullest[i] * static_cast<double>(sizes[i]);
    cells += static_cast<double>(sizes[i]);
  }
  return sum / cells;
}

double share_across_gaps(const DenseMatrix& local_rows, std::span<const std::int32_t> labels,
                         const DenseMatrix& centres, std::span<const std::int32_t> merged, Collectives& ranks) {
  const std::vector<std::int64_t> sizes = cluster_sizes(labels, centres.rows, ranks);
  const std::vector<std::int32_t> homes = homes_of(labels, merged, sizes.size(), ranks);
  std::vector<Border> borders;
  for (std::int32_t from = 0; from < static_cast<std::int32_t>(sizes.size()); ++from)
    for (std::int32_t to = from + 1; to < static_cast<std::int32_t>(sizes.size()); ++to) {
      const auto a = static_cast<std::size_t>(from);
      const auto b = static_cast<std::size_t>(to);
      if (homes[a] == homes[b] && sizes[a] >= kFewestCells && sizes[b] >= kFewestCells)
        borders.push_back({from, to, squared_distance(centres.row(from), centres.row(to))});
    }
  const std::vector<double> full = densities(borders, local_rows, labels, centres, sizes, ranks);

  std::vector<std::int32_t> part(sizes.size());  // of its merged cluster, that no gap divides: its first cluster
  std::iota(part.begin(), part.end(), 0);
  for (std::size_t b = 0; b < borders.size(); ++b) {
    if (full[b] < gap) continue;
    const std::int32_t one = part[static_cast<std::size_t>(borders[b].from)];
    const std::int32_t other = part[static_cast<std::size_t>(borders[b].to)];
    std::replace(part.begin(), part.end(), std::max(one, other), std::min(one, other));
  }
  std::vector<std::int64_t> cells_of_part(sizes.size());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    if (sizes[i] >= kFewestCells) cells_of_part[static_cast<std::size_t>(part[i])] += sizes[i];
  std::map<std::int32_t, std::int64_t> largest;  // part of each merged cluster
  for (std::size_t i = 0; i < sizes.size(); ++i) largest[homes[i]] = std::max(largest[homes[i]], cells_of_part[i]);
  const std::int64_t counted = std::accumulate(cells_of_part.begin(), cells_of_part.end(), std::int64_t{0});
  std::int64_t across = counted;
  for (const auto& [home, cells] : largest) across -= cells;
  return counted > 0 ? static_cast<double>(across) / static_cast<double>(counted) : 0;
}

}  // namespace masksc

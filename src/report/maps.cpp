#include "masksc/report/maps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <knncolle/knncolle.hpp>
#include <knncolle_hnsw/knncolle_hnsw.hpp>
#include <memory>
#include <qdtsne/qdtsne.hpp>
#include <span>
#include <umappp/umappp.hpp>
#include <utility>

#include "masksc/cluster/neighbours.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/on_threads.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {
namespace {

using Neighbours = knncolle::NeighborList<int, float>;

constexpr int perplexity = 30;
constexpr int umap_neighbours = 15;
constexpr std::int64_t most_finely_mapped = 10'000;  // cells, by t-SNE
constexpr std::int64_t placed_by = 3;                // mapped cells
constexpr std::int64_t placed_block = 4096;          // cells that a thread takes at once

/// The `count` nearest of each row, with their distances, nearest first.
Neighbours nearest(const DenseMatrix& rows, std::int64_t count, int threads) {
  const NeighbourTable table = nearest_rows(rows, rows, count, 0, threads);
  Neighbours neighbours(static_cast<std::size_t>(rows.rows));
  on_threads(threads, rows.rows, [&](std::int64_t row, int /*thread*/) {
    for (const std::int32_t near : table.of(row))
      neighbours[static_cast<std::size_t>(row)].emplace_back(
          near, static_cast<float>(distance_between(rows.row(row), rows.row(near))));
  });
  return neighbours;
}

DenseMatrix to_matrix(const std::vector<double>& points) {
  DenseMatrix matrix(static_cast<std::int64_t>(points.size()) / 2, 2);
  std::transform(points.begin(), points.end(), matrix.values.begin(), [](double v) { return static_cast<float>(v); });
  return matrix;
}

template <typename To>
knncolle::NeighborList<int, To> first_of(const Neighbours& all, std::size_t count) {
  knncolle::NeighborList<int, To> some(all.size());
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t n = 0; n < std::min(count, all[i].size()); ++n)
      some[i].emplace_back(all[i][n].first, static_cast<To>(all[i][n].second));
  return some;
}

DenseMatrix tsne_of(const Neighbours& neighbours, std::uint64_t seed, int threads) {
  qdtsne::Options options;
  options.perplexity = perplexity;
  options.infer_perplexity = true;  // a third of the neighbours there are
  options.num_threads = threads;
  if (std::cmp_greater(neighbours.size(), most_finely_mapped)) {  // a third of the time at 20,000 cells
    options.max_depth = 7;
    options.leaf_approximation = true;
  }
  auto status = qdtsne::initialize<2>(first_of<double>(neighbours, 3 * perplexity), options);
  std::vector<double> points(2 * neighbours.size());
  qdtsne::initialize_random<2>(points.data(), neighbours.size(), seed);
  status.run(points.data());
  return to_matrix(points);
}

DenseMatrix umap_of(const Neighbours& neighbours, std::uint64_t seed, int threads) {
  umappp::Options options;
  options.initialize_seed = seed;
  options.optimize_seed = seed + 1;
  options.num_threads = threads;
  std::vector<double> points(2 * neighbours.size());
  auto status = umappp::initialize(first_of<double>(neighbours, umap_neighbours), 2, points.data(), options);
  status.run(points.data());
  return to_matrix(points);
}

/// What finds the `count` nearest of `rows`, approximately: there may be ten million queries.
std::unique_ptr<knncolle::Prebuilt<int, float, float>> index_of(const DenseMatrix& rows, int count) {
  const knncolle::SimpleMatrix<int, float> points(static_cast<std::size_t>(rows.columns), static_cast<int>(rows.rows),
                                                  rows.values.data());
  knncolle_hnsw::HnswOptions options;
  options.ef_search = std::max(options.ef_search, count);
  return knncolle_hnsw::HnswBuilder<int, float, float>(knncolle_hnsw::makeEuclideanDistanceConfig<float>(), options)
      .build_unique(points);
}

/// The mean of the rows `near` of `map`, weighted by 1 / distance.
void place(const std::vector<int>& near, const std::vector<float>& distances, const DenseMatrix& map,
           std::span<float> at) {
  double total = 0, x = 0, y = 0;
  for (std::size_t n = 0; n < near.size(); ++n) {
    const double weight = distances[n] > 0 ? 1 / static_cast<double>(distances[n]) : 1;
    const auto point = map.row(near[n]);
    total += weight;
    x += weight * static_cast<double>(point[0]);
    y += weight * static_cast<double>(point[1]);
  }
  at[0] = static_cast<float>(x / total);
  at[1] = static_cast<float>(y / total);
}

}  // namespace

CellMaps map_cells(const DenseMatrix& features, std::uint64_t seed, int threads) {
  const auto alone = single_rank();
  check_finite(undealt(features), "features", *alone);
  CellMaps maps;
  maps.tsne = maps.umap = DenseMatrix(features.rows, 2);
  if (features.rows < 4) return maps;
  const Neighbours neighbours = nearest(features, std::min<std::int64_t>(3 * perplexity, features.rows - 1), threads);
  // At the same time: most of UMAP keeps one thread busy alone.
  on_threads(threads, 2, [&](std::int64_t map, int /*thread*/) {
    if (map == 0)
      maps.tsne = tsne_of(neighbours, seed, threads);
    else
      maps.umap = umap_of(neighbours, seed, threads);
  });
  return maps;
}

CellMaps place_cells(const DenseMatrix& features, const DenseMatrix& mapped, const CellMaps& maps, int threads) {
  ensure(mapped.rows > 0 && maps.tsne.rows == mapped.rows && maps.umap.rows == mapped.rows, "place_cells: sizes");
  ensure(features.rows == 0 || features.columns == mapped.columns, "place_cells: columns");
  const int count = static_cast<int>(std::min(placed_by, mapped.rows));
  const auto index = index_of(mapped, count);
  CellMaps placed = {DenseMatrix(features.rows, 2), DenseMatrix(features.rows, 2)};
  on_threads(threads, (features.rows + placed_block - 1) / placed_block, [&](std::int64_t block, int /*thread*/) {
    const auto searcher = index->initialize();
    std::vector<int> near;
    std::vector<float> distances;
    const std::int64_t end = std::min((block + 1) * placed_block, features.rows);
    for (std::int64_t cell = block * placed_block; cell < end; ++cell) {
      searcher->search(features.row(cell).data(), count, &near, &distances);
      if (distances.front() == 0) near.resize(1);
      place(near, distances, maps.tsne, placed.tsne.row(cell));
      place(near, distances, maps.umap, placed.umap.row(cell));
    }
  });
  return placed;
}

std::string describe_maps(std::int64_t cells, std::uint64_t seed) {
  return fmt::format(
      "t-SNE: qdtsne, perplexity {}, 1000 iterations{}. UMAP: umappp, {} neighbours, least distance 0.1. "
      "Neighbours by Euclidean distance of the features, seed {}.",
      std::clamp<std::int64_t>((cells - 1) / 3, 0, perplexity),
      cells > most_finely_mapped ? ", near cells as one (depth 7)" : "", umap_neighbours, seed);
}

}  // namespace masksc

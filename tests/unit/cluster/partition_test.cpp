// K-means, or finer K-means whose centres are merged: which of them is taken, and that ranks don't matter.
#include "masksc/cluster/partition.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <vector>

#include "masksc/core/random.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

struct Cells {
  DenseMatrix x;
  std::vector<std::int32_t> types;
};

/// A type of `large` cells in a disk of radius 2, and four types of 20 cells, 5 apart from each other.
Cells one_large_type(std::int64_t large) {
  RandomStream random(8, Purpose::simulate, 0, 0);
  Cells cells{DenseMatrix(large + 80, 2), {}};
  for (std::int64_t i = 0; i < cells.x.rows; ++i) {
    const auto type = static_cast<std::int32_t>(i < large ? 0 : 1 + (i - large) % 4);
    const double radius = type == 0 ? 2 * std::sqrt(random.uniform()) : 0.5 * random.uniform();
    const double angle = 6.28 * random.uniform();
    cells.x.row(i)[0] = static_cast<float>(radius * std::cos(angle) + (type == 0 ? 0 : 15 + 5 * (type % 2)));
    cells.x.row(i)[1] = static_cast<float>(radius * std::sin(angle) + (type > 2 ? 5 : 0));
    cells.types.push_back(type);
  }
  return cells;
}

Partition over_ranks(const DenseMatrix& x, int ranks, Clustering clustering, const KMeansSettings& settings) {
  Partition whole;
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = rows_of_rank(x.rows, all.rank(), ranks);
    Partition part = partition_cells({part_of(x, rows), rows, x.rows}, clustering, settings, all);
    part.labels = all.gather_varied(std::span<const std::int32_t>(part.labels));
    if (all.is_root()) whole = std::move(part);
  });
  return whole;
}

TEST(Partition, LeavesALargeTypeWholeWhereKMeansCutsIt) {
  const Cells cells = one_large_type(1000);
  const KMeansSettings settings{.clusters = 5};
  const Partition kmeans = over_ranks(cells.x, 1, Clustering::kmeans, settings);
  const Partition best = over_ranks(cells.x, 1, Clustering::best, settings);
  EXPECT_LT(adjusted_rand_index(cells.types, kmeans.labels), 0.5);
  EXPECT_EQ(kmeans.finer, 0);
  EXPECT_FALSE(kmeans.silhouette);
  EXPECT_GT(adjusted_rand_index(cells.types, best.labels), 0.95);
  EXPECT_GT(best.finer, 5);
  EXPECT_GT(best.borders.value(), kCutsTypes);
  EXPECT_EQ(std::set<std::int32_t>(best.labels.begin(), best.labels.end()), (std::set<std::int32_t>{0, 1, 2, 3, 4}));
  EXPECT_GT(std::count(best.labels.begin(), best.labels.end(), 0), 900) << "0 is the largest";
}

/// `count` cells evenly in a disk.
void add_disk(std::vector<std::array<double, 2>>& cells, std::int64_t count, double x, double radius,
              RandomStream& random) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double r = radius * std::sqrt(random.uniform());
    const double angle = 6.28 * random.uniform();
    cells.push_back({x + r * std::cos(angle), r * std::sin(angle)});
  }
}

/// Of two types K-means cuts the larger one; finer centres lie on three pairs of cells far outside, and merged into
/// four clusters they have the pairs and all others: of a high silhouette, and no answer.
TEST(Partition, DoesNotUniteTypesForTheSakeOfOddCells) {
  RandomStream random(4, Purpose::simulate, 0, 0);
  std::vector<std::array<double, 2>> cells;
  add_disk(cells, 2000, 0, 10, random);
  add_disk(cells, 800, 22, 6, random);
  for (const double far : {-45.0, 45.0, 90.0})
    for (const double beside : {0.0, 0.5}) cells.push_back({11 + beside, far});
  DenseMatrix x(std::ssize(cells), 2);
  for (std::int64_t i = 0; i < x.rows; ++i)
    for (std::size_t c = 0; c < 2; ++c) x.row(i)[c] = static_cast<float>(cells[static_cast<std::size_t>(i)][c]);
  const KMeansSettings settings{.clusters = 4};
  const Partition merged = over_ranks(x, 1, Clustering::merged, settings);
  EXPECT_GT(std::count(merged.labels.begin(), merged.labels.end(), 0), 2790);
  const Partition best = over_ranks(x, 1, Clustering::best, settings);
  EXPECT_GT(best.borders.value(), kCutsTypes);
  EXPECT_GT(*merged.silhouette, *best.silhouette / 0.975);
  EXPECT_EQ(best.finer, 0);
  EXPECT_EQ(best.labels, over_ranks(x, 3, Clustering::kmeans, settings).labels);
}

TEST(Partition, IsTheSameOnAnyNumberOfRanks) {
  const Cells cells = one_large_type(400);
  for (const Clustering clustering : {Clustering::best, Clustering::merged, Clustering::kmeans}) {
    const Partition one = over_ranks(cells.x, 1, clustering, {.clusters = 5, .seed = 3});
    const Partition three = over_ranks(cells.x, 3, clustering, {.clusters = 5, .seed = 3});
    EXPECT_EQ(one.labels, three.labels);
    EXPECT_EQ(one.finer, three.finer);
    EXPECT_EQ(one.silhouette, three.silhouette);
    EXPECT_EQ(one.borders, three.borders);
  }
}

TEST(Partition, StaysWithKMeansWhereThatSeparatesBetter) {
  RandomStream random(9, Purpose::simulate, 0, 0);
  DenseMatrix x(600,
                2);  // an even disk: K-means cuts it as it comes, and pieces of one size have the higher silhouette
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const double radius = std::sqrt(random.uniform());
    const double angle = 6.28 * random.uniform();
    x.row(i)[0] = static_cast<float>(radius * std::cos(angle));
    x.row(i)[1] = static_cast<float>(radius * std::sin(angle));
  }
  const KMeansSettings settings{.clusters = 4};
  const Partition best = over_ranks(x, 1, Clustering::best, settings);
  EXPECT_EQ(best.finer, 0);
  EXPECT_GT(best.borders.value(), kCutsTypes);
  EXPECT_EQ(best.labels, over_ranks(x, 1, Clustering::kmeans, settings).labels);
  const Partition merged = over_ranks(x, 1, Clustering::merged, settings);
  EXPECT_GT(merged.finer, 0);
  EXPECT_LT(*merged.silhouette, *best.silhouette);
}

TEST(Partition, StaysWithKMeansWhoseClustersHaveGaps) {
  RandomStream random(5, Purpose::simulate, 0, 0);
  DenseMatrix x(800, 2);  // four groups
  for (std::int64_t i = 0; i < x.rows; ++i) {
    x.row(i)[0] =
        static_cast<float>(2 * static_cast<double>(i % 2) + 30 * static_cast<double>(i / 2 % 2) + random.uniform());
    x.row(i)[1] = static_cast<float>(random.uniform());
  }
  const Partition best = over_ranks(x, 2, Clustering::best, {.clusters = 4});
  EXPECT_EQ(best.finer, 0);
  EXPECT_LT(best.borders.value(), 0.1);
  EXPECT_FALSE(best.silhouette);
}

TEST(Partition, IsKMeansOfFewCellsAndOfOneCluster) {
  const Cells cells = one_large_type(120);
  for (const std::int64_t clusters : {1, 11, 100}) {  // 11: twice as many centres need 220 cells
    const KMeansSettings settings{.clusters = clusters};
    for (const Clustering clustering : {Clustering::best, Clustering::merged}) {
      const Partition found = over_ranks(cells.x, 2, clustering, settings);
      EXPECT_EQ(found.finer, 0);
      EXPECT_FALSE(found.silhouette);
      EXPECT_EQ(found.labels, over_ranks(cells.x, 2, Clustering::kmeans, settings).labels);
    }
  }
  EXPECT_GT(over_ranks(cells.x, 2, Clustering::merged, {.clusters = 10}).finer, 0);
}

}  // namespace
}  // namespace masksc

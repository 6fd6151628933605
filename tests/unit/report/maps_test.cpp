#include "masksc/report/maps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

/// `count` cells in each of three far groups of 8 features.
DenseMatrix three_groups(std::int64_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> noise;
  DenseMatrix cells(3 * count, 8);
  for (std::int64_t i = 0; i < cells.rows; ++i)
    for (std::int64_t f = 0; f < 8; ++f)
      cells.row(i)[static_cast<std::size_t>(f)] = noise(random) + (f == i / count ? 30.0F : 0.0F);
  return cells;
}

/// Share of cells whose nearest other cell on the map is of their group.
double kept_together(const DenseMatrix& map, std::int64_t count) {
  std::int64_t good = 0;
  for (std::int64_t i = 0; i < map.rows; ++i) {
    double best = std::numeric_limits<double>::max();
    std::int64_t nearest = -1;
    for (std::int64_t j = 0; j < map.rows; ++j) {
      const double distance = std::hypot(map.row(i)[0] - map.row(j)[0], map.row(i)[1] - map.row(j)[1]);
      if (j != i && distance < best) {
        best = distance;
        nearest = j;
      }
    }
    good += nearest / count == i / count ? 1 : 0;
  }
  return static_cast<double>(good) / static_cast<double>(map.rows);
}

TEST(CellMaps, KeepNeighboursTogether) {
  const CellMaps maps = map_cells(three_groups(60), 3, 2);
  EXPECT_EQ(kept_together(maps.tsne, 60), 1.0);
  EXPECT_EQ(kept_together(maps.umap, 60), 1.0);
}

TEST(CellMaps, AreTheSameForAnyThreadsAndOtherForAnotherSeed) {
  const DenseMatrix cells = three_groups(40);
  const CellMaps one = map_cells(cells, 3, 1), three = map_cells(cells, 3, 3), other = map_cells(cells, 4, 1);
  EXPECT_EQ(one.tsne.values, three.tsne.values);
  EXPECT_EQ(one.umap.values, three.umap.values);
  EXPECT_NE(one.tsne.values, other.tsne.values);
}

TEST(CellMaps, FewOrEqualCellsAreNoTrouble) {
  for (const std::int64_t cells : {1, 2, 3, 4, 5, 9}) {
    DenseMatrix alike(cells, 3);
    const CellMaps maps = map_cells(alike, 0, 1);
    ASSERT_EQ(maps.umap.rows, cells);
    for (const float value : maps.umap.values) EXPECT_TRUE(std::isfinite(value)) << cells;
    for (const float value : maps.tsne.values) EXPECT_TRUE(std::isfinite(value)) << cells;
  }
}

TEST(CellMaps, RefusesWhatIsNoNumber) {
  DenseMatrix cells = three_groups(5);
  cells.values[7] = std::nanf("");
  EXPECT_THROW(map_cells(cells, 0, 1), InvariantError);
}

}  // namespace
}  // namespace masksc

#include "masksc/report/maps.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <utility>

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

TEST(CellMaps, OtherCellsArePlacedAmongThoseOfTheirGroup) {
  const DenseMatrix mapped = three_groups(60);
  const CellMaps maps = map_cells(mapped, 3, 2);
  // A cell that is mapped, one beside it, and another that is mapped.
  DenseMatrix cells(3, 8);
  for (std::size_t f = 0; f < 8; ++f) {
    cells.row(0)[f] = cells.row(1)[f] = mapped.row(70)[f];
    cells.row(2)[f] = mapped.row(130)[f];
  }
  cells.row(1)[0] += 1e-4F;
  const CellMaps placed = place_cells(cells, mapped, maps, 2);
  for (const auto& [at, map] : {std::pair(&placed.tsne, &maps.tsne), std::pair(&placed.umap, &maps.umap)}) {
    for (std::size_t d = 0; d < 2; ++d) {
      EXPECT_EQ(at->row(0)[d], map->row(70)[d]);
      EXPECT_NEAR(at->row(1)[d], map->row(70)[d], 0.02);
      EXPECT_EQ(at->row(2)[d], map->row(130)[d]);
    }
  }
  EXPECT_EQ(placed.umap.values, place_cells(cells, mapped, maps, 1).umap.values);
  EXPECT_THROW(static_cast<void>(place_cells(DenseMatrix(1, 7), mapped, maps, 1)), InvariantError);
}

TEST(CellMaps, ACellBetweenTwoIsPlacedByItsDistances) {
  DenseMatrix mapped(2, 1);
  mapped.row(1)[0] = 4;
  CellMaps maps = {DenseMatrix(2, 2), DenseMatrix(2, 2)};
  maps.tsne.row(1)[0] = 8;
  maps.umap.row(1)[1] = 16;
  DenseMatrix cell(1, 1);
  cell.row(0)[0] = 1;  // weights 1 and 1/3
  const CellMaps placed = place_cells(cell, mapped, maps, 1);
  EXPECT_FLOAT_EQ(placed.tsne.row(0)[0], 2);
  EXPECT_FLOAT_EQ(placed.umap.row(0)[1], 4);
}

}  // namespace
}  // namespace masksc

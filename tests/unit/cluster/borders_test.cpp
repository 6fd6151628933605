// How full of cells the borders between clusters are.
#include "masksc/cluster/borders.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace masksc {
namespace {

std::int32_t place_among(const std::vector<double>& cuts, double at) {
  return static_cast<std::int32_t>(std::count_if(cuts.begin(), cuts.end(), [&](double c) { return at >= c; }));
}

/// Cells on a line, with clusters cut at `cuts`; centres are the means. Dealt out over so many ranks. How full the
/// borders are or, of clusters merged at other cuts, how many cells are united across gaps.
double on_a_line(const std::vector<double>& cells, const std::vector<double>& cuts, int ranks,
                 const std::vector<double>& merged_at = {}) {
  const auto count = static_cast<std::int64_t>(cells.size());
  DenseMatrix x(count, 2);
  std::vector<std::int32_t> labels;
  DenseMatrix centres(std::ssize(cuts) + 1, 2);
  std::vector<double> sums(cuts.size() + 1);
  std::vector<double> sizes(cuts.size() + 1);
  for (std::int64_t i = 0; i < count; ++i) {
    const double at = cells[static_cast<std::size_t>(i)];
    x.row(i)[0] = static_cast<float>(at);
    x.row(i)[1] = static_cast<float>(i % 7);  // across the line: of no account
    const auto label = static_cast<std::size_t>(place_among(cuts, at));
    labels.push_back(static_cast<std::int32_t>(label));
    sums[label] += at;
    ++sizes[label];
  }
  for (std::size_t c = 0; c < sums.size(); ++c) {
    centres.row(static_cast<std::int64_t>(c))[0] = static_cast<float>(sums[c] / sizes[c]);
    centres.row(static_cast<std::int64_t>(c))[1] = 3;
  }
  double found = -1;
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = rows_of_rank(count, all.rank(), ranks);
    const DenseMatrix part = part_of(x, rows);
    const auto here =
        std::span(labels).subspan(static_cast<std::size_t>(rows.begin), static_cast<std::size_t>(rows.size()));
    std::vector<std::int32_t> merged;
    for (std::int64_t i = rows.begin; i < rows.end; ++i)
      merged.push_back(place_among(merged_at, cells[static_cast<std::size_t>(i)]));
    const double mine = merged_at.empty() ? border_density(part, here, centres, all)
                                          : share_across_gaps(part, here, centres, merged, all);
    if (all.is_root()) found = mine;
  });
  return found;
}

/// `count` cells from `from` on, so far apart.
void add(std::vector<double>& cells, double from, double apart, int count) {
  for (int i = 0; i < count; ++i) cells.push_back(from + apart * i);
}

TEST(Borders, AreEmptyBetweenGroupsAndFullWithinOne) {
  std::vector<double> apart;
  add(apart, 0, 0.01, 100);
  add(apart, 3, 0.01, 100);
  EXPECT_EQ(on_a_line(apart, {2}, 1), 0);
  std::vector<double> even;
  add(even, 0, 0.01, 400);
  EXPECT_GT(on_a_line(even, {2}, 1), 0.95);
  EXPECT_EQ(on_a_line(even, {2}, 3), on_a_line(even, {2}, 1));
}

TEST(Borders, OfEveryClusterCountByItsCells) {
  std::vector<double> cells;  // an even group of 300 cut in three, and one of as many far away
  add(cells, 0, 0.01, 300);
  add(cells, 20, 0.01, 300);
  EXPECT_NEAR(on_a_line(cells, {1, 2, 10}, 2), 0.5, 0.05);
}

TEST(Borders, OfAThinnedMiddleAreInBetween) {
  std::vector<double> cells;  // every second cell is lacking between 1.4 and 2.6
  add(cells, 0, 0.01, 140);
  add(cells, 1.4, 0.02, 60);
  add(cells, 2.6, 0.01, 140);
  const double found = on_a_line(cells, {2}, 1);
  EXPECT_GT(found, 0.4);
  EXPECT_LT(found, 0.6);
}

TEST(Borders, CountEachClustersCellsByItsSize) {
  std::vector<double> cells;  // three of 303 on the border, next to a small cluster
  add(cells, 0, 0.003, 300);
  add(cells, 2, 0.01, 3);
  add(cells, 3, 0.03, 30);
  EXPECT_NEAR(on_a_line(cells, {2.5}, 1), 0.01, 0.005);
}

TEST(Borders, LeaveOutClustersOfFewCells) {
  std::vector<double> cells;
  add(cells, 0, 0.01, 200);
  add(cells, 2.1, 0.1, 9);  // nine cells
  EXPECT_EQ(on_a_line(cells, {2.05}, 1), 0) << "one cluster that counts: no border";
  EXPECT_GT(on_a_line(cells, {1, 2.05}, 1), 0.95);
}

TEST(Borders, TellWhatIsUnitedAcrossGaps) {
  std::vector<double> cells;  // an even group of 300 cut in three, one of 200 cut in two, one of 100; nine odd cells
  add(cells, 0, 0.01, 300);
  add(cells, 10, 0.01, 200);
  add(cells, 20, 0.01, 100);
  add(cells, 90, 0.01, 9);
  const std::vector<double> cuts = {1, 2, 5, 11, 15, 50};
  EXPECT_EQ(on_a_line(cells, cuts, 1, {5, 15, 50}), 0) << "the groups themselves";
  EXPECT_EQ(on_a_line(cells, cuts, 2, {2, 5, 11, 15}), 0) << "parts of groups";
  EXPECT_EQ(on_a_line(cells, cuts, 2, {15, 50}), 200.0 / 600);
  EXPECT_EQ(on_a_line(cells, cuts, 3, {50}), 300.0 / 600) << "of three groups the largest is where the others are";
  EXPECT_EQ(on_a_line(cells, cuts, 1, {50}), 300.0 / 600);
}

}  // namespace
}  // namespace masksc

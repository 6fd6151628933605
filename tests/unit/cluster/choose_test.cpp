// The number of clusters: asked for, from labels, or from the cells alone.
#include "masksc/cluster/choose.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "masksc/cluster/leiden.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"

namespace masksc {
namespace {

/// `groups` round groups of `size` cells each.
DenseMatrix round_groups(std::int64_t groups, std::int64_t size) {
  RandomStream random(6, Purpose::simulate, 0, 0);
  DenseMatrix centres(groups, 8);
  for (float& v : centres.values) v = static_cast<float>(30 * random.uniform());
  DenseMatrix x(groups * size, 8);
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::size_t f = 0; f < 8; ++f) {
      x.row(i)[f] = centres.row(i % groups)[f] + static_cast<float>(random.uniform() + random.uniform());
    }
  }
  return x;
}

ClusterCount over_ranks(const DenseMatrix& x, int ranks, const ClusterSettings& settings, std::int64_t categories) {
  std::vector<ClusterCount> counts(static_cast<std::size_t>(ranks));
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = rows_of_rank(x.rows, all.rank(), ranks);
    const DenseMatrix mine = part_of(x, rows);
    counts[static_cast<std::size_t>(all.rank())] = decide_clusters(settings, categories, {mine, rows, x.rows}, 0, all);
  });
  for (const auto& count : counts) EXPECT_EQ(count.clusters, counts[0].clusters);
  return counts[0];
}

TEST(Choose, FindsTheGroupsWithoutLabels) {
  for (const std::int64_t groups : {2, 5, 11}) {
    const DenseMatrix x = round_groups(groups, 60);
    for (const auto choice : {ClusterChoice::both, ClusterChoice::leiden, ClusterChoice::silhouette}) {
      ClusterSettings settings;
      settings.choice = choice;
      for (const int ranks : {1, 3}) {
        const auto count = over_ranks(x, ranks, settings, 0);
        EXPECT_EQ(count.clusters, groups);
        EXPECT_EQ(count.source, "auto");
      }
    }
  }
}

/// Communities that cut groups at random are not found again by K-means; groups within groups are.
TEST(Choose, BothTakesLeidensNumberOnlyWhereKMeansFindsItAgain) {
  const DenseMatrix x = round_groups(3, 150);
  ClusterSettings settings;
  settings.resolution = 4;
  settings.choice = ClusterChoice::leiden;
  EXPECT_GT(over_ranks(x, 1, settings, 0).clusters, 3);
  settings.choice = ClusterChoice::both;
  for (const int ranks : {1, 3}) EXPECT_EQ(over_ranks(x, ranks, settings, 0).clusters, 3);
  DenseMatrix nested = round_groups(1, 600);  // two far groups of two near ones
  for (std::int64_t i = 0; i < nested.rows; ++i) {
    nested.row(i)[0] += 100.0F * static_cast<float>(i % 2);
    nested.row(i)[1] += i % 4 < 2 ? 4.0F : 0.0F;
  }
  settings.resolution = 0.2;
  settings.choice = ClusterChoice::silhouette;
  EXPECT_EQ(over_ranks(nested, 1, settings, 0).clusters, 2);
  settings.choice = ClusterChoice::both;
  for (const int ranks : {1, 3}) EXPECT_EQ(over_ranks(nested, ranks, settings, 0).clusters, 4);
}

/// Six far groups of two near ones each, that separate as well as twelve: the graph says which are meant.
TEST(Choose, BothTakesLeidensNumberOfThoseThatSeparateAsWell) {
  DenseMatrix x = round_groups(6, 100);
  for (std::int64_t i = 0; i < x.rows; ++i) x.row(i)[0] += i % 12 < 6 ? 8.0F : 0.0F;
  ClusterSettings settings;
  settings.neighbours = 80;  // more than the 50 cells of a near group: the graph holds pairs together
  settings.choice = ClusterChoice::silhouette;
  EXPECT_EQ(over_ranks(x, 1, settings, 0).clusters, 12);
  settings.choice = ClusterChoice::leiden;
  EXPECT_EQ(over_ranks(x, 1, settings, 0).clusters, 6);
  settings.choice = ClusterChoice::both;
  for (const int ranks : {1, 3}) EXPECT_EQ(over_ranks(x, ranks, settings, 0).clusters, 6);
}

TEST(Choose, TakesOptionThenLabels) {
  const DenseMatrix x = round_groups(3, 20);
  ClusterSettings settings;
  EXPECT_EQ(over_ranks(x, 2, settings, 7).clusters, 7);
  EXPECT_EQ(over_ranks(x, 2, settings, 7).source, "labels");
  settings.clusters = "auto";
  EXPECT_EQ(over_ranks(x, 2, settings, 7).source, "auto");
  settings.clusters = "4";
  EXPECT_EQ(over_ranks(x, 2, settings, 7).clusters, 4);
  EXPECT_EQ(over_ranks(x, 2, settings, 7).source, "option");
  settings.clusters = "61";
  EXPECT_THROW(over_ranks(x, 2, settings, 7), UserError);
}

TEST(Choose, CopesWithFewCells) {
  for (const auto choice : {ClusterChoice::both, ClusterChoice::leiden, ClusterChoice::silhouette}) {
    ClusterSettings settings;
    settings.choice = choice;
    for (const std::int64_t cells : {1, 2, 3}) {
      const auto count = over_ranks(DenseMatrix(cells, 2), 2, settings, 0);
      EXPECT_GE(count.clusters, 1);
      EXPECT_LE(count.clusters, cells);
    }
  }
}

TEST(Choose, OptionsAreReadAndChecked) {
  ClusterSettings settings;
  OptionTable table;
  describe(table, settings);
  table.set("clusters", "12", "here");
  table.set("auto-clusters", "silhouette", "here");
  table.set("kmeans-restarts", "3", "here");
  validate(settings);
  EXPECT_EQ(settings.clusters, "12");
  EXPECT_EQ(settings.choice, ClusterChoice::silhouette);
  EXPECT_EQ(settings.restarts, 3);
  for (const std::string bad : {"0", "-3", "many", "3.5", "4x"}) {
    settings.clusters = bad;
    try {
      validate(settings);
      ADD_FAILURE() << bad;
    } catch (const UserError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("'" + bad + "'"));
    }
  }
  settings.clusters = "auto";
  settings.resolution = 0;
  EXPECT_THROW(validate(settings), UserError);
  settings.resolution = 1;
  settings.neighbours = 0;
  EXPECT_THROW(validate(settings), UserError);
}

}  // namespace
}  // namespace masksc

#include "masksc/report/markers.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace masksc {
namespace {

CsrMatrix csr(const std::vector<std::vector<float>>& dense) {
  CsrMatrix matrix;
  matrix.rows = static_cast<std::int64_t>(dense.size());
  matrix.columns = static_cast<std::int64_t>(dense.front().size());
  for (const auto& row : dense) {
    for (std::size_t g = 0; g < row.size(); ++g) {
      if (row[g] == 0) continue;
      matrix.indices.push_back(static_cast<std::int32_t>(g));
      matrix.values.push_back(row[g]);
    }
    matrix.row_start.push_back(static_cast<std::int64_t>(matrix.indices.size()));
  }
  return matrix;
}

// Gene 1 is in cluster 0 only, gene 2 in cluster 1 only, gene 0 everywhere alike.
const std::vector<std::vector<float>> cells = {{2, 3, 0}, {2, 4, 0}, {2, 5, 0}, {2, 0, 1}, {2, 0, 0}, {2, 0, 3}};
const std::vector<std::int32_t> clusters = {0, 0, 0, 1, 1, 1};

TEST(Markers, TellAClusterFromTheOthers) {
  const ClusterMarkers markers = find_markers(csr(cells), clusters, 2, 5, 1);
  ASSERT_EQ(markers.of_cluster.size(), 2U);
  ASSERT_EQ(markers.of_cluster[0].size(), 1U);  // gene 0 tells nothing: AUC .5
  const Marker& first = markers.of_cluster[0][0];
  EXPECT_EQ(first.gene, 1);
  EXPECT_DOUBLE_EQ(first.auc, 1.0);
  EXPECT_NEAR(first.log2_change, 4.0 / std::log(2.0), 1e-9);
  EXPECT_DOUBLE_EQ(first.inside, 1.0);
  EXPECT_DOUBLE_EQ(first.outside, 0.0);
  const Marker& second = markers.of_cluster[1][0];
  EXPECT_EQ(second.gene, 2);
  EXPECT_NEAR(second.auc, (2 * 3 + 1 * 1.5) / 9, 1e-9);  // 2 of 3 cells above all others, one equal to them
  EXPECT_NEAR(second.inside, 2.0 / 3, 1e-9);
}

TEST(Markers, ClustersWithoutACellAreNoTrouble) {
  const ClusterMarkers markers = find_markers(csr(cells), {0, 0, 0, 2, 2, 2}, 4, 5, 1);
  ASSERT_EQ(markers.mean.size(), 4U);
  ASSERT_EQ(markers.of_cluster.size(), 4U);
  EXPECT_EQ(markers.of_cluster[0].at(0).gene, 1);
  EXPECT_DOUBLE_EQ(markers.of_cluster[0].at(0).outside, 0.0);
  EXPECT_TRUE(markers.of_cluster[1].empty());
  EXPECT_EQ(markers.of_cluster[2].at(0).gene, 2);
}

/// Twelve cells with gene 0, twelve with gene 1, and one odd cell with all of both.
TEST(Markers, AreThoseBesideLargeClusters) {
  std::vector<std::vector<float>> rows(25, {1, 0, 0});
  std::vector<std::int32_t> codes(25, 0);
  for (std::size_t i = 12; i < 24; ++i) {
    rows[i] = {0, 1, 0};
    codes[i] = 1;
  }
  rows[24] = {9, 9, 0};
  codes[24] = 2;
  const ClusterMarkers markers = find_markers(csr(rows), codes, 3, 5, 1);
  EXPECT_EQ(markers.cells, (std::vector<std::int64_t>{12, 12, 1}));
  ASSERT_EQ(markers.of_cluster[0].size(), 1U);
  EXPECT_DOUBLE_EQ(markers.of_cluster[0][0].auc, 1.0) << "beside cluster 2 it would be 0";
  EXPECT_NEAR(markers.of_cluster[0][0].outside, 1.0 / 13, 1e-12);
  EXPECT_TRUE(markers.of_cluster[2].empty());
  EXPECT_DOUBLE_EQ(markers.mean[2][1], 9);
  EXPECT_DOUBLE_EQ(markers.detected[2][0], 1);
}

TEST(Markers, OneClusterHasNone) {
  const ClusterMarkers markers = find_markers(csr(cells), {0, 0, 0, 0, 0, 0}, 1, 5, 1);
  EXPECT_TRUE(markers.of_cluster[0].empty());
}

TEST(Markers, AreTheSameForAnyThreads) {
  const ClusterMarkers one = find_markers(csr(cells), clusters, 2, 5, 1),
                       two = find_markers(csr(cells), clusters, 2, 5, 2);
  EXPECT_EQ(one.mean, two.mean);
  EXPECT_EQ(one.of_cluster[1][0].auc, two.of_cluster[1][0].auc);
}

}  // namespace
}  // namespace masksc

// Clusters of features, with the components where these guided alone, and their scores.
#include "masksc/cluster/outcome.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/random.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

constexpr std::int64_t cells = 240;
constexpr std::int64_t types = 4;

std::vector<std::int32_t> types_of_cells() {
  std::vector<std::int32_t> all;
  for (std::int64_t i = 0; i < cells; ++i) all.push_back(static_cast<std::int32_t>(i % types));
  return all;
}

/// Types at the corners of a square of side 10 in the first two columns, with `noise`, and columns of noise behind.
DenseMatrix corners(double noise, std::int64_t columns, std::uint64_t seed) {
  RandomStream random(seed, Purpose::simulate, 0, 0);
  DenseMatrix x(cells, columns);
  for (std::int64_t i = 0; i < cells; ++i)
    for (std::int64_t c = 0; c < columns; ++c) {
      const double corner = c < 2 && ((i % types) >> c) % 2 == 1 ? 10 : 0;
      x.row(i)[static_cast<std::size_t>(c)] = static_cast<float>(corner + noise * (2 * random.uniform() - 1));
    }
  return x;
}

Partition over_ranks(const DenseMatrix& embedding, const DenseMatrix& components, bool predicts, int size) {
  Partition whole;
  run_as_threads(size, [&](Collectives& ranks) {
    const RowRange rows = rows_of_rank(cells, ranks.rank(), size);
    const DenseMatrix mine = part_of(embedding, rows);
    const DenseMatrix known = part_of(components, rows);
    const Labels none;
    ClusterSettings settings;
    settings.clustering = Clustering::kmeans;
    Partition part = partition_features({mine, known, rows, cells, none, predicts}, types, settings, 1, 1, ranks);
    part.labels = ranks.gather_varied(std::span<const std::int32_t>(part.labels));
    if (ranks.is_root()) whole = std::move(part);
  });
  return whole;
}

TEST(PartitionFeatures, TakesTheComponentsClustersWhereTheirPredictionIsPoor) {
  const DenseMatrix components = corners(1, 6, 1);
  const DenseMatrix predicted = corners(12, 2, 2);
  for (const int size : {1, 3}) {
    const Partition found = over_ranks(predicted, components, true, size);
    EXPECT_TRUE(found.in_components);
    EXPECT_EQ(adjusted_rand_index(found.labels, types_of_cells()), 1);
  }
  const Partition without = over_ranks(predicted, components, false, 1);
  EXPECT_FALSE(without.in_components);
  EXPECT_LT(adjusted_rand_index(without.labels, types_of_cells()), 0.5);
}

TEST(PartitionFeatures, StaysWithThePredictionWhereItsClustersAreAsClearInTheComponents) {
  const DenseMatrix components = corners(1, 6, 1);
  const Partition found = over_ranks(corners(2, 2, 2), components, true, 1);
  EXPECT_FALSE(found.in_components);
  EXPECT_EQ(adjusted_rand_index(found.labels, types_of_cells()), 1);
}

TEST(PartitionFeatures, AreOfTheFirstComponentsAlone) {
  DenseMatrix components = corners(1, 6, 1);
  for (std::int64_t i = 0; i < cells; ++i) components.row(i)[4] = i < cells / 2 ? 1000.0F : -1000.0F;
  const Partition found = over_ranks(corners(12, 2, 2), components, true, 1);  // predicts two of them
  EXPECT_TRUE(found.in_components);
  EXPECT_EQ(adjusted_rand_index(found.labels, types_of_cells()), 1);
}

TEST(PartitionFeatures, AreCountedInTheComponentsThatTheyPredict) {
  const DenseMatrix components = corners(1, 6, 1);
  DenseMatrix predicted = corners(1, 2, 2);
  for (std::int64_t i = 0; i < cells; ++i) predicted.row(i)[1] = 0;  // shows two groups of the four
  ClusterSettings settings;
  settings.clusters = "auto";
  settings.choice = ClusterChoice::silhouette;
  const Labels labels{types_of_cells(), {"a", "b", "c", "d"}};
  for (const int size : {1, 3})
    for (const bool predicts : {false, true})
      run_as_threads(size, [&](Collectives& ranks) {
        const RowRange rows = rows_of_rank(cells, ranks.rank(), size);
        const DenseMatrix mine = part_of(predicted, rows);
        const DenseMatrix known = part_of(components, rows);
        const ClusterOutcome found =
            cluster_features(settings, {mine, known, rows, cells, labels, predicts}, 1, 1, ranks);
        EXPECT_EQ(found.clusters, predicts ? 4 : 2);
        EXPECT_EQ(found.in_components, predicts);
        EXPECT_EQ(score_json(found).at("clusters_in"), predicts ? "components" : "features");
        EXPECT_EQ(found.ari == 1, predicts && ranks.is_root());
      });
}

TEST(Scores, AreThoseOfTheClusters) {
  const DenseMatrix embedding = corners(1, 2, 3);
  const DenseMatrix components = corners(3, 6, 4);
  const Labels labels{types_of_cells(), {"a", "b", "c", "d"}};
  ClusterSettings settings;
  settings.clusters = "4";
  const ClusterOutcome found =
      cluster_features(settings, {embedding, components, {0, cells}, cells, labels}, 1, 1, *single_rank());
  const Json scores = score_json(found);
  EXPECT_EQ(scores.at("ari"), 1);
  EXPECT_EQ(scores.at("nmi"), 1);
  EXPECT_EQ(scores.at("clusters"), 4);
  EXPECT_EQ(scores.at("clusters_by"), "option");
  EXPECT_EQ(scores.at("clusters_in"), "features");
  EXPECT_GT(scores.at("silhouette"), 0.8);
  EXPECT_LT(scores.at("silhouette_pca"), scores.at("silhouette"));
  EXPECT_THAT(silhouette_note(scores), testing::EndsWith(" in principal components"));
}

TEST(Scores, CountTheClustersThatHaveCells) {
  DenseMatrix embedding(30, 2);
  for (std::int64_t cell = 0; cell < 30; ++cell) embedding.row(cell)[0] = static_cast<float>(cell % 3);
  ClusterSettings settings;
  settings.clusters = "5";
  const Labels none;
  const ClusterOutcome found = cluster_features(settings, {embedding, {}, {0, 30}, 30, none}, 1, 1, *single_rank());
  EXPECT_EQ(found.clusters, 3);
}

TEST(Scores, SaySoWhereTheSilhouetteIsThatOfASample) {
  const Json scores = {{"silhouette_standard_error", 0.0021}, {"silhouette_cells", 25000}, {"silhouette_pca", nullptr}};
  EXPECT_EQ(silhouette_note(scores), "± 0.002, of 25000 cells");
  EXPECT_EQ(silhouette_note(Json::object()), "");
}

}  // namespace
}  // namespace masksc

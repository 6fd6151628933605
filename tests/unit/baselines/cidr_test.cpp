// The parts of CIDR against scipy and numpy (tests/golden/classical.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "../../../src/baselines/cidr_dropout.hpp"
#include "../../../src/baselines/principal_coordinates.hpp"
#include "../../../src/baselines/ward.hpp"
#include "classical_golden.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc::detail {
namespace {

using testing::DoubleNear;
using testing::FloatNear;
using testing::Pointwise;

std::vector<float> row_sums(const DenseMatrix& dense) {
  std::vector<float> sums;
  for (std::int64_t cell = 0; cell < dense.rows; ++cell) {
    sums.push_back(0);
    for (const float value : dense.row(cell)) sums.back() += value;
  }
  return sums;
}

std::vector<double> pairs_of(const Eigen::MatrixXd& matrix) {
  std::vector<double> pairs;
  for (Eigen::Index i = 0; i < matrix.rows(); ++i) {
    for (Eigen::Index j = i + 1; j < matrix.cols(); ++j) pairs.push_back(matrix(i, j));
  }
  return pairs;
}

TEST(Cidr, DropoutsAndDissimilaritiesAreTheDenseFormulas) {
  const Json given = classical_golden("cidr").at(0);
  const DenseMatrix counts = golden_rows(given);
  const std::vector<float> totals = row_sums(counts);
  const CsrMatrix tags = log_tags(sparse_of(counts), totals);
  const auto thresholds = dropout_thresholds(tags, totals, [] {});
  EXPECT_THAT(thresholds, Pointwise(DoubleNear(1e-4), given.at("thresholds").get<std::vector<double>>()));
  const DropoutCurve curve = dropout_curve(tags, thresholds);
  EXPECT_NEAR(curve.slope, given.at("slope"), 1e-4);
  EXPECT_NEAR(curve.middle, given.at("middle"), 1e-4);
  const Eigen::MatrixXd squared = imputed_dissimilarities(tags, thresholds, curve.middle, [] {});
  EXPECT_EQ(squared, squared.transpose());
  EXPECT_EQ(squared.diagonal().norm(), 0);
  EXPECT_THAT(pairs_of(squared), Pointwise(DoubleNear(0.02), given.at("squared").get<std::vector<double>>()));
}

TEST(Cidr, CellsWithoutCountsAreNoTrouble) {
  DenseMatrix counts = golden_rows(classical_golden("cidr").at(0));
  std::fill_n(counts.row(3).begin(), counts.columns, 0.0F);
  const std::vector<float> totals = row_sums(counts);
  const CsrMatrix tags = log_tags(sparse_of(counts), totals);
  const auto thresholds = dropout_thresholds(tags, totals, [] {});
  for (const double threshold : thresholds) EXPECT_TRUE(std::isfinite(threshold) && threshold > 0);
  EXPECT_TRUE(imputed_dissimilarities(tags, thresholds, 14, [] {}).allFinite());
}

TEST(Ward, IsScipys) {
  const Json given = classical_golden("ward").at(0);
  const auto merges = ward_merges(golden_rows(given), [] {});
  std::vector<double> heights;
  for (const WardMerge& merge : merges) heights.push_back(merge.height);
  EXPECT_THAT(heights, Pointwise(DoubleNear(1e-5), given.at("heights").get<std::vector<double>>()));
  for (const auto& [clusters, labels] : given.at("cuts").get<std::map<std::string, std::vector<std::int32_t>>>()) {
    const auto cut = cut_tree(merges, std::stoll(clusters));
    EXPECT_EQ(adjusted_rand_index(cut, labels), 1) << clusters;
    EXPECT_EQ(*std::max_element(cut.begin(), cut.end()) + 1, std::stoi(clusters));
  }
  EXPECT_THAT(calinski_harabasz(merges, 12),
              Pointwise(DoubleNear(1e-3), given.at("calinski_harabasz").get<std::vector<double>>()));
}

TEST(PrincipalCoordinates, AreTheEigenvectors) {
  for (const Json& given : classical_golden("principal_coordinates")) {
    const Eigen::Index items = given.at("items");
    const auto distances = given.at("distances").get<std::vector<double>>();
    Eigen::MatrixXd squared = Eigen::MatrixXd::Zero(items, items);
    auto next = distances.begin();
    for (Eigen::Index i = 0; i < items; ++i) {
      for (Eigen::Index j = i + 1; j < items; ++j, ++next) squared(i, j) = squared(j, i) = *next * *next;
    }
    const PrincipalCoordinates found = principal_coordinates(squared, items == 12 ? 12 : 24);
    const auto eigenvalues = given.at("eigenvalues").get<std::vector<double>>();
    ASSERT_GE(found.eigenvalues.size(), 3);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(found.eigenvalues[c], eigenvalues[c], 1e-5 * eigenvalues[0]);
      for (Eigen::Index item = 0; item < items; ++item) {
        const double expected = given.at("coordinates").at(static_cast<std::size_t>(item) * 3 + c);
        EXPECT_NEAR(found.coordinates.row(item)[c], expected, 2e-3) << items << ' ' << c;
      }
    }
    EXPECT_LT(found.eigenvalues.size(), items == 12 ? 12 : 24);  // not the negative ones
  }
}

}  // namespace
}  // namespace masksc::detail

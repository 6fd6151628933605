// SOUP's purities and memberships against the formulas in numpy (tests/golden/classical.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "../../../src/baselines/soup_fit.hpp"
#include "classical_golden.hpp"

namespace masksc::detail {
namespace {

using testing::DoubleNear;
using testing::Pointwise;

TEST(Soup, IsTheFormulas) {
  const Json given = classical_golden("soup").at(0);
  const DenseMatrix rows = golden_rows(given);
  const std::int64_t clusters = given.at("clusters");
  const SoupCells cells = soup_cells(rows, clusters, [] {});
  EXPECT_THAT(cells.purity, Pointwise(DoubleNear(1e-4), given.at("purity").get<std::vector<double>>()));
  EXPECT_EQ(cells.pure, given.at("pure").get<std::vector<std::int64_t>>());

  const SoupFit fit = soup_fit(rows, cells, clusters, 1, [] {});
  const auto expected = given.at("membership").get<std::vector<double>>();
  std::vector<Eigen::Index> order = {0, 1, 2};  // the clusters have no order
  double least = 1;
  do {
    double furthest = 0;
    for (Eigen::Index cell = 0; cell < rows.rows; ++cell) {
      for (Eigen::Index k = 0; k < clusters; ++k) {
        const double difference = fit.membership(cell, order[static_cast<std::size_t>(k)]) -
                                  expected[static_cast<std::size_t>(cell * clusters + k)];
        furthest = std::max(furthest, std::abs(difference));
      }
    }
    least = std::min(least, furthest);
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_LT(least, 1e-3);
}

TEST(Soup, NumberOfClustersByPrediction) {
  EXPECT_EQ(soup_clusters(golden_rows(classical_golden("soup").at(0)), 2, [] {}), 3);
}

}  // namespace
}  // namespace masksc::detail

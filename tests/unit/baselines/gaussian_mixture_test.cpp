// The Gaussian mixture against scikit-learn's from the same start (tests/golden/classical.py).
#include "../../../src/baselines/gaussian_mixture.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "classical_golden.hpp"

namespace masksc::detail {
namespace {

TEST(GaussianMixture, IsScikitLearns) {
  const std::map<std::string, Covariance> kinds = {
      {"full", Covariance::full}, {"diag", Covariance::diagonal}, {"tied", Covariance::tied}};
  for (const Json& given : classical_golden("mixtures")) {
    SCOPED_TRACE(given.at("kind").get<std::string>());
    const auto start = given.at("start").get<std::vector<std::int32_t>>();
    const MixtureFit fit =
        fit_mixture(golden_rows(given), start, given.at("components"), kinds.at(given.at("kind")), [] {});
    EXPECT_NEAR(fit.log_likelihood, given.at("log_likelihood").get<double>(), 1e-6);
    EXPECT_NEAR(fit.bic, given.at("bic").get<double>(), 1e-3);
    EXPECT_EQ(fit.iterations, given.at("iterations").get<std::int64_t>());
    EXPECT_EQ(fit.labels, given.at("labels").get<std::vector<std::int32_t>>());
  }
}

TEST(GaussianMixture, BearsAComponentWithoutRows) {
  DenseMatrix rows(6, 2);
  rows.values = {5, 5, 5, 6, 6, 5, 9, 9, 9, 8, 8, 9};
  const std::vector<std::int32_t> start = {0, 0, 0, 2, 2, 2};
  for (const Covariance kind : {Covariance::full, Covariance::diagonal, Covariance::tied}) {
    const MixtureFit fit = fit_mixture(rows, start, 3, kind, [] {});
    EXPECT_EQ(fit.labels, start);
    EXPECT_TRUE(std::isfinite(fit.log_likelihood));
  }
}

}  // namespace
}  // namespace masksc::detail

// ARI, NMI and accuracy against scikit-learn's and scipy's (tests/golden/metrics.py).
#include "masksc/metrics/agreement.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"

namespace masksc {
namespace {

using Codes = std::vector<std::int32_t>;

TEST(Agreement, EqualsScikitLearn) {
  const Json golden = parse_json(read_file(MASKSC_TEST_GOLDEN "/metrics.json"));
  ASSERT_GE(golden["agreement"].size(), 12U);
  for (const auto& entry : golden["agreement"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    const auto a = entry["a"].get<Codes>();
    const auto b = entry["b"].get<Codes>();
    EXPECT_NEAR(adjusted_rand_index(a, b), entry["ari"].get<double>(), 1e-12);
    EXPECT_NEAR(normalized_mutual_information(a, b), entry["nmi"].get<double>(), 1e-12);
    EXPECT_NEAR(clustering_accuracy(a, b), entry["accuracy"].get<double>(), 1e-12);
    EXPECT_NEAR(clustering_accuracy(b, a), entry["accuracy"].get<double>(), 1e-12);
    EXPECT_NEAR(adjusted_rand_index(b, a), entry["ari"].get<double>(), 1e-12);
    EXPECT_NEAR(normalized_mutual_information(b, a), entry["nmi"].get<double>(), 1e-12);
  }
}

// 64 million ordered pairs squared overflow 64-bit integers; the closed form for two halves against one cell moved.
TEST(Agreement, HoldsForMillionsOfCells) {
  const std::int64_t cells = 4'000'000;
  Codes a(cells);
  std::fill(a.begin() + cells / 2, a.end(), 1);
  Codes b = a;
  b[0] = 1;
  const auto n = static_cast<double>(cells);
  EXPECT_NEAR(adjusted_rand_index(a, b), 1 - 4 / n, 1e-11);
  EXPECT_EQ(adjusted_rand_index(a, a), 1);
}

TEST(Agreement, RefusesLabellingsOfDifferentCells) {
  EXPECT_THROW((void)adjusted_rand_index(Codes{0, 1}, Codes{0}), InvariantError);
  EXPECT_THROW((void)clustering_accuracy(Codes{0, 1}, Codes{0}), InvariantError);
  EXPECT_THROW((void)normalized_mutual_information(Codes{0, 1}, Codes{0}), InvariantError);
}

}  // namespace
}  // namespace masksc

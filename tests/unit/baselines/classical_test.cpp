// What every classical method promises, on simulated groups that are well apart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>

#include "baseline_data.hpp"
#include "masksc/baselines/baseline.hpp"
#include "masksc/core/error.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

const BaselineData& groups() {
  static const BaselineData data = simulated_baseline_data();
  return data;
}

struct Case {
  std::string method;
  double floor;       // of the ARI with the true number of clusters
  double auto_floor;  // of the ARI with the method's own number; -1 where that is the common rule
};
void PrintTo(const Case& given, std::ostream* out) { *out << given.method; }  // in the names of tests

class Classical : public testing::TestWithParam<Case> {
 protected:
  const Baseline& method = find_baseline(GetParam().method);
};

TEST_P(Classical, FindsSimulatedGroups) {
  const BaselineResult found = method.run(groups().input(), {.seed = 3, .clusters = {3, 0}});
  EXPECT_EQ(found.features.rows, groups().expression.cells);
  EXPECT_GE(found.features.columns, 1);
  ASSERT_EQ(found.labels.size(), 2);
  for (const auto& labels : found.labels) ASSERT_EQ(std::ssize(labels), groups().expression.cells);
  EXPECT_EQ(std::set(found.labels[0].begin(), found.labels[0].end()), (std::set<std::int32_t>{0, 1, 2}));
  EXPECT_GT(adjusted_rand_index(found.labels[0], groups().groups), GetParam().floor);
  EXPECT_GT(adjusted_rand_index(found.labels[1], groups().groups), GetParam().auto_floor);
  const auto size = [&](std::int32_t label) {
    return std::count(found.labels[0].begin(), found.labels[0].end(), label);
  };
  EXPECT_GE(size(0), size(1));
  EXPECT_GE(size(1), size(2));
}

TEST_P(Classical, GivesTheSameForTheSameSeed) {
  const BaselineSettings settings{.seed = 8, .clusters = {4}};
  const BaselineResult one = method.run(groups().input(), settings);
  const BaselineResult two = method.run(groups().input(), settings);
  EXPECT_EQ(one.labels, two.labels);
  EXPECT_EQ(one.features.values, two.features.values);
  if (method.stochastic) return;
  const BaselineResult other = method.run(groups().input(), {.seed = 9, .clusters = {4}});
  EXPECT_EQ(one.labels, other.labels);
}

TEST_P(Classical, StopsWhenPollThrows) {
  BaselineSettings settings{.clusters = {3}};
  settings.poll = [] { throw std::runtime_error("stop"); };
  EXPECT_THROW(method.run(groups().input(), settings), std::runtime_error);
}

TEST_P(Classical, SaysWhatItIs) {
  EXPECT_FALSE(method.title.empty());
  EXPECT_FALSE(method.source.empty());
  EXPECT_NO_THROW(validate(method.published));
}

INSTANTIATE_TEST_SUITE_P(Methods, Classical,
                         testing::Values(Case{"pca-kmeans", 0.95, -1}, Case{"pca-leiden", 0.95, 0.95},
                                         Case{"residual-kmeans", 0.95, -1}, Case{"residual-leiden", 0.95, 0.95},
                                         Case{"kmeans", 0.95, -1}, Case{"gmm", 0.95, 0.95},
                                         Case{"gmm-diag", 0.95, 0.95}, Case{"gmm-tied", 0.95, 0.95},
                                         Case{"cidr", 0.95, 0.95}, Case{"soup", 0.95, 0.95},
                                         Case{"scrna-nmf", 0.95, -1}),
                         [](const auto& given) {
                           std::string name = given.param.method;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(FindBaseline, ListsTheNames) {
  try {
    find_baseline("pca");
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("pca-kmeans, pca-leiden, residual-kmeans"));
  }
}

}  // namespace
}  // namespace masksc

// K-means against scikit-learn's Lloyd (tests/golden/kmeans.py), and the promise of equal bits on any number of ranks.
#include "masksc/cluster/kmeans.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <string>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/random.hpp"

namespace masksc {
namespace {

using Ends = std::vector<std::int64_t>;  // the end of each rank's rows

/// K-means of `x` dealt out by `ends`: the labels of all rows, the rest as rank 0 has it (checked equal on all ranks).
KMeansResult over_ranks(const DenseMatrix& x, const Ends& ends, const KMeansSettings& settings,
                        const DenseMatrix* start = nullptr) {
  KMeansResult whole;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(x.rows), -1);
  std::vector<KMeansResult> results(ends.size());
  run_as_threads(static_cast<int>(ends.size()), [&](Collectives& ranks) {
    const auto r = static_cast<std::size_t>(ranks.rank());
    const RowRange rows = {r == 0 ? 0 : ends[r - 1], ends[r]};
    const DenseMatrix mine = rows.size() > 0 ? part_of(x, rows) : DenseMatrix();
    results[r] = start != nullptr ? kmeans_from(*start, {mine, rows, x.rows}, settings, ranks)
                                  : kmeans({mine, rows, x.rows}, settings, ranks);
    std::copy(results[r].labels.begin(), results[r].labels.end(), labels.begin() + rows.begin);
  });
  for (const auto& result : results) {
    EXPECT_EQ(result.centres.values, results[0].centres.values);
    EXPECT_EQ(result.inertia, results[0].inertia);
  }
  whole = results[0];
  whole.labels = labels;
  return whole;
}

std::vector<Ends> dealings(std::int64_t n) {
  return {{n},
          {n / 2, n},
          {n / 3, n / 3, n},  // a rank without rows
          {0, 1, n - 1, n},   // nearly all on one rank
          {n / 7, n / 5, n / 2, 2 * n / 3, n},
          {0, 0, n, n, n}};
}

void expect_same_bits(const DenseMatrix& x, const KMeansSettings& settings, const DenseMatrix* start = nullptr) {
  const auto one = over_ranks(x, {x.rows}, settings, start);
  for (const Ends& ends : dealings(x.rows)) {
    SCOPED_TRACE(testing::PrintToString(ends));
    const auto other = over_ranks(x, ends, settings, start);
    EXPECT_EQ(other.labels, one.labels);
    EXPECT_EQ(other.centres.values, one.centres.values);
    EXPECT_EQ(other.inertia, one.inertia);
    EXPECT_EQ(other.iterations, one.iterations);
  }
}

double squared_distance(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (std::size_t f = 0; f < a.size(); ++f) {
    const double difference = static_cast<double>(a[f]) - static_cast<double>(b[f]);
    sum += difference * difference;
  }
  return sum;
}

/// Every label is a nearest centre and the inertia is that of labels and centres.
void expect_consistent(const DenseMatrix& x, const KMeansResult& found) {
  double inertia = 0;
  for (std::int64_t i = 0; i < x.rows; ++i) {
    const double own = squared_distance(x.row(i), found.centres.row(found.labels[static_cast<std::size_t>(i)]));
    inertia += own;
    for (std::int64_t c = 0; c < found.centres.rows; ++c) {
      EXPECT_LE(own, squared_distance(x.row(i), found.centres.row(c)) * (1 + 1e-5) + 1e-9) << "row " << i;
    }
  }
  EXPECT_NEAR(found.inertia, inertia, 1e-5 * inertia + 1e-12);
}

DenseMatrix random_points(std::int64_t rows, std::int64_t columns, std::uint64_t groups) {
  RandomStream random(5, Purpose::simulate, 0, 0);
  DenseMatrix x(rows, columns);
  for (std::int64_t i = 0; i < rows; ++i) {
    const auto group = static_cast<double>(random.below(groups));
    for (float& v : x.row(i)) v = static_cast<float>(3 * group + random.uniform() + random.uniform());
  }
  return x;
}

// More rows than a thread takes at once.
TEST(KMeans, HasTheSameBitsOnAnyNumberOfThreads) {
  const DenseMatrix x = random_points(20'000, 3, 6);
  KMeansSettings settings = {.clusters = 6, .restarts = 2, .max_iterations = 20};
  const auto one = over_ranks(x, {x.rows}, settings);
  expect_consistent(x, one);
  for (const int threads : {2, 5}) {
    settings.threads = threads;
    for (const Ends& ends : {Ends{x.rows}, Ends{x.rows / 3, x.rows}}) {
      const auto other = over_ranks(x, ends, settings);
      EXPECT_EQ(other.labels, one.labels);
      EXPECT_EQ(other.centres.values, one.centres.values);
      EXPECT_EQ(other.inertia, one.inertia);
    }
  }
}

TEST(KMeans, EqualsScikitLearnFromTheSameStart) {
  const Json golden = parse_json(read_file(MASKSC_TEST_GOLDEN "/kmeans.json"));
  ASSERT_GE(golden.size(), 6U);
  for (const auto& entry : golden) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    const auto columns = entry["columns"].get<std::int64_t>();
    KMeansSettings settings;
    settings.clusters = entry["clusters"].get<std::int64_t>();
    settings.max_iterations = entry["max_iterations"].get<std::int64_t>();
    DenseMatrix start(settings.clusters, columns);
    start.values = entry["start"].get<std::vector<float>>();
    DenseMatrix x(std::ssize(entry["labels"].get<std::vector<int>>()), columns);
    x.values = entry["x"].get<std::vector<float>>();
    const auto found = over_ranks(x, {x.rows / 2, x.rows}, settings, &start);
    const auto inertia = entry["inertia"].get<double>();
    EXPECT_NEAR(found.inertia, inertia, 1e-6 * inertia);
    EXPECT_EQ(found.labels, entry["labels"].get<std::vector<std::int32_t>>());
    EXPECT_EQ(found.iterations, entry["iterations"].get<std::int64_t>());
    const auto centres = entry["centres"].get<std::vector<float>>();
    for (std::size_t i = 0; i < centres.size(); ++i) {
      EXPECT_NEAR(found.centres.values[i], centres[i], 1e-6F * std::max(1.F, std::abs(centres[i])));
    }
    expect_same_bits(x, settings, &start);
    settings.max_iterations = 300;
    const auto best = entry["best_inertia"].get<double>();
    EXPECT_LE(over_ranks(x, {x.rows}, settings).inertia, best * 1.01);
    expect_same_bits(x, settings);
  }
}

TEST(KMeans, HasTheSameBitsOnAnyNumberOfRanks) {
  const DenseMatrix x = random_points(2500, 17, 9);
  KMeansSettings settings;
  settings.restarts = 3;
  for (const std::int64_t clusters : {1, 2, 9, 40}) {
    settings.clusters = clusters;
    expect_same_bits(x, settings);
    expect_consistent(x, over_ranks(x, {x.rows}, settings));
  }
}

TEST(KMeans, LabelsBelongToTheCentresWhenStoppedEarly) {
  const DenseMatrix x = random_points(600, 5, 9);
  KMeansSettings settings;
  settings.clusters = 12;
  settings.max_iterations = 2;
  expect_consistent(x, over_ranks(x, {x.rows}, settings));
  settings.max_iterations = 300;
  settings.tolerance = 0.5;
  expect_consistent(x, over_ranks(x, {x.rows}, settings));
}

TEST(KMeans, SeedDecidesTheDraws) {
  const DenseMatrix x = random_points(600, 5, 30);
  KMeansSettings settings;
  settings.clusters = 12;
  settings.restarts = 1;
  const auto first = over_ranks(x, {x.rows}, settings);
  settings.seed = 1;
  EXPECT_NE(over_ranks(x, {x.rows}, settings).labels, first.labels);
}

TEST(KMeans, ManyRestartsAreNoWorseThanOne) {
  const DenseMatrix x = random_points(400, 3, 1);
  KMeansSettings settings;
  settings.clusters = 25;
  settings.restarts = 1;
  const auto one = over_ranks(x, {x.rows}, settings);
  settings.restarts = 8;
  EXPECT_LT(over_ranks(x, {x.rows}, settings).inertia, one.inertia);
}

TEST(KMeans, EveryCellItsOwnCluster) {
  const DenseMatrix x = random_points(30, 4, 5);
  KMeansSettings settings;
  settings.clusters = 30;
  const auto found = over_ranks(x, {10, 30}, settings);
  EXPECT_EQ(std::set<std::int32_t>(found.labels.begin(), found.labels.end()).size(), 30U);
  EXPECT_LT(found.inertia, 1e-9);
  expect_same_bits(x, settings);
}

TEST(KMeans, MoreClustersThanDistinctCells) {
  DenseMatrix x(40, 3);
  for (std::int64_t i = 0; i < x.rows; ++i) std::fill_n(x.row(i).begin(), 3, 0.1F * static_cast<float>(i % 4));
  KMeansSettings settings;
  settings.clusters = 7;
  const auto found = over_ranks(x, {10, 10, 40}, settings);
  EXPECT_EQ(std::set<std::int32_t>(found.labels.begin(), found.labels.end()).size(), 4U);
  EXPECT_LT(found.inertia, 1e-12);
  EXPECT_LT(found.iterations, 10);
  expect_same_bits(x, settings);
  const DenseMatrix same(9, 2);  // all cells on one point
  expect_same_bits(same, settings);
  EXPECT_EQ(over_ranks(same, {9}, settings).inertia, 0);
}

// A start far from all cells, twice: both empty clusters are moved to cells.
TEST(KMeans, FillsEmptyClusters) {
  const DenseMatrix x = random_points(300, 2, 5);
  KMeansSettings settings;
  settings.clusters = 5;
  DenseMatrix start(5, 2);
  std::fill(start.values.begin(), start.values.end(), 900.F);
  std::fill_n(start.row(0).begin(), 2, 0.F);
  const auto found = over_ranks(x, {x.rows}, settings, &start);
  EXPECT_EQ(std::set<std::int32_t>(found.labels.begin(), found.labels.end()).size(), 5U);
  expect_consistent(x, found);
  expect_same_bits(x, settings, &start);
}

TEST(KMeans, HoldsForExtremeScales) {
  for (const float scale : {1e-30F, 1e30F}) {
    DenseMatrix x = random_points(200, 3, 4);
    for (float& v : x.values) v *= scale;
    KMeansSettings settings;
    settings.clusters = 4;
    const auto found = over_ranks(x, {x.rows}, settings);
    EXPECT_EQ(std::set<std::int32_t>(found.labels.begin(), found.labels.end()).size(), 4U);
    expect_same_bits(x, settings);
  }
}

TEST(KMeans, RefusesBadInputOnEveryRank) {
  DenseMatrix x = random_points(6, 2, 2);
  KMeansSettings settings;
  settings.clusters = 7;
  EXPECT_THROW(over_ranks(x, {3, 6}, settings), UserError);
  settings.clusters = 0;
  EXPECT_THROW(over_ranks(x, {3, 6}, settings), UserError);
  settings.clusters = 2;
  settings.restarts = 0;
  EXPECT_THROW(over_ranks(x, {6}, settings), UserError);
  settings.restarts = 1;
  x.row(4)[1] = std::numeric_limits<float>::infinity();
  run_as_threads(3, [&](Collectives& ranks) {
    const RowRange rows = rows_of_rank(6, ranks.rank(), 3);
    try {
      (void)kmeans({part_of(x, rows), rows, 6}, settings, ranks);
      ADD_FAILURE();
    } catch (const InvariantError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("row 4, column 1 is inf"));
    }
  });
}

TEST(KMeans, PollsOnceAnIteration) {
  const DenseMatrix x = random_points(100, 2, 3);
  KMeansSettings settings;
  settings.clusters = 3;
  settings.restarts = 1;
  std::int64_t polls = 0;
  const auto alone = single_rank();
  const auto found = kmeans(undealt(x), settings, *alone, [&] { ++polls; });
  EXPECT_EQ(polls, 3 + found.iterations);  // centres drawn, then iterations
}

}  // namespace
}  // namespace masksc

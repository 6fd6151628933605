// Silhouettes against scikit-learn's (tests/golden/metrics.py), dealt out over ranks as threads.
#include "masksc/metrics/silhouette.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/random.hpp"

namespace masksc {
namespace {

using Codes = std::vector<std::int32_t>;

struct Points {
  DenseMatrix x;
  Codes labels;
};

/// Rows of `rank`: equal shares, or all on the last rank but one row on the first.
RowRange deal(std::int64_t cells, int rank, int ranks, bool uneven) {
  if (!uneven || ranks == 1) return rows_of_rank(cells, rank, ranks);
  return {rank == 0 ? 0 : 1, rank + 1 == ranks ? cells : 1};
}

/// The values of all cells and the mean, as `ranks` ranks compute them.
std::vector<double> over_ranks(const Points& points, int ranks, bool uneven) {
  std::vector<double> values(points.labels.size() + 1);
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = deal(points.x.rows, all.rank(), ranks, uneven);
    const DenseMatrix mine = part_of(points.x, rows);
    const Codes labels(points.labels.begin() + rows.begin, points.labels.begin() + rows.end);
    const auto local = silhouette_values({mine, rows, points.x.rows}, labels, all);
    const auto mean = silhouette({mine, rows, points.x.rows}, labels, all);
    ASSERT_TRUE(local && mean);
    std::copy(local->begin(), local->end(), values.begin() + rows.begin);
    if (all.is_root()) values.back() = *mean;
  });
  return values;
}

TEST(Silhouette, EqualsScikitLearnOnAnyNumberOfRanks) {
  const Json golden = parse_json(read_file(MASKSC_TEST_GOLDEN "/metrics.json"));
  ASSERT_GE(golden["silhouette"].size(), 7U);
  for (const auto& entry : golden["silhouette"]) {
    SCOPED_TRACE(entry["name"].get<std::string>());
    Points points;
    points.labels = entry["labels"].get<Codes>();
    points.x = DenseMatrix(static_cast<std::int64_t>(points.labels.size()), entry["columns"].get<std::int64_t>());
    points.x.values = entry["x"].get<std::vector<float>>();
    auto expected = entry["samples"].get<std::vector<double>>();
    expected.push_back(entry["mean"].get<double>());
    for (const int ranks : {1, 2, 3, 5}) {
      for (const bool uneven : {false, true}) {
        EXPECT_THAT(over_ranks(points, ranks, uneven), testing::Pointwise(testing::DoubleNear(1e-9), expected));
      }
    }
  }
}

Points random_points(std::int64_t cells, std::int64_t columns, int clusters) {
  Points points;
  points.x = DenseMatrix(cells, columns);
  RandomStream random(3, Purpose::simulate, 0, 0);
  for (std::int64_t i = 0; i < cells; ++i) {
    points.labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(clusters))));
    for (float& v : points.x.row(i)) v = static_cast<float>(random.uniform() + 0.1 * points.labels.back());
  }
  return points;
}

/// The definition, cell by cell.
double plain_silhouette(const Points& p, std::int64_t i, int clusters) {
  std::vector<double> sums(static_cast<std::size_t>(clusters)), counts(sums);
  for (std::int64_t j = 0; j < p.x.rows; ++j) {
    double squared = 0;
    for (std::int64_t f = 0; f < p.x.columns; ++f) {
      squared += std::pow(static_cast<double>(p.x.row(i)[static_cast<std::size_t>(f)]) -
                              static_cast<double>(p.x.row(j)[static_cast<std::size_t>(f)]),
                          2);
    }
    sums[static_cast<std::size_t>(p.labels[static_cast<std::size_t>(j)])] += std::sqrt(squared);
    counts[static_cast<std::size_t>(p.labels[static_cast<std::size_t>(j)])] += 1;
  }
  const auto own = static_cast<std::size_t>(p.labels[static_cast<std::size_t>(i)]);
  double b = std::numeric_limits<double>::infinity();
  for (std::size_t c = 0; c < sums.size(); ++c) {
    if (c != own) b = std::min(b, sums[c] / counts[c]);
  }
  const double a = sums[own] / (counts[own] - 1);
  return (b - a) / std::max(a, b);
}

// More rows than a block and tiles that don't fill: the same bits on any number of ranks, and the right values.
TEST(Silhouette, HasTheSameBitsOnAnyNumberOfRanks) {
  const Points points = random_points(4103, 7, 5);
  const auto one = over_ranks(points, 1, false);
  EXPECT_EQ(over_ranks(points, 2, false), one);
  EXPECT_EQ(over_ranks(points, 3, true), one);
  EXPECT_EQ(over_ranks(points, 5, false), one);
  for (std::int64_t i = 0; i < points.x.rows; i += 97) {
    EXPECT_NEAR(one[static_cast<std::size_t>(i)], plain_silhouette(points, i, 5), 1e-12);
  }
}

TEST(Silhouette, OfASampleIsNearAndKnowsHowNear) {
  const Points points = random_points(4103, 7, 5);
  const double exact = over_ranks(points, 1, false).back();
  const auto sampled = [&](int ranks, std::uint64_t seed) {
    SilhouetteScore score;
    run_as_threads(ranks, [&](Collectives& all) {
      const RowRange rows = deal(points.x.rows, all.rank(), ranks, ranks == 3);
      const Codes labels(points.labels.begin() + rows.begin, points.labels.begin() + rows.end);
      const auto found = silhouette_score({part_of(points.x, rows), rows, points.x.rows}, labels,
                                          {.most_cells = 4000, .size = 900, .seed = seed}, all);
      ASSERT_TRUE(found);
      if (all.is_root()) score = *found;
    });
    return score;
  };
  double squares = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const SilhouetteScore score = sampled(1, seed);
    EXPECT_EQ(score.cells, 900);
    squares += std::pow((score.mean - exact) / score.standard_error, 2) / 20;
  }
  // The error is as large as it says: the mean square of 20 standard normal values is in 0.3 .. 2.2 (99.9 %).
  EXPECT_GT(squares, 0.3);
  EXPECT_LT(squares, 2.2);
  EXPECT_EQ(sampled(2, 1).mean, sampled(1, 1).mean);
  EXPECT_EQ(sampled(3, 1).standard_error, sampled(1, 1).standard_error);
}

TEST(Silhouette, OfAllCellsHasNoError) {
  const Points points = random_points(400, 3, 4);
  const double exact = over_ranks(points, 1, false).back();
  const auto alone = single_rank();
  const auto found = silhouette_score(undealt(points.x), points.labels, {.most_cells = 400}, *alone);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->mean, exact);
  EXPECT_EQ(found->standard_error, 0);
  EXPECT_EQ(found->cells, 400);
}

TEST(Silhouette, IsNothingForTooFewOrTooManyClusters) {
  const Points points = random_points(10, 2, 3);
  Codes apart(10);
  for (std::size_t i = 0; i < apart.size(); ++i) apart[i] = static_cast<std::int32_t>(i);
  run_as_threads(3, [&](Collectives& ranks) {
    const RowRange rows = rows_of_rank(10, ranks.rank(), ranks.size());
    const auto of = [&](const Codes& labels) {
      const Codes mine(labels.begin() + rows.begin, labels.begin() + rows.end);
      return silhouette({part_of(points.x, rows), rows, 10}, mine, ranks);
    };
    EXPECT_FALSE(of(Codes(10, 4)));
    EXPECT_FALSE(of(apart));
  });
  const auto alone = single_rank();
  EXPECT_FALSE(silhouette(undealt(DenseMatrix(0, 3)), {}, *alone));
}

TEST(Silhouette, NamesTheRowThatIsNotFinite) {
  Points points = random_points(9, 2, 2);
  points.x.row(7)[1] = std::numeric_limits<float>::quiet_NaN();
  run_as_threads(2, [&](Collectives& ranks) {
    const RowRange rows = rows_of_rank(9, ranks.rank(), 2);
    const Codes mine(points.labels.begin() + rows.begin, points.labels.begin() + rows.end);
    try {
      (void)silhouette({part_of(points.x, rows), rows, 9}, mine, ranks);
      ADD_FAILURE() << "no error on rank " << ranks.rank();
    } catch (const InvariantError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("row 7, column 1 is nan"));
    }
  });
}

TEST(Silhouette, RefusesRowsThatDoNotFollowEachOther) {
  run_as_threads(2, [](Collectives& ranks) {
    const DenseMatrix mine(3, 2);
    const Codes labels(3);
    EXPECT_THROW((void)silhouette({mine, {0, 3}, 6}, labels, ranks), InvariantError);
    EXPECT_THROW((void)silhouette({mine, {3 * ranks.rank(), 3 * ranks.rank() + 3}, 7}, labels, ranks), InvariantError);
  });
}

TEST(Silhouette, PollsOnceABlock) {
  const Points points = random_points(2049, 2, 2);
  const auto alone = single_rank();
  int polls = 0;
  (void)silhouette(undealt(points.x), points.labels, *alone, [&] { ++polls; });
  EXPECT_EQ(polls, 2);
}

}  // namespace
}  // namespace masksc

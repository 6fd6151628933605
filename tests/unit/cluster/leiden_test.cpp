// Leiden on graphs whose communities are known, and the numbering of clusters.
#include "masksc/cluster/leiden.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "masksc/cluster/order.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/random.hpp"

namespace masksc {
namespace {

/// Groups of the given sizes, interleaved, far from each other.
struct Blobs {
  DenseMatrix x;
  std::vector<std::int32_t> group;
};

Blobs blobs(const std::vector<std::int64_t>& sizes) {
  Blobs made;
  RandomStream random(2, Purpose::simulate, 0, 0);
  for (std::size_t g = 0; g < sizes.size(); ++g)
    made.group.insert(made.group.end(), static_cast<std::size_t>(sizes[g]), static_cast<std::int32_t>(g));
  const auto order = random_permutation(std::ssize(made.group), 4, Purpose::simulate, 0);
  std::vector<std::int32_t> shuffled;
  for (const std::int64_t i : order) shuffled.push_back(made.group[static_cast<std::size_t>(i)]);
  made.group = shuffled;
  made.x = DenseMatrix(std::ssize(made.group), 5);
  for (std::int64_t i = 0; i < made.x.rows; ++i) {
    const auto g = static_cast<std::size_t>(made.group[static_cast<std::size_t>(i)]);
    for (float& v : made.x.row(i)) v = static_cast<float>(random.uniform());
    made.x.row(i)[g % 5] += 20;
    made.x.row(i)[0] += 40 * static_cast<float>(g / 5);
  }
  return made;
}

Labels over_ranks(const DenseMatrix& x, int ranks, const LeidenSettings& settings) {
  Labels whole;
  whole.codes.resize(static_cast<std::size_t>(x.rows));
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = rows_of_rank(x.rows, all.rank(), ranks);
    const Labels local = leiden({part_of(x, rows), rows, x.rows}, settings, all);
    std::copy(local.codes.begin(), local.codes.end(), whole.codes.begin() + rows.begin);
    if (all.is_root()) whole.names = local.names;
  });
  return whole;
}

TEST(Leiden, FindsSeparateGroupsAndNumbersThemBySize) {
  const Blobs made = blobs({40, 90, 60, 25, 70, 50});
  const Labels one = over_ranks(made.x, 1, {});
  EXPECT_THAT(one.names, testing::ElementsAre("0", "1", "2", "3", "4", "5"));
  const std::vector<std::int32_t> number_of_group = {4, 0, 2, 5, 1, 3};
  for (std::size_t i = 0; i < one.codes.size(); ++i) {
    EXPECT_EQ(one.codes[i], number_of_group[static_cast<std::size_t>(made.group[i])]) << "row " << i;
  }
}

TEST(Leiden, IsTheSameOnAnyNumberOfRanks) {
  DenseMatrix x(700, 4);
  RandomStream random(9, Purpose::simulate, 0, 0);
  for (float& v : x.values) v = static_cast<float>(random.uniform());
  const Labels one = over_ranks(x, 1, {});
  EXPECT_GT(one.names.size(), 3U);
  for (const int ranks : {2, 3, 5}) {
    const Labels other = over_ranks(x, ranks, {});
    EXPECT_EQ(other.codes, one.codes);
    EXPECT_EQ(other.names, one.names);
  }
  LeidenSettings fine;
  fine.resolution = 4;
  EXPECT_GT(over_ranks(x, 2, fine).names.size(), one.names.size());
}

TEST(Leiden, CellsBeyondTheSampleFollowTheirNeighbours) {
  const Blobs made = blobs({400, 300, 200});
  LeidenSettings settings;
  settings.most_cells = 250;
  settings.resolution = 0.3;
  const Labels found = over_ranks(made.x, 3, settings);
  EXPECT_EQ(found.names.size(), 3U);
  EXPECT_EQ(found.codes, made.group);
  EXPECT_EQ(over_ranks(made.x, 1, settings).codes, found.codes);
}

TEST(Leiden, ToleratesFewAndEqualCells) {
  EXPECT_EQ(over_ranks(DenseMatrix(1, 2), 2, {}).codes, std::vector<std::int32_t>{0});
  EXPECT_EQ(over_ranks(DenseMatrix(3, 2), 1, {}).codes.size(), 3U);
  EXPECT_EQ(over_ranks(DenseMatrix(40, 2), 2, {}).codes.size(), 40U);
}

TEST(Leiden, NamesTheRowThatIsNotFinite) {
  DenseMatrix x(8, 2);
  x.row(5)[0] = std::numeric_limits<float>::quiet_NaN();
  try {
    (void)over_ranks(x, 2, {});
    ADD_FAILURE();
  } catch (const InvariantError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("row 5, column 0 is nan"));
  }
}

TEST(Order, NumbersClustersBySizeOverAllRanks) {
  run_as_threads(2, [](Collectives& ranks) {
    std::vector<std::int32_t> labels =
        ranks.is_root() ? std::vector<std::int32_t>{0, 1, 2} : std::vector<std::int32_t>{2, 2, 1, 4};
    EXPECT_THAT(number_by_size(labels, ranks), testing::ElementsAre(2, 1, 0, 4, 3));
    EXPECT_EQ(labels, ranks.is_root() ? (std::vector<std::int32_t>{2, 1, 0}) : (std::vector<std::int32_t>{0, 0, 1, 3}));
  });
}

}  // namespace
}  // namespace masksc

// Nearest neighbours against all distances, and the weights of shared ones. (An internal header of the room.)
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "../../../src/cluster/shared_neighbours.hpp"
#include "masksc/core/random.hpp"

namespace masksc::detail {
namespace {

DenseMatrix random_rows(std::int64_t rows, std::int64_t columns) {
  RandomStream random(8, Purpose::simulate, 0, 0);
  DenseMatrix x(rows, columns);
  for (float& v : x.values) v = static_cast<float>(100 + random.uniform());
  return x;
}

std::vector<std::int32_t> plain_nearest(const DenseMatrix& x, std::int64_t query, std::size_t count) {
  std::vector<double> squared(static_cast<std::size_t>(x.rows));
  for (std::int64_t i = 0; i < x.rows; ++i) {
    for (std::size_t f = 0; f < static_cast<std::size_t>(x.columns); ++f) {
      const double difference = static_cast<double>(x.row(i)[f]) - static_cast<double>(x.row(query)[f]);
      squared[static_cast<std::size_t>(i)] += difference * difference;
    }
  }
  std::vector<std::int32_t> order(squared.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    return squared[static_cast<std::size_t>(a)] < squared[static_cast<std::size_t>(b)];
  });
  std::erase(order, static_cast<std::int32_t>(query));
  order.resize(count);
  return order;
}

// More rows than a batch of tiles, more queries than a batch; the queries of a second rank.
TEST(Neighbours, AreTheNearestOfAllRows) {
  const DenseMatrix x = random_rows(2500, 6);
  const std::int64_t first = 1203;
  DenseMatrix queries(x.rows - first, x.columns);
  std::copy(x.values.begin() + first * x.columns, x.values.end(), queries.values.begin());
  const NeighbourTable all = nearest_rows(x, x, 7, 0);
  const NeighbourTable part = nearest_rows(queries, x, 7, first);
  ASSERT_EQ(all.count, 7);
  EXPECT_EQ(nearest_rows(x, x, 7, 0, 3).rows, all.rows);
  EXPECT_TRUE(std::equal(part.rows.begin(), part.rows.end(), all.rows.begin() + first * 7, all.rows.end()));
  for (std::int64_t q = 0; q < x.rows; q += 61) {
    const auto found = all.rows.begin() + q * 7;
    EXPECT_EQ(std::vector<std::int32_t>(found, found + 7), plain_nearest(x, q, 7)) << "row " << q;
  }
}

// With the lowest numbers a graph of shared neighbours would have an edge for each pair of them: 180,000.
TEST(Neighbours, OfManyIdenticalRowsAreSpread) {
  DenseMatrix x = random_rows(1000, 4);
  for (std::int64_t i = 200; i < 800; ++i) std::copy_n(x.values.begin(), 4, x.values.begin() + 4 * i);
  const NeighbourTable table = nearest_rows(x, x, 10, 0);
  std::vector<int> hosts(1000);
  for (std::int32_t i = 0; i < 1000; ++i)
    for (const std::int32_t near : table.of(i)) {
      EXPECT_NE(near, i);
      ++hosts[static_cast<std::size_t>(near)];
      const auto is_copy = [](std::int32_t row) { return row == 0 || (row >= 200 && row < 800); };
      EXPECT_TRUE(!is_copy(i) || is_copy(near)) << i << " " << near;
    }
  EXPECT_LE(*std::max_element(hosts.begin() + 200, hosts.begin() + 800), 10 + 400);
  EXPECT_EQ(std::count_if(hosts.begin() + 200, hosts.begin() + 800, [](int n) { return n >= 10; }), 600);
  EXPECT_LT(std::ssize(shared_neighbour_graph(table, 1000).weights), 60'000);
  DenseMatrix queries(300, 4);
  std::copy_n(x.values.begin() + 4 * 500, 4 * 300, queries.values.begin());
  const NeighbourTable part = nearest_rows(queries, x, 10, 500);
  EXPECT_TRUE(std::equal(part.rows.begin(), part.rows.end(), table.rows.begin() + 500 * 10));
}

TEST(Neighbours, OfStrangersIncludeTheEqualRow) {
  const DenseMatrix x = random_rows(50, 3);
  const NeighbourTable found = nearest_rows(x, x, 1);
  std::vector<std::int32_t> self(50);
  std::iota(self.begin(), self.end(), 0);
  EXPECT_EQ(found.rows, self);
}

TEST(Neighbours, AreAllOthersWhenThereAreFew) {
  DenseMatrix line(4, 1);
  line.values = {0, 1, 3, 7};
  const NeighbourTable found = nearest_rows(line, line, 15, 0);
  EXPECT_EQ(found.count, 3);
  EXPECT_THAT(found.rows, testing::ElementsAre(1, 2, 3, 0, 2, 3, 1, 0, 3, 2, 1, 0));
  EXPECT_EQ(nearest_rows(DenseMatrix(1, 2), DenseMatrix(1, 2), 15, 0).count, 0);
}

TEST(Neighbours, ShareByJaccard) {
  // Rows 0 1 2 3 with one neighbour each: sets {0,1} {1,0} {2,1} {3,2}.
  const WeightedGraph graph = shared_neighbour_graph({1, {1, 0, 1, 2}}, 4);
  EXPECT_THAT(graph.from, testing::ElementsAre(1, 2, 2, 3));
  EXPECT_THAT(graph.to, testing::ElementsAre(0, 0, 1, 2));
  EXPECT_THAT(graph.weights, testing::ElementsAre(1.0, 1.0 / 3, 1.0 / 3, 1.0 / 3));
}

}  // namespace
}  // namespace masksc::detail

// Whether rows fall into groups.
#include "masksc/cluster/groups.hpp"

#include <gtest/gtest.h>

#include "masksc/core/random.hpp"

namespace masksc {
namespace {

/// So many groups of cells, 40 apart in the first of 40 dimensions; 0: cells spread evenly.
GroupsFound groups_of(std::int64_t groups, std::int64_t cells, int ranks) {
  RandomStream random(4, Purpose::simulate, 0, 0);
  DenseMatrix x(cells, 40);
  for (float& value : x.values) value = static_cast<float>(random.uniform());
  for (std::int64_t i = 0; i < cells && groups > 0; ++i)
    for (std::int64_t bit = 0; bit < 3; ++bit)
      x.row(i)[static_cast<std::size_t>(bit)] += 40 * static_cast<float>(((i % groups) >> bit) & 1);
  GroupsFound found;
  run_as_threads(ranks, [&](Collectives& all) {
    const RowRange rows = rows_of_rank(cells, all.rank(), ranks);
    const DenseMatrix part = part_of(x, rows);
    const GroupsFound mine = find_groups({part, rows, cells}, 0, all);
    if (all.is_root()) found = mine;
  });
  return found;
}

TEST(Groups, AreShownWhereThereAreFewOrMany) {
  for (const int ranks : {1, 3}) {
    EXPECT_GT(groups_of(8, 400, ranks).silhouette, 0.9);
    for (const std::int64_t groups : {2, 3, 4, 8}) EXPECT_TRUE(groups_of(groups, 400, ranks).shown) << groups;
  }
  EXPECT_TRUE(groups_of(0, 16, 2).shown) << "too few to ask";
}

TEST(Groups, AreNotShownByCellsSpreadEvenly) {
  const GroupsFound found = groups_of(0, 400, 2);
  EXPECT_FALSE(found.shown);
  EXPECT_LT(found.silhouette, 0.1);
}

}  // namespace
}  // namespace masksc

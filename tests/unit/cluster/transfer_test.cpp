#include "masksc/cluster/transfer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

/// Two groups on a line, around 0 and around 10, 100 cells each, 0.01 apart; every tenth has no label.
ReferenceCells two_groups() {
  ReferenceCells reference;
  reference.features = DenseMatrix(200, 1);
  reference.labels.names = {"left", "right"};
  for (std::int64_t i = 0; i < 200; ++i) {
    reference.features.values[static_cast<std::size_t>(i)] =
        (i < 100 ? 0.0F : 10.0F) + 0.01F * static_cast<float>(i % 100);
    reference.labels.codes.push_back(i % 10 == 0 ? -1 : i < 100 ? 0 : 1);
  }
  return reference;
}

DenseMatrix cells_at(std::vector<float> places) {
  DenseMatrix cells(static_cast<std::int64_t>(places.size()), 1);
  cells.values = std::move(places);
  return cells;
}

TEST(LabelTransfer, NearestNeighboursVote) {
  const LabelTransfer found = transfer_labels(cells_at({0.5F, 10.55F, 5.6F}), two_groups(), 5, 1);
  EXPECT_THAT(found.labels.codes, testing::ElementsAre(0, 1, 1));
  EXPECT_DOUBLE_EQ(found.confidence[0], 0.8);  // one of the five has no label
  EXPECT_DOUBLE_EQ(found.confidence[1], 1.0);
}

TEST(LabelTransfer, AMixedNeighbourhoodLowersTheConfidence) {
  ReferenceCells reference = two_groups();
  reference.features.values[151] = 0.5049F;  // one stranger among those at 0.49 .. 0.52
  const LabelTransfer found = transfer_labels(cells_at({0.505F}), reference, 5, 1);
  EXPECT_EQ(found.labels.codes[0], 0);
  EXPECT_DOUBLE_EQ(found.confidence[0], 0.6);  // and one has no label
}

TEST(LabelTransfer, FarCellsAreNovelAndTheReferencesOwnAreNot) {
  const ReferenceCells reference = two_groups();
  const LabelTransfer own = transfer_labels(reference.features, reference, 5, 2);
  EXPECT_EQ(std::count(own.novel.begin(), own.novel.end(), 1), 0);  // a cell is its own neighbour here
  const LabelTransfer far = transfer_labels(cells_at({5.0F, 0.5F}), reference, 5, 1);
  EXPECT_THAT(far.novel, testing::ElementsAre(1, 0));
  EXPECT_NEAR(far.distance[0], 4.03, 0.02);
}

TEST(LabelTransfer, ThreadsDoNotMatter) {
  const ReferenceCells reference = two_groups();
  DenseMatrix cells(3000, 1);
  for (std::int64_t i = 0; i < 3000; ++i) cells.values[static_cast<std::size_t>(i)] = 0.004F * static_cast<float>(i);
  const LabelTransfer one = transfer_labels(cells, reference, 7, 1);
  const LabelTransfer three = transfer_labels(cells, reference, 7, 3);
  EXPECT_EQ(one.labels.codes, three.labels.codes);
  EXPECT_EQ(one.confidence, three.confidence);
  EXPECT_EQ(one.distance, three.distance);
}

TEST(LabelTransfer, RefusesFeaturesOfAnotherModel) {
  EXPECT_THROW(transfer_labels(DenseMatrix(3, 2), two_groups(), 5, 1), UserError);
  ReferenceCells single{DenseMatrix(1, 1), {{0}, {"a"}}};
  EXPECT_THROW(transfer_labels(DenseMatrix(3, 1), single, 5, 1), UserError);
}

}  // namespace
}  // namespace masksc

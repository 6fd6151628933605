// What can be labels and batches, and how far clusters follow these.
#include "masksc/run/labels.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "message_of.hpp"

namespace masksc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Labels labels_of(std::vector<std::int32_t> codes, std::vector<std::string> names) {
  return {std::move(codes), std::move(names)};
}

TEST(Labels, WhatUsersShouldKnowIsNoted) {
  const auto alone = single_rank();
  EXPECT_THAT(note_labels({}, "type", true, *alone), IsEmpty());
  EXPECT_THAT(note_labels(labels_of({0, 1, 0, 1}, {"T", "B"}), "type", true, *alone), IsEmpty());
  EXPECT_THAT(note_labels(labels_of({0, 1, 0, 1, 0, -1}, {"T", "B"}), "type", true, *alone),
              ElementsAre(HasSubstr("1 of 6 cells have none")));
  EXPECT_THAT(note_labels(labels_of({0, 0, 0}, {"T"}), "type", false, *alone),
              ElementsAre(HasSubstr("all cells have the same")));
  EXPECT_THAT(note_labels(labels_of({0, 1, 0, 1}, {"T", "B"}), "masksc", true, *alone),
              ElementsAre(HasSubstr("will hold the new clusters")));
}

TEST(Labels, WhatCannotBeTypesIsRefused) {
  const auto alone = single_rank();
  const auto refusal = [&](const Labels& labels) {
    return message_of([&] { note_labels(labels, "type", true, *alone); });
  };
  EXPECT_THAT(refusal(labels_of({-1, -1}, {"T"})), HasSubstr("no cell has a label"));
  EXPECT_THAT(refusal(labels_of({0, 0}, {"T"})), HasSubstr("give --clusters"));
  EXPECT_THAT(refusal(labels_of({0, 1, 2, -1}, {"a", "b", "c"})), HasSubstr("3 different labels of 3 cells"));
  EXPECT_THAT(refusal(labels_of({0, 1, 0, 1}, {"T", "B", "unused"})), "no error");
}

TEST(Batches, OfMoreThanHalfTheCellsAreRefused) {
  const auto alone = single_rank();
  const auto refusal = [&](const Labels& batches) {
    return message_of([&] { check_batches(batches, "donor", true, *alone); });
  };
  EXPECT_EQ(refusal({}), "no error");
  EXPECT_EQ(refusal(labels_of({0, 1, 0, 1}, {"d1", "d2"})), "no error");
  EXPECT_EQ(refusal(labels_of({0, 0, 0}, {"d1"})), "no error");
  EXPECT_THAT(refusal(labels_of({0, 1, 2}, {"d1", "d2", "d3"})), HasSubstr("3 different values of 3 cells"));
}

TEST(Batches, FollowedByClustersHaveAnNmiOfOne) {
  const auto alone = single_rank();
  const Labels batches = labels_of({0, 0, 1, 1}, {"d1", "d2"});
  EXPECT_DOUBLE_EQ(batch_nmi(batches, "donor", std::vector<std::int32_t>{1, 1, 0, 0}, *alone).get<double>(), 1);
  EXPECT_NEAR(batch_nmi(batches, "donor", std::vector<std::int32_t>{0, 1, 0, 1}, *alone).get<double>(), 0, 1e-12);
  EXPECT_TRUE(batch_nmi({}, "", std::vector<std::int32_t>{0, 1, 0, 1}, *alone).is_null());
  EXPECT_TRUE(batch_nmi(labels_of({0, 0}, {"d1"}), "donor", std::vector<std::int32_t>{0, 1}, *alone).is_null());
}

TEST(Labels, AreComparedByTheirNames) {
  const Labels own = labels_of({0, 1, 0, -1}, {"T", "B"});
  EXPECT_EQ(share_alike(own, labels_of({1, 0, 0, 0}, {"B", "T"})), 2.0 / 3);
  EXPECT_EQ(share_alike(own, labels_of({0, 0, 0, 0}, {"NK"})), std::nullopt);
  EXPECT_EQ(share_alike(labels_of({-1, -1}, {"T"}), labels_of({0, 0}, {"T"})), std::nullopt);
}

}  // namespace
}  // namespace masksc

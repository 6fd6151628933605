// The rows on the terminal that end a run.
#include "masksc/run/result_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace masksc {
namespace {

using testing::HasSubstr;

TEST(ResultTable, SaysWhatTheClustersAreOf) {
  Json scores = {{"ari", 0.5}, {"nmi", nullptr}, {"silhouette", 0.25}, {"clusters", 8}, {"clusters_by", "labels"}};
  EXPECT_THAT(score_rows(scores), HasSubstr("  clusters             8   (labels)\n"));
  scores["clusters_in"] = "features";
  EXPECT_THAT(score_rows(scores), HasSubstr("(labels)\n"));
  scores["clusters_in"] = "components";
  EXPECT_THAT(score_rows(scores), HasSubstr("(labels, in principal components)\n"));
}

}  // namespace
}  // namespace masksc

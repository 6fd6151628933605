// Numbers as anndata 0.12's make_index_unique gives them.
#include "../../../src/io/unique_names.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace masksc {
namespace {

using ::testing::ElementsAre;

TEST(UniqueNames, CountsUpBehindTheName) {
  std::vector<std::string> names = {"a", "b", "a", "a", "b"};
  EXPECT_EQ(make_unique_names(names), 3);
  EXPECT_THAT(names, ElementsAre("a", "b", "a-1", "a-2", "b-1"));
}

TEST(UniqueNames, LeavesOutNamesThatAreTaken) {
  std::vector<std::string> names = {"a", "a", "a-1", "a", "a-1", "", ""};
  EXPECT_EQ(make_unique_names(names), 4);
  EXPECT_THAT(names, ElementsAre("a", "a-2", "a-1", "a-3", "a-1-1", "", "-1"));
}

TEST(UniqueNames, LeavesUniqueNamesAlone) {
  std::vector<std::string> names = {"a", "a-1", "b"};
  EXPECT_EQ(make_unique_names(names), 0);
  EXPECT_THAT(names, ElementsAre("a", "a-1", "b"));
}

}  // namespace
}  // namespace masksc

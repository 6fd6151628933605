// From --sweep, --design and --seeds to points.
#include "masksc/study/design.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "masksc/core/error.hpp"
#include "message_of.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

std::vector<std::string> names(const std::vector<DesignPoint>& points) {
  std::vector<std::string> all;
  for (const DesignPoint& point : points) all.push_back(point.name);
  return all;
}

TEST(Factors, StandAloneOrSeveralInOneText) {
  const auto factors = parse_factors({"mask-ratio=0.1,0.5", "matrix=8x8;--dim=32,64 epochs=4", "dim=16"});
  ASSERT_EQ(factors.size(), 4U);
  EXPECT_EQ(factors[0].name, "mask-ratio");
  EXPECT_THAT(factors[0].values, ElementsAre("0.1", "0.5"));
  EXPECT_EQ(factors[2].name, "dim");
  EXPECT_THAT(factors[2].values, ElementsAre("16")) << "the later one wins";
  EXPECT_TRUE(parse_factors({"", " "}).empty());
}

TEST(Factors, MaySetSeveralOptionsTogether) {
  EXPECT_THAT(assignments("target+guidance", "raw+0"), ElementsAre(Pair("target", "raw"), Pair("guidance", "0")));
  EXPECT_THAT(assignments("learning-rate", "1e+3"), ElementsAre(Pair("learning-rate", "1e+3")));
  EXPECT_THAT(message_of([] { parse_factors({"target+guidance=raw"}); }), HasSubstr("'raw' is not 2 values"));
}

TEST(Factors, SayWhatIsWrong) {
  for (const char* text : {"mask-ratio", "=0.1", "mask-ratio=", "mask-ratio=0.1,,0.5", "mask-ratio=0.1,"})
    EXPECT_THAT(message_of([&] { parse_factors({text}); }), HasSubstr(std::string("--sweep '") + text)) << text;
  EXPECT_THAT(message_of([] { parse_factors({"dim=1 dim+epochs=2+3"}); }), HasSubstr("'dim' stands in two factors"));
}

TEST(Grid, IsEveryCombinationAndSeedOnce) {
  const auto points = expand(parse_factors({"a=1,2,1 b=x,y"}), DesignKind::grid, {}, 3, 2);
  EXPECT_THAT(names(points), ElementsAre("a=1_b=x_seed=3", "a=1_b=x_seed=4", "a=1_b=y_seed=3", "a=1_b=y_seed=4",
                                         "a=2_b=x_seed=3", "a=2_b=x_seed=4", "a=2_b=y_seed=3", "a=2_b=y_seed=4"));
  EXPECT_THAT(points.back().values, ElementsAre("2", "y"));
  EXPECT_EQ(points.back().seed, 4);
  EXPECT_THAT(names(expand({}, DesignKind::grid, {}, 0, 1)), ElementsAre("base_seed=0")) << "seeds alone";
}

TEST(Star, IsTheBaseAndOneFactorAtATime) {
  const auto points = expand(parse_factors({"a=1,2,3 b=x,y"}), DesignKind::star, {"2", "z"}, 0, 1);
  EXPECT_THAT(names(points), ElementsAre("base_seed=0", "a=1_seed=0", "a=3_seed=0", "b=x_seed=0", "b=y_seed=0"));
  EXPECT_THAT(points[0].values, ElementsAre("2", "z"));
  EXPECT_THAT(points[2].values, ElementsAre("3", "z"));
  EXPECT_THAT(points[3].values, ElementsAre("2", "x"));
  EXPECT_EQ(points[3].varied, "b");
}

}  // namespace
}  // namespace masksc

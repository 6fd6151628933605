#include "masksc/core/random.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace masksc {
namespace {

// Known answers of Random123's kat_vectors for philox4x32-10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, {0xffffffff, 0xffffffff}),
            (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, EveryPartOfTheNameMatters) {
  const auto first = [](std::uint64_t seed, Purpose purpose, std::uint32_t epoch, std::uint64_t item,
                        std::uint32_t layer) { return RandomStream(seed, purpose, epoch, item, layer)(); };
  std::set<std::uint64_t> draws = {first(0, Purpose::mask, 0, 0, 0),
                                   first(1, Purpose::mask, 0, 0, 0),
                                   first(0, Purpose::dropout, 0, 0, 0),
                                   first(0, Purpose::mask, 1, 0, 0),
                                   first(0, Purpose::mask, 0, 1, 0),
                                   first(0, Purpose::mask, 0, 0, 1),
                                   first(std::uint64_t{1} << 40, Purpose::mask, 0, 0, 0),
                                   first(0, Purpose::mask, 0, std::uint64_t{1} << 40, 0)};
  EXPECT_EQ(draws.size(), 8U);
}

TEST(RandomStream, BelowIsUniform) {
  RandomStream random(3, Purpose::sampling, 0, 0);
  std::vector<int> counts(7, 0);
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 450);
}

TEST(RandomPermutation, HoldsEachOnceAndChangesWithTheEpoch) {
  std::vector<std::int64_t> order = random_permutation(1000, 5, Purpose::permutation, 0);
  EXPECT_NE(order, random_permutation(1000, 5, Purpose::permutation, 1));
  EXPECT_EQ(order, random_permutation(1000, 5, Purpose::permutation, 0));
  EXPECT_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(random_permutation(0, 5, Purpose::permutation, 0).empty());
}

}  // namespace
}  // namespace masksc

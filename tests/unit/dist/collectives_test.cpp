// Every operation on 1, 2, 3 and 5 ranks as threads.
#include "masksc/dist/collectives.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

namespace masksc {
namespace {

class OnRanks : public ::testing::TestWithParam<int> {};

TEST_P(OnRanks, ReduceGatherBroadcast) {
  const int size = GetParam();
  run_as_threads(size, [&](Collectives& ranks) {
    std::vector<double> values = {static_cast<double>(ranks.rank()), 1.0};
    ranks.all_reduce(std::span(values));
    EXPECT_EQ(values, (std::vector<double>{size * (size - 1) / 2.0, static_cast<double>(size)}));
    EXPECT_EQ(ranks.all_reduce(std::int64_t{ranks.rank()}, ReduceOp::max), size - 1);
    EXPECT_EQ(ranks.all_reduce(std::int32_t{ranks.rank()}, ReduceOp::min), 0);

    const std::vector<std::int32_t> mine(static_cast<std::size_t>(ranks.rank()), ranks.rank());  // rank 0 brings none
    const std::vector<std::int32_t> all = ranks.all_gather_varied(std::span(mine));
    EXPECT_EQ(all.size(), static_cast<std::size_t>(size * (size - 1) / 2));
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end()));
    EXPECT_EQ(ranks.gather_varied(std::span(mine)).size(), ranks.is_root() ? all.size() : 0U);

    std::vector<float> text = {static_cast<float>(ranks.rank())};
    ranks.broadcast(std::span(text), size - 1);
    EXPECT_EQ(text[0], static_cast<float>(size - 1));
    EXPECT_EQ(broadcast_text(ranks, ranks.is_root() ? "hello" : ""), "hello");
  });
}

TEST_P(OnRanks, Bfloat16AddsUpRounded) {
  const int size = GetParam();
  run_as_threads(size, [&](Collectives& ranks) {
    std::vector<Bf16> values = {to_bf16(1.5F), to_bf16(static_cast<float>(ranks.rank())), to_bf16(-0.25F)};
    ranks.all_reduce(std::span(values));
    EXPECT_EQ(to_float(values[0]), 1.5F * static_cast<float>(size));
    EXPECT_EQ(to_float(values[1]), static_cast<float>(size * (size - 1) / 2));
    EXPECT_EQ(to_float(values[2]), -0.25F * static_cast<float>(size));
  });
}

TEST(Bfloat16, RoundsToNearestEvenAndKeepsNaN) {
  EXPECT_EQ(to_bf16(1.0F).bits, 0x3F80);
  EXPECT_EQ(to_bf16(1.00390625F).bits, 0x3F80);  // 1 + 2^-8: halfway, to the even one below
  EXPECT_EQ(to_bf16(1.01171875F).bits, 0x3F82);  // 1 + 3 * 2^-8: halfway, to the even one above
  EXPECT_EQ(to_bf16(1.004F).bits, 0x3F81);
  EXPECT_EQ(to_float(to_bf16(std::numeric_limits<float>::infinity())), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(to_float(to_bf16(std::numeric_limits<float>::quiet_NaN()))));
}

TEST_P(OnRanks, ReduceScatterAndAllToAll) {
  const int size = GetParam();
  run_as_threads(size, [&](Collectives& ranks) {
    std::vector<std::int64_t> input(static_cast<std::size_t>(2 * size));
    std::iota(input.begin(), input.end(), 0);
    std::vector<std::int64_t> output(2);
    ranks.reduce_scatter(std::span<const std::int64_t>(input), std::span(output));
    EXPECT_EQ(output, (std::vector<std::int64_t>{2 * ranks.rank() * size, (2 * ranks.rank() + 1) * size}));

    std::vector<float> halves(output.size() * static_cast<std::size_t>(size), 0.5F);
    std::vector<float> sums(output.size());
    const auto request = ranks.reduce_scatter_async(std::span<const float>(halves), std::span(sums));
    request->wait();
    EXPECT_EQ(sums, std::vector<float>(output.size(), 0.5F * static_cast<float>(size)));

    // rank a sends a + b elements of value 10 a + b to rank b
    std::vector<std::int32_t> send;
    std::vector<std::int64_t> counts;
    for (int b = 0; b < size; ++b) {
      counts.push_back(ranks.rank() + b);
      send.insert(send.end(), static_cast<std::size_t>(ranks.rank() + b), 10 * ranks.rank() + b);
    }
    std::vector<std::int64_t> received_counts;
    const auto received = ranks.all_to_all(std::span<const std::int32_t>(send), counts, &received_counts);
    std::vector<std::int32_t> expected;
    for (int a = 0; a < size; ++a)
      expected.insert(expected.end(), static_cast<std::size_t>(a + ranks.rank()), 10 * a + ranks.rank());
    EXPECT_EQ(received, expected);
    EXPECT_EQ(received_counts, counts);  // a + b is symmetric
  });
}

TEST_P(OnRanks, AnErrorOnOneRankIsEveryRanksError) {
  const int size = GetParam();
  run_as_threads(size, [&](Collectives& ranks) {
    try {
      together(ranks, [&] {
        if (ranks.rank() == size - 1) throw UserError("bad row 7");
      });
      FAIL() << "no error on rank " << ranks.rank();
    } catch (const UserError& e) {
      EXPECT_THAT(e.what(), testing::StartsWith("bad row 7"));
      const std::string where = size > 1 ? "on rank " + std::to_string(size - 1) : "";
      EXPECT_THAT(e.what(), testing::HasSubstr(where));
    }
    EXPECT_THROW(on_root(ranks, [] { throw EnvironmentError("disk"); }), EnvironmentError);
    EXPECT_NO_THROW(on_root(ranks, [] {}));
    EXPECT_THROW(of_root(ranks, [&]() -> bool { throw EnvironmentError("disk"); }), EnvironmentError);
  });
}

TEST_P(OnRanks, WhatRankZeroFindsIsOnEveryRank) {
  run_as_threads(GetParam(), [](Collectives& ranks) {
    const auto here = [&](auto value) {
      return of_root(ranks, [&] {
        EXPECT_TRUE(ranks.is_root());
        return value;
      });
    };
    EXPECT_TRUE(here(true));
    EXPECT_EQ(here(std::int64_t{-5}), -5);
    EXPECT_EQ(here(ExitCode::stopped), ExitCode::stopped);
    EXPECT_EQ(here(std::string("a\0text", 6)), std::string("a\0text", 6));
    EXPECT_EQ(here(std::string()), "");
    EXPECT_EQ(here(std::vector<float>{1.5F, 2}), (std::vector<float>{1.5F, 2}));
    EXPECT_TRUE(here(std::vector<std::int64_t>()).empty());
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, OnRanks, ::testing::Values(1, 2, 3, 5));

TEST(Threads, SplitIntoParts) {
  run_as_threads(5, [](Collectives& ranks) {
    const int color = ranks.rank() == 2 ? -1 : ranks.rank() % 2;  // 0 4, 1 3, and nobody for 2
    const std::unique_ptr<Collectives> part = ranks.split(color);
    EXPECT_EQ(part == nullptr, color < 0);
    if (part) {
      EXPECT_EQ(part->size(), 2);
      EXPECT_EQ(part->rank(), ranks.rank() > 2 ? 1 : 0);
      EXPECT_EQ(part->all_reduce(std::int32_t{ranks.rank()}), 4);
    }
    EXPECT_EQ(ranks.all_reduce(std::int32_t{1}), 5);
  });
}

TEST(Threads, ARankThatThrowsWakesThoseInAPart) {
  EXPECT_THROW(run_as_threads(3,
                              [](Collectives& ranks) {
                                const std::unique_ptr<Collectives> part = ranks.split(0);
                                if (ranks.rank() == 1) throw UserError("gone");
                                part->barrier();
                              }),
               Error);
}

TEST(Threads, ARankThatThrowsWakesTheOthers) {
  EXPECT_THROW(run_as_threads(3,
                              [](Collectives& ranks) {
                                if (ranks.rank() == 1) throw UserError("gone");
                                ranks.barrier();
                              }),
               Error);
}

}  // namespace
}  // namespace masksc

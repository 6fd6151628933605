// Every collective operation over MPI against values worked out by hand, at any number of ranks.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "masksc/core/host.hpp"
#include "masksc/dist/runtime.hpp"
#include "world.hpp"

namespace masksc {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

int rank() { return test_world().rank(); }
int size() { return test_world().size(); }

template <typename T>
class CollectivesOverMpi : public ::testing::Test {};
using Elements = ::testing::Types<std::uint8_t, std::int32_t, std::int64_t, std::uint64_t, float, double>;
TYPED_TEST_SUITE(CollectivesOverMpi, Elements);

TYPED_TEST(CollectivesOverMpi, AllReduce) {
  using T = TypeParam;
  std::vector<T> values = {static_cast<T>(rank()), static_cast<T>(10 - rank()), T{1}};
  test_world().all_reduce(std::span(values));
  EXPECT_THAT(values, ElementsAre(static_cast<T>(size() * (size() - 1) / 2),
                                  static_cast<T>(10 * size() - size() * (size() - 1) / 2), static_cast<T>(size())));
  EXPECT_EQ(test_world().all_reduce(static_cast<T>(rank() + 3), ReduceOp::min), T{3});
  EXPECT_EQ(test_world().all_reduce(static_cast<T>(rank() + 3), ReduceOp::max), static_cast<T>(size() + 2));
  std::vector<T> none;
  test_world().all_reduce(std::span(none));
}

TYPED_TEST(CollectivesOverMpi, AsynchronousAllReduce) {
  using T = TypeParam;
  std::vector<T> first(1000, static_cast<T>(rank()));
  std::vector<T> second = {static_cast<T>(rank() + 1)};
  const auto one = test_world().all_reduce_async(std::span(first));
  const auto two = test_world().all_reduce_async(std::span(second), ReduceOp::max);
  while (!two->test()) {
  }
  one->wait();
  EXPECT_TRUE(one->test()) << "after wait";
  EXPECT_THAT(first, Each(static_cast<T>(size() * (size() - 1) / 2)));
  EXPECT_THAT(second, ElementsAre(static_cast<T>(size())));
}

TYPED_TEST(CollectivesOverMpi, ReduceScatter) {
  using T = TypeParam;
  std::vector<T> input(static_cast<std::size_t>(2 * size()));
  for (std::size_t i = 0; i < input.size(); ++i) input[i] = static_cast<T>(i + static_cast<std::size_t>(rank()));
  std::vector<T> output(2);
  test_world().reduce_scatter(std::span<const T>(input), std::span(output));
  const int ranks = size() * (size() - 1) / 2;
  EXPECT_THAT(output, ElementsAre(static_cast<T>(2 * rank() * size() + ranks),
                                  static_cast<T>((2 * rank() + 1) * size() + ranks)));
}

TEST(Bfloat16OverMpi, AddsUpInAllReduceAndReduceScatter) {
  std::vector<Bf16> values(3000, to_bf16(static_cast<float>(rank() + 1)));
  test_world().all_reduce_async(std::span(values))->wait();
  for (const Bf16 value : values) EXPECT_EQ(to_float(value), static_cast<float>(size() * (size() + 1) / 2));
  const std::vector<Bf16> input(static_cast<std::size_t>(5 * size()), to_bf16(-0.5F));
  std::vector<Bf16> output(5);
  test_world().reduce_scatter_async(std::span(input), std::span(output))->wait();
  for (const Bf16 value : output) EXPECT_EQ(to_float(value), -0.5F * static_cast<float>(size()));
}

TYPED_TEST(CollectivesOverMpi, Gathers) {
  using T = TypeParam;
  const std::vector<T> pair = {static_cast<T>(rank()), static_cast<T>(rank() + 100)};
  std::vector<T> all(static_cast<std::size_t>(2 * size()));
  test_world().all_gather(std::span<const T>(pair), std::span(all));
  for (int r = 0; r < size(); ++r) {
    EXPECT_EQ(all[static_cast<std::size_t>(2 * r)], static_cast<T>(r));
    EXPECT_EQ(all[static_cast<std::size_t>(2 * r + 1)], static_cast<T>(r + 100));
  }
  // Rank r brings r values: rank 0 none.
  const std::vector<T> mine(static_cast<std::size_t>(rank()), static_cast<T>(rank()));
  std::vector<T> expected;
  for (int r = 0; r < size(); ++r) expected.insert(expected.end(), static_cast<std::size_t>(r), static_cast<T>(r));
  EXPECT_EQ(test_world().all_gather_varied(std::span<const T>(mine)), expected);
  const int root = size() - 1;
  const std::vector<T> gathered = test_world().gather_varied(std::span<const T>(mine), root);
  EXPECT_EQ(gathered, rank() == root ? expected : std::vector<T>{});
}

TYPED_TEST(CollectivesOverMpi, Broadcast) {
  using T = TypeParam;
  for (int root = 0; root < size(); ++root) {
    std::vector<T> values(5, static_cast<T>(rank() + 1));
    test_world().broadcast(std::span(values), root);
    EXPECT_THAT(values, Each(static_cast<T>(root + 1)));
  }
}

TYPED_TEST(CollectivesOverMpi, AllToAll) {
  using T = TypeParam;
  // Rank s sends r values to rank r, each s * 10 + r: rank 0 receives nothing.
  std::vector<T> send;
  std::vector<std::int64_t> counts;
  for (int r = 0; r < size(); ++r) {
    counts.push_back(r);
    send.insert(send.end(), static_cast<std::size_t>(r), static_cast<T>(rank() * 10 + r));
  }
  std::vector<std::int64_t> received_counts;
  const std::vector<T> received = test_world().all_to_all(std::span<const T>(send), counts, &received_counts);
  std::vector<T> expected;
  for (int s = 0; s < size(); ++s)
    expected.insert(expected.end(), static_cast<std::size_t>(rank()), static_cast<T>(s * 10 + rank()));
  EXPECT_EQ(received, expected);
  EXPECT_THAT(received_counts, Each(rank()));
  EXPECT_EQ(static_cast<int>(received_counts.size()), size());
}

// Messages go in slices of 2^28 elements.
TEST(MpiWorld, AllToAllOfLongMessages) {
  if (size() > 2) GTEST_SKIP() << "a quarter of a gigabyte a rank";
  const auto more = (std::int64_t{1} << 28) + 5;
  std::vector<std::int64_t> counts(static_cast<std::size_t>(size()));
  counts.back() = rank() == 0 ? more : 3;
  std::vector<std::uint8_t> send(static_cast<std::size_t>(counts.back()));
  for (std::size_t i = 0; i < send.size(); ++i)
    send[i] = static_cast<std::uint8_t>(i % 251 + static_cast<std::size_t>(rank()));
  const auto received = test_world().all_to_all(std::span<const std::uint8_t>(send), counts);
  if (rank() != size() - 1) {
    EXPECT_TRUE(received.empty());
    return;
  }
  ASSERT_EQ(std::ssize(received), more + 3 * (size() - 1));
  std::int64_t wrong = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(more); ++i)
    wrong += received[i] != static_cast<std::uint8_t>(i % 251);
  EXPECT_EQ(wrong, 0);
}

TEST(MpiWorld, SumsAreTheSameBitsOnEveryRank) {
  std::vector<double> values(1003);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1.0 / static_cast<double>(i + 1 + 17 * rank());
  test_world().all_reduce(std::span(values));
  std::vector<double> of_root = values;
  test_world().broadcast(std::span(of_root));
  EXPECT_EQ(values, of_root);
}

TEST(MpiWorld, BroadcastsText) {
  EXPECT_EQ(broadcast_text(test_world(), rank() == size() - 1 ? "naïve" : "other", size() - 1), "naïve");
  EXPECT_EQ(broadcast_text(test_world(), ""), "");
}

TEST(MpiWorld, SplitsIntoParts) {
  const int color = rank() / 2;
  const std::unique_ptr<Collectives> part = test_world().split(color == 1 ? -1 : color);
  if (color == 1) {
    EXPECT_EQ(part, nullptr);
    return;
  }
  EXPECT_EQ(part->rank(), rank() % 2);
  EXPECT_EQ(part->size(), std::min(2, size() - 2 * color));
  EXPECT_EQ(part->all_reduce(std::int32_t{rank()}, ReduceOp::min), 2 * color);
}

TEST(MpiWorld, HasACommunicator) {
  EXPECT_NE(test_world().mpi_communicator(), nullptr);
  EXPECT_EQ(test_world().is_root(), rank() == 0);
}

TEST(MpiWorld, RefusesSizesThatDoNotMatch) {
  std::vector<float> input(static_cast<std::size_t>(size()) + 1);
  std::vector<float> output(1);
  EXPECT_THROW(test_world().reduce_scatter(std::span<const float>(input), std::span(output)), InvariantError);
}

/// The error of the lowest failing rank is thrown by all, with its kind and message; then the ranks go on.
TEST(MpiWorld, AgreesOnErrors) {
  for (int failing = 0; failing < size(); ++failing) {
    try {
      together(test_world(), [&] {
        if (rank() == failing) throw EnvironmentError("disk of rank " + std::to_string(failing));
        if (rank() > failing) throw UserError("a later rank");
      });
      FAIL() << "every rank must throw";
    } catch (const EnvironmentError& error) {
      EXPECT_THAT(error.what(), ::testing::StartsWith("disk of rank " + std::to_string(failing)));
      EXPECT_EQ(std::string(error.what()).find(fmt::format("(on rank {}, host {})", failing, host_name())) !=
                    std::string::npos,
                failing > 0);
    }
  }
  EXPECT_NO_THROW(together(test_world(), [] {}));
  EXPECT_THROW(on_root(test_world(), [] { throw UserError("only the root"); }), UserError);
  EXPECT_THROW(agree(test_world(), std::make_exception_ptr(std::bad_alloc())), EnvironmentError);
  test_world().barrier();
  EXPECT_EQ(test_world().all_reduce(std::int32_t{1}), size());
}

}  // namespace
}  // namespace masksc

#include "masksc/core/memory.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace masksc {
namespace {

/// Bytes of whole pages of the vector's room that are in memory.
std::size_t resident(const std::vector<std::int64_t>& values) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const std::uintptr_t begin = (reinterpret_cast<std::uintptr_t>(values.data()) + page - 1) / page * page;
  const std::uintptr_t end =
      (reinterpret_cast<std::uintptr_t>(values.data()) + values.capacity() * sizeof(std::int64_t)) / page * page;
  std::vector<unsigned char> pages((end - begin) / page);
  EXPECT_EQ(mincore(reinterpret_cast<void*>(begin), end - begin, pages.data()), 0);
  return page *
         static_cast<std::size_t>(std::count_if(pages.begin(), pages.end(), [](auto p) { return (p & 1U) != 0; }));
}

TEST(Memory, LargeVectorsAreZeroAndWhole) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3} << 20}) {
    const auto values = large_vector<std::int64_t>(size);
    EXPECT_EQ(values.size(), size);
    EXPECT_EQ(std::accumulate(values.begin(), values.end(), std::int64_t{0}), 0);
  }
}

TEST(Memory, WhatIsErasedAtTheEndGoesBackAndTheRestStays) {
  auto values = large_vector<std::int64_t>(std::size_t{1} << 23);  // 64 MiB
  std::iota(values.begin(), values.end(), std::int64_t{7});
  const std::size_t before = resident(values);
  values.resize(1000001);
  release_unused(values);
  EXPECT_LT(resident(values), before / 4);
  for (std::size_t i = 0; i < values.size(); ++i) ASSERT_EQ(values[i], static_cast<std::int64_t>(i) + 7);
  values.resize(1500000, 5);  // grows again where it is
  EXPECT_EQ(values[1000000], 1000007);
  EXPECT_EQ(values.back(), 5);
}

TEST(Memory, SomeIsFree) { EXPECT_GT(free_memory(), 1e6); }

}  // namespace
}  // namespace masksc

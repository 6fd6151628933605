// Heaps of texts: sound ones are read, damaged ones hold nothing.
#include "../../../src/io/global_heap.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <vector>

namespace masksc {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void put(Bytes& bytes, std::size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof(value));
}

/// A heap of 128 bytes with objects 1 ("hello", at 32) and 2 ("x", at 56), then free space.
Bytes heap() {
  Bytes bytes(128);
  std::memcpy(bytes.data(), "GCOL\1", 5);
  put(bytes, 8, std::uint64_t{128});
  put(bytes, 16, std::uint16_t{1});
  put(bytes, 24, std::uint64_t{5});
  std::memcpy(bytes.data() + 32, "hello", 5);
  put(bytes, 40, std::uint16_t{2});
  put(bytes, 48, std::uint64_t{1});
  bytes[56] = 'x';
  put(bytes, 72, std::uint64_t{64});  // object 0: the free space
  return bytes;
}

TEST(GlobalHeap, GivesItsObjects) {
  const HeapObjects objects = heap_objects(heap());
  ASSERT_EQ(objects.size(), 2U);
  EXPECT_EQ(objects.at(1).begin, 32U);
  EXPECT_EQ(objects.at(1).bytes, 5U);
  EXPECT_EQ(objects.at(2).begin, 56U);
  EXPECT_EQ(heap_size(heap()), 128U);
}

TEST(GlobalHeap, HoldsNothingWhenDamaged) {
  const auto damaged = [](std::size_t at, auto value) {
    Bytes bytes = heap();
    put(bytes, at, value);
    return heap_objects(bytes);
  };
  EXPECT_TRUE(damaged(0, 'H').empty());
  EXPECT_TRUE(damaged(4, '\2').empty()) << "version";
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{15}, std::uint64_t{127}, std::uint64_t{129}, UINT64_MAX})
    EXPECT_TRUE(damaged(8, size).empty()) << size;
  for (const std::uint64_t size : {std::uint64_t{97}, std::uint64_t{1} << 40U, UINT64_MAX, UINT64_MAX - 7})
    EXPECT_TRUE(damaged(24, size).empty()) << "an object of " << size;
  EXPECT_TRUE(damaged(40, std::uint16_t{1}).empty()) << "two objects of one number";
  EXPECT_EQ(damaged(24, std::uint64_t{96}).size(), 1U) << "up to the last byte";
  EXPECT_TRUE(heap_objects({}).empty());
  EXPECT_EQ(heap_size(Bytes(15)), std::nullopt);
}

TEST(TextReference, IsParsed) {
  Bytes bytes(16);
  put(bytes, 0, std::uint32_t{5});
  put(bytes, 4, std::uint64_t{0x1122334455667788});
  put(bytes, 12, std::uint32_t{0x00010001});
  const TextReference reference = TextReference::parse(bytes.data());
  EXPECT_EQ(reference.length, 5U);
  EXPECT_EQ(reference.heap, 0x1122334455667788U);
  EXPECT_EQ(reference.object, 0x00010001U) << "not cut to the 16 bits of a heap";
  EXPECT_FALSE(reference.empty());
  EXPECT_TRUE((TextReference{0, 8, 1}.empty()));
  EXPECT_TRUE((TextReference{3, 0, 1}.empty()));
}

}  // namespace
}  // namespace masksc

// Chunks as HDF5 writes them come back; chunks of another size than they must have do not. The bytes are h5py's.
#include "../../../src/io/chunk_filters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace masksc {
namespace {

using Bytes = std::vector<std::uint8_t>;

/// uint16 1 to 5, shuffled, compressed, with a checksum behind.
const Bytes stored = {0x78, 0x5e, 0x63, 0x64, 0x62, 0x66, 0x61, 0x65, 0x00, 0x01,
                      0x00, 0x00, 0x78, 0x00, 0x10, 0x90, 0x27, 0x18, 0xb0};
const Bytes elements = {1, 0, 2, 0, 3, 0, 4, 0, 5, 0};
const std::vector<ChunkFilter> all = {ChunkFilter::shuffle, ChunkFilter::deflate, ChunkFilter::fletcher32};

TEST(Fletcher32, AgreesWithHdf5) {
  for (const auto& [count, sum] :
       {std::pair<int, std::uint32_t>{1, 83887360}, {5, 1197993374}, {6, 1210445404}, {2000, 1025192381}}) {
    Bytes bytes;
    for (int i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(i * 37 + 5));
    EXPECT_EQ(fletcher32(bytes), sum) << count;
  }
}

TEST(ChunkFilters, AreUndone) {
  EXPECT_EQ(undo_filters(stored, all, 0, 2, 10).bytes, elements);
  EXPECT_EQ(undo_filters({1, 2, 3, 4, 5, 0, 0, 0, 0, 0}, std::vector{ChunkFilter::shuffle}, 0, 2, 10).bytes, elements);
  EXPECT_EQ(undo_filters(elements, {}, 0, 2, 10).bytes, elements);
  EXPECT_EQ(undo_filters(elements, all, 7, 2, 10).bytes, elements) << "all three were left out";
}

TEST(ChunkFilters, RefuseWhatDoesNotFit) {
  const auto problem = [](const Bytes& bytes, std::span<const ChunkFilter> filters, std::uint32_t skipped,
                          std::size_t size) {
    const UnpackedChunk chunk = undo_filters(bytes, filters, skipped, 2, size);
    EXPECT_EQ(chunk.bytes.empty(), chunk.problem != nullptr);
    return std::string(chunk.problem != nullptr ? chunk.problem : "");
  };
  using ::testing::HasSubstr;
  for (const std::size_t size : {0, 8, 9, 11, 4096})
    EXPECT_THAT(problem(stored, all, 0, size), HasSubstr("inflated")) << size;
  for (const std::uint32_t skipped : {2U, 3U, 6U, 7U}) EXPECT_NE(problem(stored, all, skipped, 10), "") << skipped;
  for (std::size_t at = 0; at < stored.size(); ++at) {
    Bytes bad = stored;
    bad[at] ^= 0x10;
    EXPECT_NE(problem(bad, all, 0, 10), "") << at;
    EXPECT_NE(problem(Bytes(stored.begin(), stored.begin() + static_cast<std::ptrdiff_t>(at)), all, 0, 10), "") << at;
  }
  EXPECT_THAT(problem({}, {}, 0, 10), HasSubstr("size"));
  EXPECT_THAT(problem({1, 2, 3}, std::vector{ChunkFilter::fletcher32}, 0, 10), HasSubstr("checksum"));
}

}  // namespace
}  // namespace masksc

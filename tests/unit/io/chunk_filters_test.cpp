// Chunks as HDF5 writes them come back; chunks of another size than they must have do not. The bytes are h5py's.
#include "../../../src/io/chunk_filters.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "../../../src/io/lzf.hpp"

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

/// 0 to 39, 300 zeros, and 0 to 4 twenty times: literals, runs short and long, and one that repeats five bytes.
const Bytes lzf = {0x1f, 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
                   0x0e, 0x0f, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c,
                   0x1d, 0x1e, 0x1f, 0x08, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x00, 0xe0, 0xff,
                   0x00, 0xe0, 0x1b, 0x00, 0x41, 0x53, 0xe0, 0x54, 0x04, 0x01, 0x03, 0x04};
constexpr std::size_t lzf_size = 440;

TEST(Lzf, IsUnpackedAsH5pyPacksIt) {
  Bytes expected(lzf_size, 0);
  for (std::size_t i = 0; i < 40; ++i) expected[i] = static_cast<std::uint8_t>(i);
  for (std::size_t i = 340; i < lzf_size; ++i) expected[i] = static_cast<std::uint8_t>(i % 5);
  EXPECT_EQ(unpack_lzf(lzf, lzf_size), expected);
  EXPECT_EQ(undo_filters(lzf, std::vector{ChunkFilter::lzf}, 0, 1, lzf_size).bytes, expected);
  EXPECT_EQ(undo_filters(elements, std::vector{ChunkFilter::lzf}, 1, 2, 10).bytes, elements) << "it was left out";
}

TEST(Lzf, RefusesWhatDoesNotFit) {
  for (const std::size_t most : {0UL, 1UL, 40UL, lzf_size - 1}) EXPECT_TRUE(unpack_lzf(lzf, most).empty()) << most;
  EXPECT_EQ(unpack_lzf(lzf, std::size_t{1} << 40).size(), lzf_size);
  for (std::size_t cut = 0; cut < lzf.size(); ++cut)
    EXPECT_LT(unpack_lzf(std::span(lzf).first(cut), lzf_size).size(), lzf_size) << cut;
  EXPECT_TRUE(unpack_lzf(Bytes{0x20, 0x00}, 3).empty()) << "before the first byte";
  EXPECT_TRUE(unpack_lzf(Bytes{0x00, 0x07, 0x20, 0x01}, 4).empty()) << "farther back than there is";
  EXPECT_EQ(unpack_lzf(Bytes{0x00, 0x07, 0x20, 0x00}, 4), Bytes(4, 7));
  for (const std::size_t size : {std::size_t{7}, lzf_size + 1})
    EXPECT_THAT(undo_filters(lzf, std::vector{ChunkFilter::lzf}, 0, 1, size).problem, ::testing::HasSubstr("LZF"));
}

}  // namespace
}  // namespace masksc

// Tensors of random numbers equal those that the host draws one by one.
#include "masksc/model/device_random.hpp"

#include <gtest/gtest.h>

#include "masksc/model/dropout.hpp"
#include "masksc/model/mask.hpp"

namespace masksc {
namespace {

const std::vector<std::int64_t>& some_cells() {
  static const std::vector<std::int64_t> cells = {
      0, 7, -1, (std::int64_t{1} << 32) + 5, 123456789, (std::int64_t{1} << 40) - 1};
  return cells;
}

at::Tensor as_tensor(const std::vector<std::int64_t>& cells) { return at::tensor(cells, at::kLong); }

TEST(DeviceRandom, WordsAreThoseOfTheStreams) {
  constexpr std::uint64_t seed = 0xFEDCBA9876543210;
  constexpr std::int64_t blocks = 5;
  const at::Tensor words = philox_words(seed, Purpose::dropout, 0xFFFFFFF0, as_tensor(some_cells()), blocks, 11);
  ASSERT_EQ(words.sizes(), at::IntArrayRef({6, blocks, 4}));
  for (std::size_t i = 0; i < some_cells().size(); ++i) {
    const auto item = static_cast<std::uint64_t>(std::max<std::int64_t>(some_cells()[i], 0));
    const RandomStream stream(seed, Purpose::dropout, 0xFFFFFFF0, item, 11);
    for (std::int64_t block = 0; block < blocks; ++block) {
      const PhiloxBlock wanted = stream.block(static_cast<std::uint32_t>(block));
      for (std::int64_t lane = 0; lane < 4; ++lane)
        EXPECT_EQ(words[static_cast<std::int64_t>(i)][block][lane].item<std::int64_t>(),
                  wanted[static_cast<std::size_t>(lane)]);
    }
  }
}

TEST(DeviceRandom, MasksAreTheHosts) {
  for (const auto& [tokens, visible] : {std::pair{16, 8}, std::pair{9, 2}, std::pair{256, 64}, std::pair{2, 1}}) {
    const Masks wanted = draw_masks(5, 3, some_cells(), tokens, visible);
    const DeviceMasks drawn = draw_masks_there(5, 3, as_tensor(some_cells()), tokens, visible);
    EXPECT_TRUE(at::equal(drawn.visible, as_tensor(wanted.visible).view({-1, visible}))) << tokens;
    EXPECT_TRUE(at::equal(drawn.masked, as_tensor(wanted.masked).view({-1, tokens - visible}))) << tokens;
  }
}

TEST(DeviceRandom, DropoutKeepsWhatTheHostKeeps) {
  const DropoutKey key{9, 4, 3, as_tensor(some_cells())};
  for (const std::int64_t width : {1, 3, 4, 1001})
    for (const double p : {0.1, 0.9})
      EXPECT_TRUE(at::equal(dropout_scale(width, p, key, true), dropout_scale(width, p, key, false))) << width;
}

TEST(DeviceRandom, WideRowsAreDrawnInParts) {
  const std::int64_t width = std::int64_t{1} << 23;  // two rows at a time
  const DropoutKey key{9, 4, 3, at::tensor({3, 1, 8}, at::kLong)};
  EXPECT_TRUE(at::equal(dropout_scale(width, 0.5, key, true), dropout_scale(width, 0.5, key, false)));
}

}  // namespace
}  // namespace masksc

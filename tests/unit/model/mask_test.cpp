#include "masksc/model/mask.hpp"

#include <gtest/gtest.h>

#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/model/dropout.hpp"

namespace masksc {
namespace {

TEST(Mask, SplitsTheTokensAndIsUniform) {
  std::vector<std::int64_t> cells(4000);
  std::iota(cells.begin(), cells.end(), 0);
  const Masks masks = draw_masks(1, 0, cells, 16, 4);
  std::vector<int> counts(16, 0);
  for (std::size_t cell = 0; cell < cells.size(); ++cell) {
    std::vector<std::int64_t> all(masks.visible.begin() + static_cast<std::ptrdiff_t>(cell * 4),
                                  masks.visible.begin() + static_cast<std::ptrdiff_t>(cell * 4 + 4));
    for (const std::int64_t token : all) ++counts[static_cast<std::size_t>(token)];
    all.insert(all.end(), masks.masked.begin() + static_cast<std::ptrdiff_t>(cell * 12),
               masks.masked.begin() + static_cast<std::ptrdiff_t>(cell * 12 + 12));
    std::sort(all.begin(), all.end());
    for (std::int64_t token = 0; token < 16; ++token) ASSERT_EQ(all[static_cast<std::size_t>(token)], token);
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 130);
}

TEST(Mask, DependsOnSeedEpochAndCellOnly) {
  const std::vector<std::int64_t> cells = {5, 900, 17};
  const std::vector<std::int64_t> turned = {17, 5, 900};
  const Masks a = draw_masks(1, 3, cells, 16, 8);
  const Masks b = draw_masks(1, 3, turned, 16, 8);
  EXPECT_TRUE(std::equal(a.visible.begin(), a.visible.begin() + 8, b.visible.begin() + 8));  // cell 5
  EXPECT_NE(a.visible, draw_masks(1, 4, cells, 16, 8).visible);
  EXPECT_NE(a.visible, draw_masks(2, 3, cells, 16, 8).visible);
}

TEST(Mask, RefusesRatiosThatLeaveNothing) {
  EXPECT_EQ(visible_tokens(256, 0.75), 64);
  for (const double ratio : {0.0, 1.0, -0.5, 1.5, 0.99, 0.01})
    EXPECT_THROW(visible_tokens(16, ratio), UserError) << ratio;
}

TEST(Dropout, IsKeyedByCellNotByPlace) {
  const at::Tensor x = at::ones({3, 1000});
  const at::Tensor cells = at::tensor({4, 8, -1}, at::kLong);
  const at::Tensor turned = at::tensor({8, 4, -1}, at::kLong);
  const at::Tensor a = keyed_dropout(x, 0.9, {1, 2, 0, cells});
  const at::Tensor b = keyed_dropout(x, 0.9, {1, 2, 0, turned});
  EXPECT_TRUE(at::equal(a[0], b[1]));
  EXPECT_TRUE(at::equal(a[1], b[0]));
  EXPECT_FALSE(at::equal(a[0], a[1]));
  EXPECT_FALSE(at::equal(a, keyed_dropout(x, 0.9, {1, 3, 0, cells})));
  EXPECT_FALSE(at::equal(a, keyed_dropout(x, 0.9, {1, 2, 1, cells})));
  EXPECT_NEAR(a[0].count_nonzero().item<double>(), 100, 35);
  EXPECT_NEAR(a.max().item<double>(), 10, 1e-4);
  EXPECT_TRUE(at::equal(keyed_dropout(x, 0, {1, 2, 0, cells}), x));
}

}  // namespace
}  // namespace masksc

#include "masksc/preprocess/layout.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "masksc/core/error.hpp"
#include "message_of.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

void expect_shape(const PatchedShape& shape, std::int64_t rows, std::int64_t columns, std::int64_t patch) {
  EXPECT_EQ(shape.rows, rows);
  EXPECT_EQ(shape.columns, columns);
  EXPECT_EQ(shape.patch_rows, patch);
  EXPECT_EQ(shape.patch_columns, patch);
}

TEST(Shape, AutoIsTheLargestSquareThatGenesFillUpTo64) {
  expect_shape(choose_shape("auto", "4", 2000), 44, 44, 4);
  expect_shape(choose_shape("auto", "auto", 2000), 44, 44, 11);
  expect_shape(choose_shape("auto", "auto", 13488), 64, 64, 16);
  expect_shape(choose_shape("auto", "auto", 4095), 60, 60, 15);
  expect_shape(choose_shape("auto", "5", 2000), 40, 40, 5);
  expect_shape(choose_shape("auto", "auto", 16), 4, 4, 1);
  expect_shape(choose_shape("auto", "1", 2000), 44, 44, 1);
}

TEST(Shape, ExplicitSidesMayExceedTheGenes) {
  expect_shape(choose_shape("64x64", "auto", 2000), 64, 64, 16);
  expect_shape(choose_shape("100x100", "auto", 20000), 100, 100, 25);
  expect_shape(choose_shape("32x64", "auto", 3000), 32, 64, 8);
  expect_shape(choose_shape("6x9", "3", 9), 6, 9, 3);
}

TEST(Shape, SaysWhatDoesNotFit) {
  EXPECT_THAT(message_of([] { choose_shape("auto", "auto", 15); }), HasSubstr("15 usable genes"));
  EXPECT_THAT(message_of([] { choose_shape("auto", "50", 2400); }), HasSubstr("2400 usable genes"));
  EXPECT_THAT(message_of([] { choose_shape("auto", "80", 20000); }), HasSubstr("at most 64x64"));
  EXPECT_THAT(message_of([] { choose_shape("64x64", "auto", 255); }), HasSubstr("fewer than the 256"));
  EXPECT_THAT(message_of([] { choose_shape("64x60", "16", 9000); }), HasSubstr("--patch 16 does not divide"));
  EXPECT_THAT(message_of([] { choose_shape("50x50", "auto", 9000); }), HasSubstr("--patch auto"));
  EXPECT_THAT(message_of([] { choose_shape("8x64", "16", 9000); }), HasSubstr("does not divide"));
}

TEST(Shape, RefusesTextThatIsNoMatrixOrPatch) {
  for (const char* matrix : {"", "64", "64x", "x64", "64x64x64", "64X64", "0x4", "-4x4", "4.5x4", " 4x4", "1025x4",
                             "99999999999999999999x4", "auto "})
    EXPECT_THAT(message_of([&] { validate_shape(matrix, "auto"); }), HasSubstr("--matrix needs")) << matrix;
  for (const char* patch : {"", "0", "-1", "4x4", "4.0", "99999999999999999999"})
    EXPECT_THAT(message_of([&] { validate_shape("auto", patch); }), HasSubstr("--patch needs")) << patch;
  EXPECT_THROW(validate_shape("36x36", "16"), UserError);
  EXPECT_THROW(validate_shape("auto", "65"), UserError);
  EXPECT_NO_THROW(validate_shape("36x36", "auto"));
}

TEST(Layout, CutsRowsOfGenesIntoPatches) {
  const MatrixLayout layout = lay_out({4, 6, 2, 2}, 24);
  EXPECT_EQ(layout.tokens(), 6);
  EXPECT_THAT(std::vector(layout.slot_to_column.begin(), layout.slot_to_column.begin() + 8),
              ElementsAre(0, 1, 6, 7, 2, 3, 8, 9));
  EXPECT_THAT(std::vector(layout.slot_to_column.end() - 4, layout.slot_to_column.end()), ElementsAre(16, 17, 22, 23));
  auto sorted = layout.slot_to_column;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int32_t> all(24);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(sorted, all);
}

TEST(Layout, SequencesAreTheRowsOfTheMatrix) {
  const PatchedShape shape = choose_shape("3x5", "auto", 12, Tokens::sequences);
  EXPECT_EQ(shape.patch_rows, 1);
  EXPECT_EQ(shape.patch_columns, 5);
  const MatrixLayout layout = lay_out(shape, 12);
  EXPECT_EQ(layout.tokens(), 3);
  EXPECT_EQ(layout.patch_genes(), 5);
  EXPECT_THAT(layout.slot_to_column, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, -1, -1, -1));
  EXPECT_THAT(layout.token_has_genes, ElementsAre(1, 1, 1));
  EXPECT_EQ(choose_shape("auto", "auto", 2000, Tokens::sequences).patch_columns, 44);
  EXPECT_THAT(message_of([] { choose_shape("8x8", "4", 64, Tokens::sequences); }), HasSubstr("--tokens sequences"));
  EXPECT_THAT(message_of([] { choose_shape("8x8", "auto", 7, Tokens::sequences); }), HasSubstr("smaller --matrix"));
  EXPECT_THROW(validate_shape("8x8", "4", Tokens::sequences), UserError);
  EXPECT_NO_THROW(validate_shape("3x5", "auto", Tokens::sequences));
}

TEST(Layout, FlagsPatchesOfPaddingOnly) {
  const MatrixLayout layout = lay_out({4, 4, 2, 2}, 7);  // 0 1 2 3 / 4 5 6 . / two rows of padding
  EXPECT_THAT(layout.slot_to_column, ElementsAre(0, 1, 4, 5, 2, 3, 6, -1, -1, -1, -1, -1, -1, -1, -1, -1));
  EXPECT_THAT(layout.token_has_genes, ElementsAre(1, 1, 0, 0));
  EXPECT_THAT(lay_out({4, 4, 2, 2}, 9).token_has_genes, ElementsAre(1, 1, 1, 0));
  EXPECT_THAT(lay_out({2, 4, 2, 2}, 2).token_has_genes, ElementsAre(1, 0));
}

}  // namespace
}  // namespace masksc

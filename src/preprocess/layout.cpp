#include "masksc/preprocess/layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/number_of.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr std::int64_t kLargestAutoSide = 64;  // the paper's matrix
constexpr std::int64_t kLargestSide = 1024;

std::optional<std::int64_t> parse_side(std::string_view text) {
  const auto value = number_of<std::int64_t>(text);
  return value && *value >= 1 && *value <= kLargestSide ? value : std::nullopt;
}

/// (g, s), or nothing for "auto".
std::optional<std::pair<std::int64_t, std::int64_t>> parse_matrix(const std::string& text) {
  if (text == "auto") return {};
  const auto cross = text.find('x');
  const auto rows = parse_side(std::string_view(text).substr(0, cross));
  const auto columns = cross == std::string::npos ? std::nullopt : parse_side(std::string_view(text).substr(cross + 1));
  if (!rows || !columns)
    throw UserError(
        fmt::format("--matrix needs auto or two sides of 1 to {} such as 64x64, not '{}'", kLargestSide, shown(text)));
  return std::pair(*rows, *columns);
}

std::optional<std::int64_t> parse_patch(const std::string& text) {
  if (text == "auto") return {};
  const auto patch = parse_side(text);
  if (!patch)
    throw UserError(
        fmt::format("--patch needs auto or a whole number of 1 to {}, not '{}'", kLargestSide, shown(text)));
  return patch;
}

PatchedShape shape_of(std::int64_t rows, std::int64_t columns, std::optional<std::int64_t> patch) {
  const std::int64_t smaller = std::min(rows, columns);
  const std::int64_t side = patch.value_or(smaller / 4);
  if (!patch && (smaller % 4 != 0 || rows % side != 0 || columns % side != 0))
    throw UserError(
        fmt::format("--patch auto takes a quarter of the smaller side, which does not divide the matrix {}x{}; give "
                    "--patch a number that divides both sides",
                    rows, columns));
  if (rows % side != 0 || columns % side != 0)
    throw UserError(fmt::format("--patch {} does not divide both sides of the matrix {}x{}", side, rows, columns));
  return {rows, columns, side, side};
}

void refuse_patch_of_sequences(const std::string& patch, Tokens tokens) {
  if (tokens == Tokens::sequences && patch != "auto")
    throw UserError(
        fmt::format("--patch {} is for --tokens patches; the tokens of --tokens sequences are the rows of "
                    "--matrix: leave --patch out",
                    shown(patch)));
}

PatchedShape largest_square(std::int64_t genes, std::optional<std::int64_t> patch) {
  const std::int64_t step = patch.value_or(4);
  std::int64_t side = 0;
  while (side + step <= kLargestAutoSide && (side + step) * (side + step) <= genes) side += step;
  if (side > 0) return shape_of(side, side, patch);
  if (genes < step * step)
    throw UserError(fmt::format("{} usable genes are fewer than the {} of the smallest matrix, {}x{}{}", genes,
                                step * step, step, step,
                                patch ? "; give a smaller --patch" : "; give --matrix and --patch"));
  throw UserError(fmt::format("--matrix auto is at most {}x{}, too small for --patch {}; give --matrix GxS",
                              kLargestAutoSide, kLargestAutoSide, step));
}

}  // namespace

PatchedShape choose_shape(const std::string& matrix, const std::string& patch, std::int64_t genes, Tokens tokens) {
  const auto sides = parse_matrix(matrix);
  const auto side = parse_patch(patch);
  refuse_patch_of_sequences(patch, tokens);
  const bool sequences = tokens == Tokens::sequences;
  PatchedShape shape;
  if (!sides)
    shape = largest_square(genes, side);
  else if (!sequences)  // the rows of any matrix are sequences, whatever patches it has
    shape = shape_of(sides->first, sides->second, side);
  else
    shape = {sides->first, sides->second, 1, 1};
  if (sequences) shape = {shape.rows, shape.columns, 1, shape.columns};
  const std::int64_t patch_genes = shape.patch_rows * shape.patch_columns;
  if (genes < patch_genes)
    throw UserError(fmt::format("{} usable genes are fewer than the {} of one {}x{} patch; give a smaller {}", genes,
                                patch_genes, shape.patch_rows, shape.patch_columns,
                                sequences ? "--matrix" : "--patch"));
  return shape;
}

void validate_shape(const std::string& matrix, const std::string& patch, Tokens tokens) {
  const auto sides = parse_matrix(matrix);
  const auto side = parse_patch(patch);
  refuse_patch_of_sequences(patch, tokens);
  if (tokens == Tokens::sequences) return;
  if (sides) shape_of(sides->first, sides->second, side);
  if (!sides && side) largest_square(kLargestSide * kLargestSide, side);
}

MatrixLayout lay_out(const PatchedShape& shape, std::int64_t genes) {
  const std::int64_t high = shape.patch_rows;
  const std::int64_t wide = shape.patch_columns;
  MatrixLayout layout{shape.rows, shape.columns, high, wide, {}, {}};
  layout.slot_to_column.reserve(static_cast<std::size_t>(shape.rows * shape.columns));
  for (std::int64_t top = 0; top < shape.rows; top += high) {
    for (std::int64_t left = 0; left < shape.columns; left += wide) {
      for (std::int64_t row = top; row < top + high; ++row) {
        for (std::int64_t column = left; column < left + wide; ++column) {
          const std::int64_t gene = row * shape.columns + column;
          layout.slot_to_column.push_back(gene < genes ? static_cast<std::int32_t>(gene) : -1);
        }
      }
    }
  }
  mark_tokens(layout);
  return layout;
}

void mark_tokens(MatrixLayout& layout) {
  layout.token_has_genes.clear();
  const std::int64_t size = layout.patch_genes();
  for (std::int64_t token = 0; token < layout.tokens(); ++token) {
    const auto first = layout.slot_to_column.begin() + token * size;
    layout.token_has_genes.push_back(std::any_of(first, first + size, [](std::int32_t c) { return c >= 0; }) ? 1 : 0);
  }
}

std::vector<std::pair<std::int64_t, std::int64_t>> token_places(const MatrixLayout& layout) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  const std::int64_t across = layout.patches_across();
  for (std::int64_t token = 0; token < layout.tokens(); ++token)
    if (layout.token_has_genes[static_cast<std::size_t>(token)] != 0)
      places.emplace_back(token / across, token % across);
  return places;
}

}  // namespace masksc

// How the chosen genes of a cell lie as a g x s matrix that is cut into tokens: P x P patches, or its g rows.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace masksc {

/// What a token is: a square patch, or a whole row, one of the g sequences of s genes before patches are cut.
enum class Tokens { patches, sequences };

/// g x s matrix and the sides of its patches, which divide those of the matrix.
struct PatchedShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t patch_rows = 0;
  std::int64_t patch_columns = 0;
};

/// Where each gene goes. Genes fill the matrix row by row; what remains is padding.
struct MatrixLayout {
  std::int64_t rows = 0;                      // g
  std::int64_t columns = 0;                   // s
  std::int64_t patch_rows = 0;                // P
  std::int64_t patch_columns = 0;             // P
  std::vector<std::int32_t> slot_to_column;   // [tokens, P * P], patch-major: column of the expression, -1 is padding
  std::vector<std::uint8_t> token_has_genes;  // [tokens], 0 for patches that hold only padding

  /// P * P
  [[nodiscard]] std::int64_t patch_genes() const { return patch_rows * patch_columns; }
  /// Patches side by side.
  [[nodiscard]] std::int64_t patches_across() const { return columns / patch_columns; }
  [[nodiscard]] std::int64_t tokens() const { return rows / patch_rows * patches_across(); }
  /// Tokens that the model sees.
  [[nodiscard]] std::int64_t tokens_with_genes() const {
    return std::count(token_has_genes.begin(), token_has_genes.end(), std::uint8_t{1});
  }
};

/// The matrix for `genes` usable genes. `matrix` is "auto" (the largest square that the genes fill and P divides, at
/// most 64 x 64 as in the paper) or "GxS"; `patch` is "auto" (a quarter of the smaller side) or a number. The patches
/// of Tokens::sequences are 1 x s.
/// Throws UserError for text that is neither, a patch that does not divide the sides, a number of it for sequences, or
/// fewer genes than a patch.
PatchedShape choose_shape(const std::string& matrix, const std::string& patch, std::int64_t genes,
                          Tokens tokens = Tokens::patches);

/// Throws UserError for settings that no number of genes could satisfy.
void validate_shape(const std::string& matrix, const std::string& patch, Tokens tokens = Tokens::patches);

/// Sets token_has_genes by the slots.
void mark_tokens(MatrixLayout& layout);

/// Where in the grid of patches, by row and column, the tokens that hold genes are.
std::vector<std::pair<std::int64_t, std::int64_t>> token_places(const MatrixLayout& layout);

/// The first `genes` slots of the matrix (row by row) hold columns 0 .. genes-1, the others padding.
MatrixLayout lay_out(const PatchedShape& shape, std::int64_t genes);

}  // namespace masksc

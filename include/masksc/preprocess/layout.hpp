// How the chosen genes of a cell lie as a g x s matrix that is cut into P x P patches, one token each.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace masksc {

/// g x s matrix and the side P of its square patches; P divides both sides.
struct PatchedShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t patch = 0;
};

/// Where each gene goes. Genes fill the matrix row by row; what remains is padding.
struct MatrixLayout {
  std::int64_t rows = 0;                      // g
  std::int64_t columns = 0;                   // s
  std::int64_t patch = 0;                     // P
  std::vector<std::int32_t> slot_to_column;   // [tokens, P * P], patch-major: column of the expression, -1 is padding
  std::vector<std::uint8_t> token_has_genes;  // [tokens], 0 for patches that hold only padding

  [[nodiscard]] std::int64_t tokens() const { return (rows / patch) * (columns / patch); }
  /// Tokens that the model sees.
  [[nodiscard]] std::int64_t tokens_with_genes() const {
    return std::count(token_has_genes.begin(), token_has_genes.end(), std::uint8_t{1});
  }
};

/// The matrix for `genes` usable genes. `matrix` is "auto" (the largest square that the genes fill and P divides, at
/// most 64 x 64 as in the paper) or "GxS"; `patch` is "auto" (a quarter of the smaller side) or a number.
/// Throws UserError for text that is neither, a patch that does not divide the sides, or fewer genes than a patch.
PatchedShape choose_shape(const std::string& matrix, const std::string& patch, std::int64_t genes);

/// Throws UserError for settings that no number of genes could satisfy.
void validate_shape(const std::string& matrix, const std::string& patch);

/// The first `genes` slots of the matrix (row by row) hold columns 0 .. genes-1, the others padding.
MatrixLayout lay_out(const PatchedShape& shape, std::int64_t genes);

}  // namespace masksc

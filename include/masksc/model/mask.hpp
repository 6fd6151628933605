// Random masks (Eq. 4): which tokens of a cell stay visible, a pure function of (seed, epoch, global cell).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace masksc {

/// Visible tokens U = round((1 - mask_ratio) G). Throws UserError when that leaves no visible or no masked token.
std::int64_t visible_tokens(std::int64_t tokens, double mask_ratio);

/// Token indices, ascending, of the visible [rows, U] and masked [rows, M] tokens of each cell.
struct Masks {
  std::vector<std::int64_t> visible;
  std::vector<std::int64_t> masked;
};

/// Draws the masks of `cells` (-1, a padding row, is drawn as cell 0). The visible tokens are those of the U smallest
/// 64-bit keys; a key is a Philox draw with the token's index in its low 16 bits, so there are no ties.
Masks draw_masks(std::uint64_t seed, std::uint32_t epoch, std::span<const std::int64_t> cells, std::int64_t tokens,
                 std::int64_t visible);

}  // namespace masksc

// A tile of cells: rows whose place in it does not depend on the number of ranks.
#pragma once

#include "masksc/core/types.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// Always the same number of rows, of which the `rows.size()` from `first_used` on belong to global rows `rows`; the
/// others are zero.
struct Tile {
  at::Tensor patches;  // [tile, G, P*P]
  std::int64_t first_used = 0;
  RowRange rows;
  int thread = 0;  // of several that work on tiles at the same time
};

}  // namespace masksc

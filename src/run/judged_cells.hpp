// The cells by which a run decides how it goes on (guidance, standardisation), in their principal components.
#pragma once

#include <cstdint>

#include "masksc/embed/components.hpp"
#include "masksc/metrics/dealt_rows.hpp"

namespace masksc {

/// The first components, in which groups of cells are looked for.
inline constexpr std::int64_t kJudgedComponents = 20;

/// The first kJudgedComponents of at most kJudgedCells cells, drawn by seed.
DealtSample judged_components(const CellComponents& components, const Expression& expression, std::uint64_t seed);

}  // namespace masksc

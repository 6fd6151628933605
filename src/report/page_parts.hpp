// The parts that page_of_run puts together; each adds its own keys.
#pragma once

#include "masksc/report/page.hpp"

namespace masksc::detail {

/// cells (those shown), all_cells, maps, columns, genes, confusion, batches, silhouettes, markers, dots
void add_cells(Json& page, const RunContent& run, const PageSettings& settings);

/// summary, training, attention, configuration, command
void add_course(Json& page, const RunContent& run);

}  // namespace masksc::detail

// Known cells whose labels new ones get: --reference of masksc_embed.
#pragma once

#include <string>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/run/embed_new.hpp"
#include "outputs.hpp"

namespace masksc {

/// That the reference's cells were embedded by the model of these `weights`, whose features come from `features`, and
/// have labels, which it returns. Throws UserError.
Labels check_reference(const EmbedOptions& options, const std::string& weights, const std::string& features);

/// Labels of the reference for all cells, on rank 0; `metrics` gets how many are new, and where the cells have labels
/// of their `own`, how many agree. Nothing without --reference. A collective.
ResultExtras transfer(const EmbedOptions& options, const DenseMatrix& embedding, const std::string& weights,
                      const std::string& features, const Labels& own, Json& metrics, Collectives& ranks);

}  // namespace masksc

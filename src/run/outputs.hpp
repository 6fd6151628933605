// What a run leaves for its users: result.h5ad.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/metrics/dealt_rows.hpp"
#include "masksc/report/maps.hpp"
#include "masksc/run/stages.hpp"

namespace masksc {

/// Hash of the embedding of all cells, in global order; on rank 0. A collective.
std::string embedding_hash(const DealtRows& embedding, Collectives& ranks);

/// What else a result holds, for all cells, on rank 0.
struct ResultExtras {
  std::optional<CellMaps> maps;                                          // obsm['X_masksc_tsne'], obsm['X_masksc_umap']
  std::vector<std::pair<std::string, Labels>> categories;                // columns of obs
  std::vector<std::pair<std::string, std::vector<double>>> numbers;      // likewise
  std::vector<std::pair<std::string, std::vector<std::uint8_t>>> flags;  // likewise, true or false
};

/// obs['masksc'], obsm['X_masksc'], obsm['X_masksc_pca'], uns['masksc'], var['masksc'] (genes used), var['gene_ids'],
/// the label column, names and counts (X), the extras and what --keep-input kept; streamed in blocks to rank 0. A
/// collective. Throws EnvironmentError on all ranks; an older file stays as it was.
void write_result(const std::filesystem::path& path, const RunInput& input, const DenseMatrix& embedding,
                  const ClusterOutcome& outcome, const ResultExtras& extras, const Json& metrics,
                  const std::string& configuration, Collectives& ranks);

}  // namespace masksc

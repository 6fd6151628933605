// Everything that a report shows of a finished run, as plain values, and how it is read from the run's folder.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/report/maps.hpp"

namespace masksc {

/// One cell's input and what the global token of the encoder's last block attends to (Fig. 6 of the paper).
struct AttendedCell {
  std::int64_t cell = 0;
  std::int32_t cluster = 0;
  std::vector<float> matrix;     // [rows, columns] as the model sees it; 0 in padding
  std::vector<float> attention;  // [patches of the grid], mean over heads; 0 where a patch holds no gene
};
struct AttentionGrid {
  std::int64_t rows = 0, columns = 0;
  std::int64_t patch_rows = 0, patch_columns = 0;
  std::vector<std::string> genes;  // [rows, columns]; "" is padding
  std::vector<AttendedCell> cells;
};

struct RunContent {
  std::filesystem::path folder;
  Json metrics;                     // metrics.json
  std::string configuration;        // config.ini
  std::vector<Json> log;            // lines of log.jsonl
  std::string model;                // folder of the model of masksc_embed; "": model/ in the run's own
  std::vector<std::string> inputs;  // the files of counts, with absolute paths
  std::string labels;               // the label column
  std::string batches;              // the column of batches; ""
  std::string sequence_model;       // the folder that stage 1 came from; ""
  std::string reference;            // of masksc_embed, the cells whose labels were transferred; ""
  std::int64_t all_cells = 0;       // of the run; what follows is of the `shown` ones
  std::vector<std::int64_t> shown;  // ascending; all of them up to most_mapped_cells, else a sample
  std::vector<std::string> cells, genes;
  std::vector<std::string> gene_ids;  // var['gene_ids'], or empty
  CsrMatrix counts;                   // [cells, genes]
  Labels clusters;                    // obs['masksc']
  std::vector<ObsColumn> columns;     // obs, the clusters first
  std::string clusters_of;            // the file of other clusters than the run's; ""
  DenseMatrix features;               // obsm['X_masksc']
  DenseMatrix components;             // obsm['X_masksc_pca']; no columns where the file has none
  std::optional<CellMaps> maps;       // those of result.h5ad, where it has any
  std::optional<AttentionGrid> attention;
};

/// Clusters that masksc_cluster made of a run's result.h5ad.
struct OtherClusters {
  std::filesystem::path file;
  std::string column;  // "": the only ones there
};

/// Throws UserError when the folder holds no finished run, or one that is damaged. With `other`, those clusters and
/// their scores are in the place of the run's own, which stay a column; throws UserError when they are of another run.
RunContent read_run(const std::filesystem::path& folder, const std::optional<OtherClusters>& other = std::nullopt);

}  // namespace masksc

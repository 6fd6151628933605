// Figures for papers from our own results, drawn as SVG text: bars of methods (the paper's Fig. 1), maps of cells
// (Fig. 4), attention (Fig. 6). The curves of sweeps (Fig. 5) are masksc/study/sweep_report.hpp's.
#pragma once

#include <string>
#include <vector>

#include "masksc/core/json.hpp"
#include "masksc/core/types.hpp"
#include "masksc/report/run_content.hpp"

namespace masksc {

/// ARI and NMI of each method with the standard deviation over its seeds: `methods` of comparison.json. "" without
/// labels.
std::string bars_figure(const Json& methods);

/// One map of a figure.
struct CellsPanel {
  std::string title;
  DenseMatrix points;                     // [cells, 2]
  Labels colours;                         // one code a cell; -1 is grey
  std::vector<std::int32_t> places = {};  // of each name among the colours; empty: the names' order
};
/// Places for `clusters` so that each has the colour of the commonest category of `labels` among its cells; of two
/// clusters of one category the one with more of its cells has it, the other a colour that no category has.
std::vector<std::int32_t> matching_places(const Labels& clusters, const Labels& labels);

/// Panels side by side, at most four in a row; those that follow each other with the same names and places share a
/// legend. Of more
/// than 10,000 cells a sample is drawn, and said so.
std::string cells_figure(const std::vector<CellsPanel>& panels);

/// A row a cluster: the expression matrix of its typical cells, and under each what the model attends to in it.
std::string attention_figure(const AttentionGrid& attention, const std::vector<std::string>& clusters);

}  // namespace masksc

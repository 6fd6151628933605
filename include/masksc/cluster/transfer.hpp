// Labels of known cells carried over to new ones that are embedded in the same space.
#pragma once

#include <cstdint>
#include <vector>

#include "masksc/core/types.hpp"

namespace masksc {

/// What is known: features [n, D] and a label each, -1 where it is missing.
struct ReferenceCells {
  DenseMatrix features;
  Labels labels;
};

struct LabelTransfer {
  Labels labels;                    // names of the reference; -1 where no neighbour has a label
  std::vector<double> confidence;   // share of all neighbours that have the label, in (0, 1]; 0 where none has one
  std::vector<double> distance;     // mean Euclidean distance to the neighbours
  std::vector<std::uint8_t> novel;  // 1: farther from its neighbours than 99 % of the reference's own cells are
  double novel_beyond = 0;          // that distance
};

/// The label that most of the `neighbours` nearest reference cells have (of equals the one whose first holder is
/// nearer). The limit of novelty is taken from at most 10,000 reference cells, drawn by seed 0. Up to `threads`
/// threads; the same for any number of them. Throws UserError when the columns differ or the reference has fewer than 2
/// cells.
LabelTransfer transfer_labels(const DenseMatrix& cells, const ReferenceCells& reference, std::int64_t neighbours,
                              int threads);

}  // namespace masksc

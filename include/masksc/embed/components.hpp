// Principal components of the cells' expression, as a run knows them: obsm['X_masksc_pca'] of its result.
//
// What a network makes of the cells can show clusters that are none: its features spread or gather cells as it learnt
// to. The silhouette of the clusters in the components (silhouette_pca) is the same question asked of the data.
#pragma once

#include <cstdint>

#include "masksc/core/types.hpp"
#include "masksc/dist/collectives.hpp"
#include "masksc/model/torch.hpp"
#include "masksc/preprocess/expression.hpp"

namespace masksc {

/// As many as scanpy takes; fewer where there are fewer genes.
inline constexpr std::int64_t kCellComponents = 50;

struct CellComponents {
  at::Tensor loadings;  // [slots of the matrix, 50] on the device; see ComponentAxes
  DenseMatrix scores;   // [local cells, 50] coordinates of this rank's cells, centred, not whitened, by variance
};

/// The first principal components of the values that the model sees (standardised genes); their directions are those of
/// all cells, or of 65,536 where there are more. The same bits on any number of ranks. A collective.
CellComponents cell_components(const Expression& expression, at::Device device, Collectives& ranks);

}  // namespace masksc

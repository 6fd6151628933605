// Names of what mask-sc writes into obsm of a result.h5ad.
#pragma once

namespace masksc {

inline constexpr const char* features_name = "X_masksc";        // the embedding [cells, D]
inline constexpr const char* components_name = "X_masksc_pca";  // principal components of expression [cells, 50]
inline constexpr const char* tsne_name = "X_masksc_tsne";       // maps [cells, 2]
inline constexpr const char* umap_name = "X_masksc_umap";

}  // namespace masksc

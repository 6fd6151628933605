// Names of what mask-sc writes into a result.h5ad.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace masksc {

// In obsm.
inline constexpr const char* features_name = "X_masksc";        // the embedding [cells, D]
inline constexpr const char* components_name = "X_masksc_pca";  // principal components of expression [cells, 50]
inline constexpr const char* tsne_name = "X_masksc_tsne";       // maps [cells, 2]
inline constexpr const char* umap_name = "X_masksc_umap";

// In obs.
inline constexpr const char* clusters_name = "masksc";  // the cluster of each cell
// In obs, what masksc_embed carries over from a reference.
inline constexpr const char* transferred_label_name = "masksc_label";
inline constexpr const char* transfer_confidence_name = "masksc_confidence";
inline constexpr const char* transfer_distance_name = "masksc_distance";
inline constexpr const char* transfer_novel_name = "masksc_novel";
/// Whether a column is one of those that masksc_embed carries over.
inline bool is_transferred(std::string_view column) {
  constexpr std::array<std::string_view, 4> names = {transferred_label_name, transfer_confidence_name,
                                                     transfer_distance_name, transfer_novel_name};
  return std::find(names.begin(), names.end(), column) != names.end();
}

// In var (which genes the model saw) and uns (configuration and metrics).
inline constexpr const char* used_genes_name = "masksc";
inline constexpr const char* run_name = "masksc";
inline constexpr const char* weights_key = "uns/masksc/metrics/weights_hash";  // of the model that embedded the cells
inline constexpr const char* embedding_key = "uns/masksc/metrics/embedding_hash";  // of these cells'
inline constexpr const char* features_key = "uns/masksc/metrics/features_from";    // one of these:
inline constexpr const char* features_from_tokens = "tokens";          // X_masksc is the mean of the encoded patches
inline constexpr const char* features_from_components = "components";  // what that mean predicts of the components
inline constexpr const char* guided_key = "uns/masksc/metrics/guided_by";  // of a training: X_masksc_pca are these

}  // namespace masksc

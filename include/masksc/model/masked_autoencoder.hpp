// Masked expression modelling (stage 2): encoder on the global and the visible tokens, sequence-guided decoder on all
// (or, by --decoder cross, on the global and the masked ones).
//
// Shapes: B cells, G tokens (patches that hold genes), U visible, M = G - U masked, P*P genes a patch, D features,
// T target features, H heads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "masksc/model/block.hpp"
#include "masksc/model/dropout.hpp"
#include "masksc/model/parameters.hpp"
#include "masksc/model/settings.hpp"

namespace masksc {

/// All that fixes the shapes of the parameters.
struct AutoencoderShape {
  std::int64_t patch_genes = 0;                                     // P*P
  std::vector<std::pair<std::int64_t, std::int64_t>> token_places;  // [G] row and column in the grid of patches
  std::int64_t target_features = 0;                                 // T
  std::int64_t teacher_features = 0;  // whole-cell features to predict; 0 without guidance
  bool predicted_features = false;    // a cell's features are what its tokens' mean predicts of the whole cell
  ModelSettings model;

  [[nodiscard]] std::int64_t tokens() const { return static_cast<std::int64_t>(token_places.size()); }
  /// Features of a cell, F.
  [[nodiscard]] std::int64_t cell_features() const { return predicted_features ? teacher_features : model.dim; }
};

class MaskedAutoencoder {
 public:
  MaskedAutoencoder(AutoencoderShape shape, std::uint64_t seed, at::Device device);

  struct Output {
    at::Tensor encoded;      // [B, 1 + U, D] global token first
    at::Tensor predictions;  // [B, M, T] for the masked patches (Eq. 5), float32
    at::Tensor global;       // [B, D] the decoder's global token
  };

  /// Input matrix embeddings (Eq. 2) and encoder. patches [B, G, P*P]; keep [B, U] visible tokens (int64), or undefined
  /// for all G. Returns [B, 1 + U, D]. `key` turns on --dropout.
  [[nodiscard]] at::Tensor encode(const at::Tensor& patches, const at::Tensor& keep,
                                  const std::optional<DropoutKey>& key = std::nullopt) const;
  /// encode, then the decoder: decode_all (Eq. 5) or decode_masked, by --decoder.
  [[nodiscard]] Output forward(const at::Tensor& patches, const at::Tensor& keep, const at::Tensor& masked,
                               const std::optional<DropoutKey>& key = std::nullopt) const;
  /// Whole-cell prediction [B, teacher_features] from the mean of the encoded patch tokens or the decoder's global
  /// token; float32.
  [[nodiscard]] at::Tensor predict_teacher(const Output& output, GuidanceToken token) const;
  /// Features of whole cells [B, F], float32: the mean of the encoded patch tokens or, where components alone guide the
  /// training by that mean (shape().predicted_features), what it predicts of these.
  [[nodiscard]] at::Tensor features(const at::Tensor& patches) const;
  /// Attention weights of the encoder's last block over all tokens, [B, H, 1 + G, 1 + G] (Fig. 6).
  [[nodiscard]] at::Tensor last_attention(const at::Tensor& patches) const;

  void set_recompute(Recompute recompute) { recompute_ = recompute; }

  [[nodiscard]] const AutoencoderShape& shape() const { return shape_; }
  [[nodiscard]] FlatParameters& parameters() { return parameters_; }
  [[nodiscard]] const FlatParameters& parameters() const { return parameters_; }

 private:
  // Decoders, from `asking` [B, 1 + M, D], the global token and the masked ones, and `visible` [B, U, D], the bridged
  // tokens, both with their positions. They compute [B, 1 + M, D].
  /// The paper's. Its last block computes what is asked for only: nobody reads the others.
  [[nodiscard]] at::Tensor decode_all(const at::Tensor& asking, const at::Tensor& visible,
                                      const std::optional<DropoutKey>& key) const;
  /// --decoder cross, beyond the paper (CrossMAE, Fu et al. 2024): the asking tokens attend to the global and the
  /// visible ones, and not to each other. The parameters are those of decode_all.
  [[nodiscard]] at::Tensor decode_masked(const at::Tensor& asking, const at::Tensor& visible,
                                         const std::optional<DropoutKey>& key) const;
  [[nodiscard]] BranchDropout decoder_dropout(const std::optional<DropoutKey>& key, std::int64_t i) const;
  [[nodiscard]] at::Tensor embed(const at::Tensor& patches, const at::Tensor& keep) const;

  /// The position embeddings `name`, [1, G, D].
  [[nodiscard]] at::Tensor positions(const std::string& name) const;

  AutoencoderShape shape_;
  FlatParameters parameters_;
  Recompute recompute_;
  at::Tensor sincos_;  // [1, G, D]; undefined when positions are learned
};

}  // namespace masksc

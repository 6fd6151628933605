// What trained networks make of whole cells, without a mask. Above all the features (MaskedAutoencoder::features), each
// cell once.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/tile.hpp"

namespace masksc {

/// The features of this rank's cells as far as they are known.
struct EmbeddingProgress {
  EmbeddingProgress(std::int64_t rows, std::int64_t dim)
      : values(rows, dim), done(static_cast<std::size_t>(rows), std::uint8_t{0}) {}
  DenseMatrix values;              // [local cells, D]
  std::vector<std::uint8_t> done;  // [local cells] 1 where the features are there
};

/// Fills in the features that are missing, in rounds of `threads` tiles at the same time (the same number on all ranks;
/// LibTorch's own threads should be 1 when it is above 1). `after_round(rows done)` is called equally often on every
/// one of `world_size` ranks, so it may hold collectives. Not a collective itself.
void embed_cells(const MaskedAutoencoder& model, const Expression& expression, const Densifier& densifier,
                 at::Device device, EmbeddingProgress& progress, int world_size,
                 const std::function<void(std::int64_t done)>& after_round = {}, int threads = 1);

/// The frozen encoder's answers to cells `mine` of this rank (global, ascending), of length 1: [mine, outputs].
DenseMatrix sequence_answers(const SequenceEncoder& whole, const ForEachTile& for_each_tile,
                             std::span<const std::int64_t> mine);

/// What the encoder's global token attends to in its last block, mean over heads: a weight for each of the G patches of
/// `cell` [G * P*P].
std::vector<float> global_attention(const MaskedAutoencoder& model, const std::vector<float>& cell);

}  // namespace masksc

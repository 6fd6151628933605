// A training pass of the sequence encoder over this rank's virtual shards, for --deterministic: the same loss, to
// rounding, as SequenceEncoder::train_forward and autograd, but in steps whose bits depend on a shard alone.
//
// Every product has the rows of one shard and runs on one thread; shards are spread over threads. What goes through all
// cells (batch norm's statistics, its gradients, the sums of the weights' gradients) is added up by a binary tree over
// the shards of all ranks. Shapes: n padded rows of a shard, g groups.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/model/sequence_encoder.hpp"

namespace masksc {

/// Two dropout views of a shard's cells.
struct SequenceShard {
  std::array<at::Tensor, 2> views;  // [n, g * inputs]
  at::Tensor weights;               // [n] 1 or 0 for padding
};

class ShardedSequencePass {
 public:
  /// `count`: cells of the global batch. LibTorch's own threads should be 1.
  ShardedSequencePass(SequenceEncoder& encoder, const std::vector<SequenceShard>& shards, std::int64_t count,
                      int threads, Collectives& ranks);

  /// Answers [g, n, outputs] to each view of each shard; moves the running statistics, view by view. A collective.
  [[nodiscard]] std::vector<std::array<at::Tensor, 2>> forward();
  /// Fills the encoder's gradients, summed over all ranks, from those of the answers. A collective.
  void backward(const std::vector<std::array<at::Tensor, 2>>& gradients);

 private:
  static constexpr std::size_t layers = 3;
  /// What the backward pass needs of one view of a shard.
  struct View {
    std::array<at::Tensor, layers> input;  // [g, n, in] of each linear layer
    std::array<at::Tensor, layers - 1> normalised;
    at::Tensor hidden;    // a layer's product
    at::Tensor gradient;  // of the latest hidden or answer
  };
  struct Shard {
    std::array<View, 2> views;
    at::Tensor weights;    // [1, n, 1]
    at::Tensor gradients;  // [parameters]
  };
  struct Norm {
    at::Tensor mean;   // [2 views, g, 1, c]
    at::Tensor scale;  // 1 / deviation
  };

  void for_each_view(const std::function<void(Shard& shard, std::size_t view)>& work);
  at::Tensor sum_over_shards(const std::function<at::Tensor(Shard& shard, std::size_t view)>& term);
  void normalise(std::size_t layer);
  at::Tensor backward_linear(std::size_t layer, Shard& shard, std::size_t view) const;
  [[nodiscard]] at::Tensor value(const std::string& name) const;
  void add_gradient(Shard& shard, const std::string& name, const at::Tensor& gradient) const;

  SequenceEncoder& encoder_;
  std::int64_t count_;
  int threads_;
  Collectives& ranks_;
  std::vector<Shard> shards_;
  std::array<Norm, layers - 1> norms_;
};

}  // namespace masksc

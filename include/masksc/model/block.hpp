// A pre-norm transformer block: x + attention(norm(x)), then x + MLP(norm(x)).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "masksc/model/parameters.hpp"

namespace masksc {

/// The parameters of block `name`, dimension D.
void add_block(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t dim);

/// Applied to each residual branch; the second argument tells attention (0) from MLP (1).
using BranchDropout = std::function<at::Tensor(const at::Tensor&, int)>;

/// x [B, T, D] -> [B, T, D]. With `queries` K only the first K tokens are computed, from all T: -> [B, K, D].
at::Tensor apply_block(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                       const at::Tensor& x, const BranchDropout& dropout = {},
                       std::optional<std::int64_t> queries = std::nullopt);

/// The block as cross-attention, with the same parameters (CrossMAE: Fu et al. 2024, "Rethinking Patch Dependence for
/// Masked Autoencoders"): x [B, K, D] asks, `memory` [B, T, D] answers and is not changed, -> [B, K, D].
///   x + attention(queries of norm1(x), keys and values of norm1(memory)), then x + MLP(norm2(x))
/// norm1 serves both sides, as in the plain block: positions are added to the memory after the encoder's norm.
/// (CrossMAE adds none there, and norms the queries alone.) The first D rows of the qkv layer make queries, the others
/// keys and values.
at::Tensor apply_cross_block(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                             const at::Tensor& x, const at::Tensor& memory, const BranchDropout& dropout = {});

/// Attention weights of the block, softmax(Q K^T / sqrt(D / H)), [B, H, T, T].
at::Tensor block_attention(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                           const at::Tensor& x);

/// Tokens by index: x [B, T, D], index [B, K] -> [B, K, D].
at::Tensor take_tokens(const at::Tensor& x, const at::Tensor& index);

/// The same of tokens that all cells share: places [1, T, D], index [B, K] -> [B, K, D]. Many of them on a GPU as an
/// embedding, whose gradient adds up in fp32 in sorted order and is as large as the places; for few, and on a CPU, an
/// embedding's bf16 gradients would add up in bf16.
at::Tensor take_places(const at::Tensor& places, const at::Tensor& index);

/// Layer norm and linear layer by name.
at::Tensor apply_norm(const FlatParameters& parameters, const std::string& name, const at::Tensor& x);
at::Tensor apply_linear(const FlatParameters& parameters, const std::string& name, const at::Tensor& x);

}  // namespace masksc

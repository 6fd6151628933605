#include "masksc/model/block.hpp"

#include "masksc/model/attention.hpp"
#include "masksc/model/products.hpp"

namespace masksc {
namespace {

at::Tensor first_tokens(const at::Tensor& x, std::int64_t count) { return x.narrow(1, 0, count).contiguous(); }

/// Queries [B, H, K, D / H] of `asking` [B, K, D]; keys and values [B, H, T, D / H] of `answering` [B, T, D], both
/// normed.
std::vector<at::Tensor> cross_heads(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                                    const at::Tensor& asking, const at::Tensor& answering) {
  const std::int64_t dim = asking.size(2);
  const auto weights = at::split_with_sizes(parameters.at(name + ".qkv.weight"), {dim, 2 * dim});
  const auto biases = at::split_with_sizes(parameters.at(name + ".qkv.bias"), {dim, 2 * dim});
  std::vector<at::Tensor> qkv = split_heads(affine(asking, weights[0], biases[0]), 1, heads);
  for (const at::Tensor& t : split_heads(affine(answering, weights[1], biases[1]), 2, heads)) qkv.push_back(t);
  return qkv;
}

/// The rest of a block: projection of `attended` [B, H, K, D / H] and MLP on the residual stream of the queries.
at::Tensor finish_block(const FlatParameters& parameters, const std::string& name, const at::Tensor& attended,
                        const at::Tensor& residual, const BranchDropout& dropout) {
  at::Tensor branch = attended.transpose(1, 2).reshape(residual.sizes());
  branch = apply_linear(parameters, name + ".proj", branch);
  const at::Tensor between = residual + (dropout ? dropout(branch, 0) : branch);
  branch = apply_linear(parameters, name + ".fc1", apply_norm(parameters, name + ".norm2", between));
  branch = apply_linear(parameters, name + ".fc2", at::gelu(branch));
  return between + (dropout ? dropout(branch, 1) : branch);
}

}  // namespace

void add_block(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t dim) {
  add_norm(specs, name + ".norm1", dim);
  add_linear(specs, name + ".qkv", dim, 3 * dim);
  add_linear(specs, name + ".proj", dim, dim);
  add_norm(specs, name + ".norm2", dim);
  add_linear(specs, name + ".fc1", dim, 4 * dim);
  add_linear(specs, name + ".fc2", 4 * dim, dim);
}

at::Tensor take_tokens(const at::Tensor& x, const at::Tensor& index) {
  return at::gather(x, 1, index.unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

at::Tensor take_places(const at::Tensor& places, const at::Tensor& index) {
  constexpr std::int64_t sorted_beyond = 3072;  // indices: LibTorch's backward kernel for fewer adds up in their type
  if (places.is_cpu() || index.numel() <= sorted_beyond)
    return take_tokens(places.expand({index.size(0), -1, -1}), index);
  return at::embedding(places.squeeze(0), index);
}

at::Tensor apply_norm(const FlatParameters& parameters, const std::string& name, const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
}

at::Tensor apply_linear(const FlatParameters& parameters, const std::string& name, const at::Tensor& x) {
  return affine(x, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
}

at::Tensor apply_block(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                       const at::Tensor& x, const BranchDropout& dropout, std::optional<std::int64_t> queries) {
  const at::Tensor normed = apply_norm(parameters, name + ".norm1", x);
  if (!queries) {
    const at::Tensor packed = apply_linear(parameters, name + ".qkv", normed);
    return finish_block(parameters, name, self_attention(packed, heads), x, dropout);
  }
  const std::vector<at::Tensor> qkv = cross_heads(parameters, name, heads, first_tokens(normed, *queries), normed);
  return finish_block(parameters, name, attention(qkv[0], qkv[1], qkv[2]), first_tokens(x, *queries), dropout);
}

at::Tensor apply_cross_block(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                             const at::Tensor& x, const at::Tensor& memory, const BranchDropout& dropout) {
  const std::string norm = name + ".norm1";
  const std::vector<at::Tensor> qkv =
      cross_heads(parameters, name, heads, apply_norm(parameters, norm, x), apply_norm(parameters, norm, memory));
  return finish_block(parameters, name, attention(qkv[0], qkv[1], qkv[2]), x, dropout);
}

at::Tensor block_attention(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                           const at::Tensor& x) {
  const at::Tensor normed = apply_norm(parameters, name + ".norm1", x);
  const std::vector<at::Tensor> qkv = split_heads(apply_linear(parameters, name + ".qkv", normed), 3, heads);
  return attention_weights(qkv[0], qkv[1]);
}

}  // namespace masksc

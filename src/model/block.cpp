#include "masksc/model/block.hpp"

#include <cmath>
#include <tuple>

namespace masksc {
namespace {

/// Queries, keys and values, each [B, H, T, D / H].
std::tuple<at::Tensor, at::Tensor, at::Tensor> heads_of(const FlatParameters& parameters, const std::string& name,
                                                        std::int64_t heads, const at::Tensor& x) {
  const at::Tensor qkv = apply_linear(parameters, name + ".qkv", apply_norm(parameters, name + ".norm1", x))
                             .view({x.size(0), x.size(1), 3, heads, x.size(2) / heads})
                             .permute({2, 0, 3, 1, 4});
  return {qkv.select(0, 0), qkv.select(0, 1), qkv.select(0, 2)};
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

at::Tensor apply_norm(const FlatParameters& parameters, const std::string& name, const at::Tensor& x) {
  return at::layer_norm(x, {x.size(-1)}, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
}

at::Tensor apply_linear(const FlatParameters& parameters, const std::string& name, const at::Tensor& x) {
  return at::linear(x, parameters.at(name + ".weight"), parameters.at(name + ".bias"));
}

at::Tensor apply_block(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                       const at::Tensor& x, const BranchDropout& dropout) {
  const auto [q, k, v] = heads_of(parameters, name, heads, x);
  at::Tensor branch = at::scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.sizes());
  branch = apply_linear(parameters, name + ".proj", branch);
  const at::Tensor attended = x + (dropout ? dropout(branch, 0) : branch);
  branch = apply_linear(parameters, name + ".fc1", apply_norm(parameters, name + ".norm2", attended));
  branch = apply_linear(parameters, name + ".fc2", at::gelu(branch));
  return attended + (dropout ? dropout(branch, 1) : branch);
}

at::Tensor block_attention(const FlatParameters& parameters, const std::string& name, std::int64_t heads,
                           const at::Tensor& x) {
  const auto [q, k, v] = heads_of(parameters, name, heads, x);
  const double scale = 1 / std::sqrt(static_cast<double>(x.size(2) / heads));
  return at::softmax(at::matmul(q, k.transpose(-2, -1)) * scale, -1);
}

}  // namespace masksc

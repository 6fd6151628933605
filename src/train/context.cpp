#include "masksc/train/context.hpp"

namespace masksc {
namespace {

/// Copies, so that the tensor does not depend on the vector.
at::Tensor copied(const void* data, at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  return at::from_blob(const_cast<void*>(data), shape, at::TensorOptions(type)).clone().to(device);
}

}  // namespace

at::Tensor to_patches(const std::vector<float>& values, std::int64_t rows, std::int64_t patch_genes,
                      at::Device device) {
  const std::int64_t tokens = static_cast<std::int64_t>(values.size()) / (rows * patch_genes);
  return copied(values.data(), {rows, tokens, patch_genes}, at::kFloat, device);
}

at::Tensor to_tensor(const std::vector<float>& values, at::Device device) {
  return copied(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat, device);
}

at::Tensor to_tensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape, at::Device device) {
  return copied(values.data(), shape, at::kLong, device);
}

}  // namespace masksc

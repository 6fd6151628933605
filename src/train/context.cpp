#include "masksc/train/context.hpp"

#include <cstring>

#include "masksc/core/log.hpp"

namespace masksc {

void TrainContext::warn(const std::string& stage, std::int64_t step, const std::string& message) const {
  log.event(stage, "warning", step, {{"message", message}});
  if (ranks.is_root()) log::warning("{}", message);
}
namespace {

/// Copies, so that the tensor does not depend on the vector. To a GPU the host does not wait for: LibTorch keeps pinned
/// memory until it has been read.
at::Tensor copied(const void* data, at::IntArrayRef shape, at::ScalarType type, at::Device device) {
  at::Tensor host = at::empty(shape, at::TensorOptions(type).pinned_memory(device.is_cuda()));
  if (host.numel() > 0) std::memcpy(host.data_ptr(), data, host.nbytes());
  return host.to(device, /*non_blocking=*/true);
}

}  // namespace

LoaderSettings loader_settings(const TrainContext& context, int parts) {
  return {.parts = parts,
          .shuffle = context.shuffle,
          .values = context.resident == nullptr,
          .ahead = context.resident == nullptr && context.device.is_cuda()};
}

at::Tensor dense_rows(const Batch& batch, const TrainContext& context) {
  if (context.resident != nullptr) return context.resident->rows(batch.cells);
  return to_tensor(batch.values, context.device).view({batch.rows, -1});
}

at::Tensor to_tensor(const std::vector<float>& values, at::Device device) {
  return copied(values.data(), {static_cast<std::int64_t>(values.size())}, at::kFloat, device);
}

at::Tensor to_tensor(const std::vector<std::int64_t>& values, at::IntArrayRef shape, at::Device device) {
  return copied(values.data(), shape, at::kLong, device);
}

}  // namespace masksc

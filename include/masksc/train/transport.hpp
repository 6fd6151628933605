// How flat tensors travel between ranks: through host memory (MPI, threads), or from GPU to GPU (NCCL).
#pragma once

#include <functional>
#include <memory>

#include "masksc/dist/collectives.hpp"
#include "masksc/dist/nccl.hpp"
#include "masksc/model/torch.hpp"

namespace masksc {

/// An exchange under way. Its tensors stay untouched until finish().
class Pending {
 public:
  Pending() = default;
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  virtual ~Pending() = default;
  /// Drives it on; true once it is done.
  virtual bool test() = 0;
  /// Operations on the result may follow. Throws EnvironmentError.
  virtual void finish() = 0;
};

/// Tensors are contiguous, one-dimensional, float32 or bfloat16. Every function is a collective.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// values = sum over ranks.
  virtual std::unique_ptr<Pending> all_reduce(const at::Tensor& values) = 0;
  /// The same by a binary tree over ranks (see dist/tree_sum.hpp), of float32; done when it returns.
  virtual void tree_all_reduce(const at::Tensor& values) = 0;
  /// Sum over ranks of `input` (one equal slice a rank); rank r receives slice r in `output`.
  virtual std::unique_ptr<Pending> reduce_scatter(const at::Tensor& input, const at::Tensor& output) = 0;
  /// `all` = the equal-sized `own` of all ranks, in rank order.
  virtual std::unique_ptr<Pending> all_gather(const at::Tensor& own, const at::Tensor& all) = 0;

  /// Whether exchanges stand still unless someone calls test().
  [[nodiscard]] virtual bool needs_driving() const = 0;
};

std::unique_ptr<Transport> host_transport(Collectives& ranks);

/// `current_stream` gives the stream (cudaStream_t) on which this thread computes.
std::unique_ptr<Transport> device_transport(NcclCollectives& nccl, std::function<void*()> current_stream);

/// The stream of this thread on a CUDA device.
void* current_cuda_stream(at::Device device);

}  // namespace masksc

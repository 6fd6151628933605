// CUDA graphs by LibTorch's CUDAGraph, in a library of its own: programs load it, and libtorch_cuda, where a GPU is.
#include <ATen/DeviceAccelerator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "masksc/train/recording.hpp"

namespace masksc {
namespace {

/// Memory that records share. LibTorch does not take a pool up again that has lost its last graph, as long as anything
/// lives in it (the workspace of cuBLAS does): whoever needs one then begins another.
using Pool = std::shared_ptr<const at::MempoolId_t>;

class Graph final : public RecordedWork {
 public:
  explicit Graph(Pool pool) : pool_(std::move(pool)) {}
  /// Recording may end on another thread than the one it began on, which only the relaxed mode allows. What the mode
  /// would find is found by the tests: no operation of a pass makes the host wait.
  void begin() { graph_.capture_begin(*pool_, cudaStreamCaptureModeRelaxed); }
  void end() { graph_.capture_end(); }
  void launch() override { graph_.replay(); }

 private:
  Pool pool_;
  at::cuda::CUDAGraph graph_;
};

class CudaRecorder final : public Recorder {
 public:
  explicit CudaRecorder(c10::DeviceIndex device)
      : stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device)) {}

  void run(const std::function<void()>& work) override {
    // Memory that earlier steps left in the allocator is no use to recorded ones, which have their own.
    at::accelerator::synchronizeDevice(stream_.device_index());
    at::accelerator::emptyCache();
    const c10::cuda::CUDAStreamGuard guard(stream_);
    try {
      work();
    } catch (...) {
      abandon();
      throw;
    }
    at::accelerator::synchronizeDevice(stream_.device_index());
  }
  void begin() override {
    const c10::cuda::CUDAStreamGuard guard(stream_);
    open_ = std::make_unique<Graph>(shared_pool());
    open_->begin();
  }
  std::unique_ptr<RecordedWork> end() override {
    const c10::cuda::CUDAStreamGuard guard(stream_);
    open_->end();
    return std::move(open_);
  }

 private:
  Pool shared_pool() {
    Pool pool = pool_.lock();
    if (!pool) pool_ = pool = std::make_shared<const at::MempoolId_t>(at::cuda::graph_pool_handle());
    return pool;
  }
  /// The stream can be used again, and the error that comes first is the one that is told.
  void abandon() noexcept {
    if (!open_) return;
    try {
      end();
    } catch (...) {
      open_.reset();
    }
  }

  c10::cuda::CUDAStream stream_;
  Pool::weak_type pool_;  // of the records that there are
  std::unique_ptr<Graph> open_;
};

}  // namespace
}  // namespace masksc

extern "C" masksc::Recorder* masksc_cuda_recorder(int device) {
  return new masksc::CudaRecorder(static_cast<c10::DeviceIndex>(device));
}

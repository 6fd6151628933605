// Collectives on device buffers over NCCL: asynchronous to the host and to the compute stream, watched for failures.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "masksc/dist/collectives.hpp"
#include "masksc/dist/nccl_api.hpp"

namespace masksc {

enum class DeviceElement { i32, i64, f16, bf16, f32, f64 };

constexpr std::size_t size_of(DeviceElement type) {
  switch (type) {
    case DeviceElement::f16:
    case DeviceElement::bf16:
      return 2;
    case DeviceElement::i32:
    case DeviceElement::f32:
      return 4;
    default:
      return 8;
  }
}

/// An operation under way on the device. Both functions throw EnvironmentError once the communicator has failed, and
/// InvariantError inside the group that the operation belongs to.
class DeviceRequest {
 public:
  DeviceRequest() = default;
  DeviceRequest(const DeviceRequest&) = delete;
  DeviceRequest& operator=(const DeviceRequest&) = delete;
  virtual ~DeviceRequest() = default;
  /// What is put on `stream` from now on sees the result. The host does not wait.
  virtual void wait(void* stream) = 0;
  /// True once the result is there.
  virtual bool test() = 0;
};

struct NcclOptions {
  int device = 0;  // CUDA's number of this rank's GPU
  /// How long an operation may take once its input is there, and a call of NCCL may keep the host.
  std::chrono::milliseconds timeout = std::chrono::minutes(10);
  /// How often the watch looks.
  std::chrono::milliseconds poll{50};
  /// Called once, by the watch's thread, after the communicator was aborted; must not throw. Unless given, it logs the
  /// message and ends the process with exit code 3; MPI's launcher then ends the other ranks.
  std::function<void(const std::string& message)> on_failure = nullptr;
};

class NcclEvents;
class NcclWatch;
struct NcclOperation;

/// Ranks that own one GPU each. Operations are collectives: all ranks call them in the same order, from one thread at a
/// time; buffers stay untouched until a stream or the host has waited. Launching throws EnvironmentError when a call of
/// NCCL or CUDA fails, and ever after that or after an abort.
///
/// A watch looks for asynchronous errors and for operations that outlast the timeout. Either aborts the communicator
/// and calls `on_failure` with a message that names rank, operation, step and remedy. Without MPI_THREAD_MULTIPLE the
/// watch cannot tell the peers; they see an error of their own, run into their timeout, or are ended by the launcher.
class NcclCollectives {
 public:
  /// A collective over `world`, which is used only here. Throws UserError, on all ranks alike, when two ranks have the
  /// same GPU; EnvironmentError when NCCL or CUDA fails.
  NcclCollectives(NcclApi api, Collectives& world, NcclOptions options);
  /// Gives operations under way two seconds, then aborts; aborts at once after a failure or when an exception is
  /// passing.
  ~NcclCollectives();
  NcclCollectives(const NcclCollectives&) = delete;
  NcclCollectives& operator=(const NcclCollectives&) = delete;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  /// NCCL's version, e.g. "2.28.9".
  [[nodiscard]] std::string version() const;
  /// The training step that messages name.
  void set_step(std::int64_t step) noexcept { step_ = step; }

  // `producer`: the stream (cudaStream_t) that writes the input; what it was given before the call comes first.
  // `count`: elements of the smaller buffer, as in Collectives.

  /// values[i] = reduction over ranks of values[i].
  std::unique_ptr<DeviceRequest> all_reduce(void* values, std::size_t count, DeviceElement type, void* producer,
                                            ReduceOp op = ReduceOp::sum);
  /// Reduction over ranks of `input` (size() slices of `count`); rank r receives slice r in `output`, which may be that
  /// slice of `input`.
  std::unique_ptr<DeviceRequest> reduce_scatter(const void* input, void* output, std::size_t count, DeviceElement type,
                                                void* producer, ReduceOp op = ReduceOp::sum);
  /// `all` = the `count` elements of each rank's `local`, in rank order; `local` may be its slice of `all`.
  std::unique_ptr<DeviceRequest> all_gather(const void* local, void* all, std::size_t count, DeviceElement type,
                                            void* producer);
  std::unique_ptr<DeviceRequest> broadcast(void* values, std::size_t count, DeviceElement type, int root,
                                           void* producer);
  /// The operations that `body` calls start together, as one launch, when it returns or throws. Groups do not nest, and
  /// `body` should do no more than launch.
  void group(const std::function<void()>& body);

 private:
  std::unique_ptr<DeviceRequest> launch(const char* verb, std::size_t count, DeviceElement type, void* producer,
                                        const std::function<int(void* stream)>& call);
  void record_done(NcclOperation& operation);
  [[nodiscard]] std::string where() const;

  std::shared_ptr<const NcclApi> api_;
  NcclOptions options_;
  int rank_;
  int size_;
  std::shared_ptr<NcclWatch> watch_;
  std::shared_ptr<NcclEvents> events_;
  std::shared_ptr<void> stream_;
  void* comm_ = nullptr;
  bool grouping_ = false;
  std::vector<std::shared_ptr<NcclOperation>> grouped_;
  std::atomic<std::int64_t> step_{-1};
  std::int64_t operations_ = 0;
};

}  // namespace masksc

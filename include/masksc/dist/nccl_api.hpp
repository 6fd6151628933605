// The functions of NCCL and of the CUDA runtime that ranks with GPUs need, as a table. It is filled from the libraries
// of this process (nothing is linked, no header of theirs is seen) or by a test's stand-in.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace masksc {

/// Values that the libraries' binary interfaces fix. Source: nccl.h of NCCL 2.28.9 (nvidia/nccl/include beside
/// LibTorch).
namespace nccl {
struct UniqueId {
  std::array<char, 128> internal{};
};
constexpr int success = 0;
constexpr int in_progress = 7;
constexpr int int32 = 2;
constexpr int int64 = 4;
constexpr int float16 = 6;
constexpr int float32 = 7;
constexpr int float64 = 8;
constexpr int bfloat16 = 9;
constexpr int sum = 0;
constexpr int max = 2;
constexpr int min = 3;
}  // namespace nccl

/// Source: driver_types.h of CUDA 13.0; the same values since CUDA 11.
namespace cuda {
constexpr int success = 0;
constexpr int not_ready = 600;
constexpr unsigned stream_non_blocking = 1;
constexpr unsigned event_disable_timing = 2;
constexpr int capture_mode_relaxed = 2;
}  // namespace cuda

/// Communicators, streams and events are opaque pointers; enumerations are ints, results those of the library.
struct NcclApi {
  // NCCL
  std::function<int(int* version)> get_version;
  std::function<int(nccl::UniqueId*)> get_unique_id;
  std::function<int(void** comm, int ranks, nccl::UniqueId, int rank)> comm_init_rank;
  std::function<int(void* comm)> comm_destroy;
  std::function<int(void* comm)> comm_abort;
  std::function<int(void* comm, int* error)> comm_get_async_error;
  std::function<int(const void* send, void* receive, std::size_t count, int type, int op, void* comm, void* stream)>
      all_reduce;
  std::function<int(const void* send, void* receive, std::size_t receive_count, int type, int op, void* comm,
                    void* stream)>
      reduce_scatter;
  std::function<int(const void* send, void* receive, std::size_t send_count, int type, void* comm, void* stream)>
      all_gather;
  std::function<int(const void* send, void* receive, std::size_t count, int type, int root, void* comm, void* stream)>
      broadcast;
  std::function<int()> group_start;
  std::function<int()> group_end;
  std::function<const char*(int error)> get_error_string;
  // CUDA runtime
  std::function<int(int device)> cuda_set_device;
  std::function<int(int* count)> cuda_get_device_count;
  std::function<int(char* bus_id, int length, int device)> cuda_device_get_pci_bus_id;
  std::function<int(void** stream, unsigned flags)> cuda_stream_create_with_flags;
  std::function<int(void* stream)> cuda_stream_destroy;
  std::function<int(void* stream, void* event, unsigned flags)> cuda_stream_wait_event;
  std::function<int(void** event, unsigned flags)> cuda_event_create_with_flags;
  std::function<int(void* event)> cuda_event_destroy;
  std::function<int(void* event, void* stream)> cuda_event_record;
  std::function<int(void* event)> cuda_event_query;
  std::function<int(int* mode)> cuda_thread_exchange_stream_capture_mode;
  std::function<const char*(int error)> cuda_get_error_string;
};

/// Names to try, in this order; paths are taken as they are.
struct NcclLibraries {
  std::vector<std::string> nccl = {"libnccl.so.2"};
  std::vector<std::string> cuda_runtime = {"libcudart.so.13", "libcudart.so.12"};
};

/// The table of the NCCL that LibTorch loaded (two NCCLs in one process would be one too many); where none is loaded
/// yet, that of the first library that can be. They stay loaded. Throws EnvironmentError that names what is missing.
NcclApi load_nccl_api(const NcclLibraries& libraries = {});

}  // namespace masksc

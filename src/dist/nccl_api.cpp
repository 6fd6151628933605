#include "masksc/dist/nccl_api.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

constexpr const char* remedy = "use --collectives mpi, or a LibTorch with CUDA and NCCL";

class Library {
 public:
  Library(const char* what, const std::vector<std::string>& names) {
    for (const int mode : {RTLD_NOW | RTLD_NOLOAD, RTLD_NOW})
      for (const std::string& name : names) {
        handle_ = dlopen(name.c_str(), mode);
        if (handle_ != nullptr) {
          name_ = name;
          return;
        }
      }
    const char* reason = dlerror();
    throw EnvironmentError(fmt::format("{} cannot be loaded (tried {}): {}; {}", what, fmt::join(names, ", "),
                                       reason == nullptr ? "no reason given" : reason, remedy));
  }

  template <typename Signature>
  void fill(std::function<Signature>& function, const char* symbol) const {
    void* address = dlsym(handle_, symbol);
    if (address == nullptr) throw EnvironmentError(fmt::format("{} has no function {}; {}", name_, symbol, remedy));
    function = reinterpret_cast<Signature*>(address);
  }

 private:
  void* handle_ = nullptr;  // never closed: CUDA does not bear being unloaded
  std::string name_;
};

}  // namespace

NcclApi load_nccl_api(const NcclLibraries& libraries) {
  NcclApi api;
  const Library nccl("NCCL", libraries.nccl);
  nccl.fill(api.get_version, "ncclGetVersion");
  nccl.fill(api.get_unique_id, "ncclGetUniqueId");
  nccl.fill(api.comm_init_rank, "ncclCommInitRank");
  nccl.fill(api.comm_destroy, "ncclCommDestroy");
  nccl.fill(api.comm_abort, "ncclCommAbort");
  nccl.fill(api.comm_get_async_error, "ncclCommGetAsyncError");
  nccl.fill(api.all_reduce, "ncclAllReduce");
  nccl.fill(api.reduce_scatter, "ncclReduceScatter");
  nccl.fill(api.all_gather, "ncclAllGather");
  nccl.fill(api.broadcast, "ncclBroadcast");
  nccl.fill(api.group_start, "ncclGroupStart");
  nccl.fill(api.group_end, "ncclGroupEnd");
  nccl.fill(api.get_error_string, "ncclGetErrorString");
  const Library cuda_runtime("the CUDA runtime", libraries.cuda_runtime);
  cuda_runtime.fill(api.cuda_set_device, "cudaSetDevice");
  cuda_runtime.fill(api.cuda_get_device_count, "cudaGetDeviceCount");
  cuda_runtime.fill(api.cuda_device_get_pci_bus_id, "cudaDeviceGetPCIBusId");
  cuda_runtime.fill(api.cuda_stream_create_with_flags, "cudaStreamCreateWithFlags");
  cuda_runtime.fill(api.cuda_stream_destroy, "cudaStreamDestroy");
  cuda_runtime.fill(api.cuda_stream_wait_event, "cudaStreamWaitEvent");
  cuda_runtime.fill(api.cuda_event_create_with_flags, "cudaEventCreateWithFlags");
  cuda_runtime.fill(api.cuda_event_destroy, "cudaEventDestroy");
  cuda_runtime.fill(api.cuda_event_record, "cudaEventRecord");
  cuda_runtime.fill(api.cuda_event_query, "cudaEventQuery");
  cuda_runtime.fill(api.cuda_thread_exchange_stream_capture_mode, "cudaThreadExchangeStreamCaptureMode");
  cuda_runtime.fill(api.cuda_get_error_string, "cudaGetErrorString");
  return api;
}

}  // namespace masksc

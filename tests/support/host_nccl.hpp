// NCCL and the CUDA runtime in host memory, for ranks that are threads: streams are threads, events are futures,
// collectives meet by their number in the communicator. Faults can be planted.
#pragma once

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host_device.hpp"
#include "masksc/dist/nccl.hpp"

namespace masksc {

class HostNccl {
 public:
  explicit HostNccl(int ranks) : ranks_(static_cast<std::size_t>(ranks)) {
    for (int rank = 0; rank < ranks; ++rank) at(rank).gpu = rank;
  }

  // Faults, planted before or while the ranks run.
  /// Every later call of `function` on `rank` returns `code`.
  void fail(int rank, const std::string& function, int code) {
    change([&] { at(rank).failing[function] = code; });
  }
  void raise_async_error(int rank, int code) {
    change([&] { at(rank).async_error = code; });
  }
  /// As the network does: an abort shows on the peers as a remote error.
  void abort_reaches_peers() { reaches_ = true; }
  /// Calls of `function` on `rank` (ncclCommInitRank, ncclAllReduce) hang until `let_go`.
  void hang(int rank, const std::string& function) {
    change([&] { at(rank).hanging = function; });
  }
  void let_go(int rank) { hang(rank, ""); }
  void put_on_gpu(int rank, int gpu) { at(rank).gpu = gpu; }

  /// The calls that put something on a stream or delimit a group, in order.
  std::vector<std::string> calls(int rank) {
    const std::scoped_lock lock(mutex_);
    return at(rank).calls;
  }
  int count(int rank, const std::string& function) {
    const std::scoped_lock lock(mutex_);
    return at(rank).counts[function];
  }
  /// Calls with a communicator that was destroyed or aborted.
  int misuses() {
    const std::scoped_lock lock(mutex_);
    return misuses_;
  }

  NcclApi api(int rank) {
    NcclApi api;
    add_collectives(api, rank);
    add_communicators(api, rank);
    add_cuda(api, rank);
    return api;
  }

 private:
  struct Event {
    std::shared_future<void> done;
  };
  struct Comm {
    int rank = 0;
    std::size_t number = 0;  // of the next collective
    bool aborted = false;
    bool gone = false;
  };
  struct Meeting {
    std::map<int, HostCall> calls;
    std::size_t computed = 0;
  };
  struct Rank {
    int gpu = 0;
    std::map<std::string, int> failing;
    std::string hanging;
    int async_error = nccl::success;
    std::map<std::string, int> counts;
    std::vector<std::string> calls;
    int depth = 0;
    std::vector<std::pair<HostStream*, std::function<void()>>> grouped;
    std::vector<std::unique_ptr<Comm>> comms;
  };

  Rank& at(int rank) { return ranks_[static_cast<std::size_t>(rank)]; }
  template <typename Change>
  void change(const Change& apply) {
    const std::scoped_lock lock(mutex_);
    apply();
    changed_.notify_all();
  }
  /// Notes a call; the error planted for it, or 0.
  int enter(int rank, const std::string& function, bool listed = true) {
    std::unique_lock lock(mutex_);
    ++at(rank).counts[function];
    if (listed) at(rank).calls.push_back(function);
    changed_.wait(lock, [&] { return at(rank).hanging != function; });
    const auto planted = at(rank).failing.find(function);
    return planted == at(rank).failing.end() ? 0 : planted->second;
  }

  /// The collective that all ranks call as the same number: gives up when `comm` is aborted.
  void meet(Comm& comm, const HostCall& mine) {
    std::unique_lock lock(mutex_);
    Meeting& meeting = meetings_[comm.number++];
    meeting.calls[comm.rank] = mine;
    changed_.notify_all();
    changed_.wait(lock, [&] { return comm.aborted || meeting.calls.size() == ranks_.size(); });
    if (comm.aborted) return;
    const std::vector<double> result = collective_result(meeting.calls, comm.rank);
    ++meeting.computed;
    changed_.notify_all();
    changed_.wait(lock, [&] { return comm.aborted || meeting.computed == ranks_.size(); });
    for (std::size_t i = 0; i < result.size(); ++i) write_element(mine.output, i, mine.type, result[i]);
  }

  int launch(int rank, void* comm, void* stream, HostCall call) {
    const int planted = enter(rank, call.name);
    auto* members = static_cast<Comm*>(comm);
    const std::scoped_lock lock(mutex_);
    if (members->gone) ++misuses_;
    if (planted != 0 || members->gone) return planted != 0 ? planted : 3;
    auto task = [this, members, call = std::move(call)] { meet(*members, call); };
    if (at(rank).depth > 0)
      at(rank).grouped.emplace_back(static_cast<HostStream*>(stream), std::move(task));
    else
      static_cast<HostStream*>(stream)->push(std::move(task));
    return 0;
  }

  void add_collectives(NcclApi& api, int rank) {
    api.all_reduce = [=, this](const void* in, void* out, std::size_t count, int type, int op, void* comm, void* s) {
      return launch(rank, comm, s, {"ncclAllReduce", in, out, count, type, op, 0});
    };
    api.reduce_scatter = [=, this](const void* in, void* out, std::size_t count, int type, int op, void* comm,
                                   void* s) {
      return launch(rank, comm, s, {"ncclReduceScatter", in, out, count, type, op, 0});
    };
    api.all_gather = [=, this](const void* in, void* out, std::size_t count, int type, void* comm, void* s) {
      return launch(rank, comm, s, {"ncclAllGather", in, out, count, type, 0, 0});
    };
    api.broadcast = [=, this](const void* in, void* out, std::size_t count, int type, int root, void* comm, void* s) {
      return launch(rank, comm, s, {"ncclBroadcast", in, out, count, type, 0, root});
    };
    api.group_start = [=, this] {
      const int planted = enter(rank, "ncclGroupStart");
      const std::scoped_lock lock(mutex_);
      ++at(rank).depth;
      return planted;
    };
    api.group_end = [=, this] {
      const int planted = enter(rank, "ncclGroupEnd");
      const std::scoped_lock lock(mutex_);
      if (--at(rank).depth > 0) return 0;
      for (auto& [stream, task] : std::exchange(at(rank).grouped, {}))
        if (planted == 0) stream->push(std::move(task));
      return planted;
    };
  }

  void add_communicators(NcclApi& api, int rank) {
    api.get_version = [](int* version) { return *version = 22809, 0; };
    api.get_error_string = [](int error) {
      return error == 6 ? "remote process exited" : error == 2 ? "unhandled system error" : "internal error";
    };
    api.get_unique_id = [=, this](nccl::UniqueId* id) {
      id->internal.fill('u');
      return enter(rank, "ncclGetUniqueId", false);
    };
    api.comm_init_rank = [=, this](void** comm, int ranks, nccl::UniqueId id, int me) {
      const int planted = enter(rank, "ncclCommInitRank", false);
      if (planted != 0) return planted;
      const bool right = ranks == static_cast<int>(ranks_.size()) && me == rank &&
                         std::all_of(id.internal.begin(), id.internal.end(), [](char c) { return c == 'u'; });
      const std::scoped_lock lock(mutex_);
      at(rank).comms.push_back(std::make_unique<Comm>());
      at(rank).comms.back()->rank = rank;
      *comm = at(rank).comms.back().get();
      return right ? 0 : 4;
    };
    api.comm_get_async_error = [=, this](void* comm, int* error) {
      const std::scoped_lock lock(mutex_);
      misuses_ += static_cast<Comm*>(comm)->gone ? 1 : 0;
      *error = at(rank).async_error;
      return 0;
    };
    const auto end = [this](void* comm, bool aborting) {
      const std::scoped_lock lock(mutex_);
      misuses_ += static_cast<Comm*>(comm)->gone ? 1 : 0;
      static_cast<Comm*>(comm)->gone = true;
      static_cast<Comm*>(comm)->aborted = aborting;
      if (aborting && reaches_)
        for (Rank& peer : ranks_) peer.async_error = 6;
      changed_.notify_all();
    };
    api.comm_destroy = [=, this](void* comm) {
      end(comm, false);
      return enter(rank, "ncclCommDestroy", false);
    };
    api.comm_abort = [=, this](void* comm) {
      end(comm, true);
      return enter(rank, "ncclCommAbort", false);
    };
  }

  void add_cuda(NcclApi& api, int rank) {
    api.cuda_get_error_string = [](int) { return "an illegal memory access was encountered"; };
    api.cuda_set_device = [=, this](int) { return enter(rank, "cudaSetDevice", false); };
    api.cuda_get_device_count = [](int* count) { return *count = 2, 0; };
    api.cuda_device_get_pci_bus_id = [=, this](char* text, int length, int) {
      std::snprintf(text, static_cast<std::size_t>(length), "0000:%02d:00.0", at(rank).gpu);
      return 0;
    };
    api.cuda_thread_exchange_stream_capture_mode = [](int*) { return 0; };
    api.cuda_stream_create_with_flags = [=, this](void** stream, unsigned flags) {
      *stream = new HostStream;
      return flags == cuda::stream_non_blocking ? enter(rank, "cudaStreamCreate", false) : 1;
    };
    api.cuda_stream_destroy = [=, this](void* stream) {
      delete static_cast<HostStream*>(stream);
      return enter(rank, "cudaStreamDestroy", false);
    };
    api.cuda_stream_wait_event = [=, this](void* stream, void* event, unsigned) {
      static_cast<HostStream*>(stream)->push([done = static_cast<Event*>(event)->done] { done.wait(); });
      return enter(rank, "cudaStreamWaitEvent");
    };
    api.cuda_event_create_with_flags = [=, this](void** event, unsigned flags) {
      const int planted = enter(rank, "cudaEventCreate", false);
      if (planted == 0) *event = new Event;
      return flags == cuda::event_disable_timing ? planted : 1;
    };
    api.cuda_event_destroy = [=, this](void* event) {
      delete static_cast<Event*>(event);
      return enter(rank, "cudaEventDestroy", false);
    };
    api.cuda_event_record = [=, this](void* event, void* stream) {
      auto reached = std::make_shared<std::promise<void>>();
      static_cast<Event*>(event)->done = reached->get_future().share();
      static_cast<HostStream*>(stream)->push([reached] { reached->set_value(); });
      return enter(rank, "cudaEventRecord");
    };
    api.cuda_event_query = [=, this](void* event) {
      const auto& done = static_cast<Event*>(event)->done;
      if (!done.valid()) return 1;  // as no event of ours should be asked before it was recorded
      if (done.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return cuda::not_ready;
      return enter(rank, "cudaEventQuery", false);
    };
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Rank> ranks_;
  std::map<std::size_t, Meeting> meetings_;
  bool reaches_ = false;
  int misuses_ = 0;
};

}  // namespace masksc

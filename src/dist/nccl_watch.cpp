#include "nccl_watch.hpp"

#include <algorithm>
#include <cstdlib>
#include <future>
#include <utility>

#include "masksc/core/log.hpp"

namespace masksc {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds abort_patience{10};
constexpr std::chrono::seconds launch_patience{1};

void end_process(const std::string& message) {
  log::error("{}", message);
  std::_Exit(static_cast<int>(ExitCode::environment));
}

}  // namespace

NcclEvents::~NcclEvents() {
  for (void* event : free_) api_->cuda_event_destroy(event);
}

int NcclEvents::take(void** event) {
  const std::scoped_lock lock(mutex_);
  if (!free_.empty()) {
    *event = free_.back();
    free_.pop_back();
    return cuda::success;
  }
  const int code = api_->cuda_set_device(device_);  // an event belongs to its maker's device
  return code != cuda::success ? code : api_->cuda_event_create_with_flags(event, cuda::event_disable_timing);
}

void NcclEvents::give_back(void* event) {
  const std::scoped_lock lock(mutex_);
  if (event != nullptr) free_.push_back(event);
}

NcclOperation::~NcclOperation() {
  if (!pool) return;
  pool->give_back(ready);
  pool->give_back(done);
}

NcclWatch::NcclWatch(std::shared_ptr<const NcclApi> api, std::string who, const NcclOptions& options)
    : api_(std::move(api)), who_(std::move(who)), options_(options) {
  if (!options_.on_failure) options_.on_failure = end_process;
  thread_ = std::thread([this] { run(); });
}

void NcclWatch::guard(void* comm) {
  const std::scoped_lock lock(mutex_);
  comm_ = comm;
}

void* NcclWatch::release() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(comm_, nullptr);
}

void NcclWatch::add(std::shared_ptr<NcclOperation> operation) {
  const std::scoped_lock lock(mutex_);
  if (!failure_.empty()) throw EnvironmentError(failure_);
  pending_.push_back(std::move(operation));
}

bool NcclWatch::drain(std::chrono::milliseconds patience) {
  const auto deadline = Clock::now() + patience;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!failure_.empty() || !retire().empty()) return false;
    if (pending_.empty()) return true;
    if (Clock::now() > deadline) return false;
    wake_.wait_for(lock, std::chrono::milliseconds(1));
  }
}

void NcclWatch::stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool NcclWatch::failed() {
  const std::scoped_lock lock(mutex_);
  return !failure_.empty();
}

void NcclWatch::check() {
  const std::scoped_lock lock(mutex_);
  if (!failure_.empty()) throw EnvironmentError(failure_);
}

void NcclWatch::check_nccl(int code, NcclOperation& operation) {
  if (code != nccl::success) fail(operation, api_->get_error_string(code));
}

void NcclWatch::check_cuda(int code, NcclOperation& operation) {
  if (code != cuda::success) fail(operation, api_->cuda_get_error_string(code));
}

void NcclWatch::fail(NcclOperation& operation, const char* reason) {
  operation.state = NcclOperation::State::over;
  const std::scoped_lock lock(mutex_);
  if (failure_.empty())  // else an abort made the call return
    failure_ =
        fmt::format("{}: {} failed: {}; NCCL_DEBUG=INFO tells more; start again to resume, or use --collectives mpi",
                    who_, operation.name, reason);
  throw EnvironmentError(failure_);
}

void NcclWatch::run() {
  api_->cuda_set_device(options_.device);
  int mode = cuda::capture_mode_relaxed;  // or asking for events would break a graph that is being captured
  api_->cuda_thread_exchange_stream_capture_mode(&mode);
  std::unique_lock lock(mutex_);
  for (; !stopping_; wake_.wait_for(lock, options_.poll)) {
    if (!failure_.empty()) continue;  // a call failed: its caller deals with it
    const std::string problem = look();
    if (problem.empty()) continue;
    const std::string message = fmt::format("{}: {}", who_, problem);
    failure_ = message;  // nothing new is launched
    // A launch under way may leave first; one that is stuck, the abort sets free.
    const auto deadline = Clock::now() + std::min<std::chrono::milliseconds>(launch_patience, options_.timeout);
    while (launching() && Clock::now() < deadline) wake_.wait_for(lock, std::chrono::milliseconds(1));
    void* comm = std::exchange(comm_, nullptr);
    lock.unlock();
    abort(comm);
    options_.on_failure(message);
    return;
  }
}

bool NcclWatch::launching() const {
  return comm_ != nullptr && std::any_of(pending_.begin(), pending_.end(), [](const auto& operation) {
           return operation->state == NcclOperation::State::calling;
         });
}

std::string NcclWatch::look() {
  std::string problem = retire();
  if (!problem.empty()) return problem;
  int error = nccl::success;
  if (comm_ != nullptr) {
    const int code = api_->comm_get_async_error(comm_, &error);
    if (code != nccl::success) error = code;
  }
  if (error != nccl::success && error != nccl::in_progress)
    return fmt::format(
        "{} {}: NCCL: {}; a peer, its GPU or the network failed: look at the other ranks' messages, then start again "
        "to "
        "resume (NCCL_DEBUG=INFO tells more)",
        pending_.empty() ? "after" : "during", pending_.empty() ? last_ : pending_.front()->name,
        api_->get_error_string(error));
  if (pending_.empty()) return "";
  NcclOperation& oldest = *pending_.front();
  const auto now = Clock::now();
  if (oldest.state == NcclOperation::State::running && api_->cuda_event_query(oldest.ready) == cuda::not_ready)
    oldest.since.reset();  // this rank itself still computes the input
  else if (!oldest.since)
    oldest.since = now;
  if (!oldest.since || now - *oldest.since <= options_.timeout) return "";
  return fmt::format(
      "{} did not end within {} s: a peer failed, hangs, or calls another operation; look at the other ranks' "
      "messages, "
      "then start again to resume, with a larger --collective-timeout if ranks may differ that much",
      oldest.name, std::chrono::duration<double>(options_.timeout).count());
}

std::string NcclWatch::retire() {
  for (; !pending_.empty(); pending_.pop_front()) {
    const NcclOperation& oldest = *pending_.front();
    if (oldest.state == NcclOperation::State::calling) return "";
    if (oldest.state == NcclOperation::State::running) {
      const int code = api_->cuda_event_query(oldest.done);
      if (code == cuda::not_ready) return "";
      if (code != cuda::success)
        return fmt::format("by the time of {}, the GPU had failed: {}; start again to resume", oldest.name,
                           api_->cuda_get_error_string(code));
    }
    last_ = oldest.name;
  }
  return "";
}

void NcclWatch::abort(void* comm) {
  if (comm == nullptr) return;
  std::packaged_task<void()> task([api = api_, comm, device = options_.device] {
    api->cuda_set_device(device);
    api->comm_abort(comm);
  });
  const std::future<void> aborted = task.get_future();
  std::thread(std::move(task)).detach();
  if (aborted.wait_for(abort_patience) != std::future_status::ready)
    log::warning("{}: NCCL did not abort its communicator within {} s", who_, abort_patience.count());
}

}  // namespace masksc

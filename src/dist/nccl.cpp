#include "masksc/dist/nccl.hpp"

#include <exception>
#include <span>
#include <utility>

#include "masksc/core/log.hpp"
#include "masksc/dist/gpu_place.hpp"
#include "nccl_watch.hpp"

namespace masksc {
namespace {

constexpr std::chrono::seconds closing_patience{2};

int nccl_type(DeviceElement type) {
  switch (type) {
    case DeviceElement::i32:
      return nccl::int32;
    case DeviceElement::i64:
      return nccl::int64;
    case DeviceElement::f16:
      return nccl::float16;
    case DeviceElement::bf16:
      return nccl::bfloat16;
    case DeviceElement::f32:
      return nccl::float32;
    default:
      return nccl::float64;
  }
}

const char* name_of(DeviceElement type) {
  switch (type) {
    case DeviceElement::i32:
      return "i32";
    case DeviceElement::i64:
      return "i64";
    case DeviceElement::f16:
      return "f16";
    case DeviceElement::bf16:
      return "bf16";
    case DeviceElement::f32:
      return "f32";
    default:
      return "f64";
  }
}

int nccl_op(ReduceOp op) {
  switch (op) {
    case ReduceOp::min:
      return nccl::min;
    case ReduceOp::max:
      return nccl::max;
    default:
      return nccl::sum;
  }
}

nccl::UniqueId share_unique_id(const NcclApi& api, Collectives& world) {
  nccl::UniqueId id;
  on_root(world, [&] {
    const int code = api.get_unique_id(&id);
    if (code != nccl::success)
      throw EnvironmentError(
          fmt::format("NCCL cannot start: {}; NCCL_DEBUG=INFO tells more, --collectives mpi does without it",
                      api.get_error_string(code)));
  });
  world.broadcast(std::span(reinterpret_cast<std::uint8_t*>(id.internal.data()), id.internal.size()));
  return id;
}

class NcclRequest final : public DeviceRequest {
 public:
  NcclRequest(std::shared_ptr<const NcclApi> api, std::shared_ptr<NcclWatch> watch,
              std::shared_ptr<NcclOperation> operation)
      : api_(std::move(api)), watch_(std::move(watch)), operation_(std::move(operation)) {}

  void wait(void* stream) override {
    check();
    watch_->check_cuda(api_->cuda_stream_wait_event(stream, operation_->done, 0), *operation_);
  }
  bool test() override {
    check();
    const int code = api_->cuda_event_query(operation_->done);
    if (code == cuda::not_ready) return false;
    watch_->check_cuda(code, *operation_);
    return true;
  }

 private:
  void check() {
    watch_->check();
    ensure(operation_->state != NcclOperation::State::calling, "an NCCL request is used before its group has ended");
  }

  std::shared_ptr<const NcclApi> api_;
  std::shared_ptr<NcclWatch> watch_;
  std::shared_ptr<NcclOperation> operation_;
};

}  // namespace

NcclCollectives::NcclCollectives(NcclApi api, Collectives& world, NcclOptions options)
    : api_(std::make_shared<const NcclApi>(std::move(api))),
      options_(std::move(options)),
      rank_(world.rank()),
      size_(world.size()) {
  const std::string shared = describe_shared_gpu(gather_gpus(*api_, world, options_.device));
  if (!shared.empty()) throw UserError(shared);
  const nccl::UniqueId id = share_unique_id(*api_, world);
  // From here on ranks fail apart, and the watch ends those that are left waiting.
  watch_ = std::make_shared<NcclWatch>(api_, fmt::format("rank {} of {}", rank_, size_), options_);
  events_ = std::make_shared<NcclEvents>(api_, options_.device);
  const auto start = std::make_shared<NcclOperation>("the start of the NCCL communicator", nullptr);
  watch_->add(start);
  void* stream = nullptr;
  watch_->check_cuda(api_->cuda_stream_create_with_flags(&stream, cuda::stream_non_blocking), *start);
  stream_ = std::shared_ptr<void>(stream, [keep = api_](void* s) { keep->cuda_stream_destroy(s); });
  watch_->check_nccl(api_->comm_init_rank(&comm_, size_, id, rank_), *start);
  start->state = NcclOperation::State::over;
  if (watch_->failed()) watch_->abort(comm_);
  watch_->check();
  watch_->guard(comm_);
}

NcclCollectives::~NcclCollectives() {
  const bool in_order = std::uncaught_exceptions() == 0 && watch_->drain(closing_patience);
  void* comm = watch_->release();
  if (!in_order || watch_->failed()) {
    watch_->abort(comm);
  } else if (comm != nullptr) {
    const auto end = std::make_shared<NcclOperation>("the end of the NCCL communicator", nullptr);
    watch_->add(end);
    const int code = api_->comm_destroy(comm);
    end->state = NcclOperation::State::over;
    if (code != nccl::success) log::warning("NCCL did not close its communicator: {}", api_->get_error_string(code));
  }
  watch_->stop();
}

std::string NcclCollectives::version() const {
  int code = 0;  // e.g. 22809
  api_->get_version(&code);
  return fmt::format("{}.{}.{}", code / 10000, code / 100 % 100, code % 100);
}

std::unique_ptr<DeviceRequest> NcclCollectives::all_reduce(void* values, std::size_t count, DeviceElement type,
                                                           void* producer, ReduceOp op) {
  return launch("all-reduce", count, type, producer, [&](void* stream) {
    return api_->all_reduce(values, values, count, nccl_type(type), nccl_op(op), comm_, stream);
  });
}

std::unique_ptr<DeviceRequest> NcclCollectives::reduce_scatter(const void* input, void* output, std::size_t count,
                                                               DeviceElement type, void* producer, ReduceOp op) {
  return launch("reduce-scatter", count, type, producer, [&](void* stream) {
    return api_->reduce_scatter(input, output, count, nccl_type(type), nccl_op(op), comm_, stream);
  });
}

std::unique_ptr<DeviceRequest> NcclCollectives::all_gather(const void* local, void* all, std::size_t count,
                                                           DeviceElement type, void* producer) {
  return launch("all-gather", count, type, producer,
                [&](void* stream) { return api_->all_gather(local, all, count, nccl_type(type), comm_, stream); });
}

std::unique_ptr<DeviceRequest> NcclCollectives::broadcast(void* values, std::size_t count, DeviceElement type, int root,
                                                          void* producer) {
  ensure(root >= 0 && root < size_, "broadcast: no such root");
  return launch("broadcast", count, type, producer, [&](void* stream) {
    return api_->broadcast(values, values, count, nccl_type(type), root, comm_, stream);
  });
}

std::unique_ptr<DeviceRequest> NcclCollectives::launch(const char* verb, std::size_t count, DeviceElement type,
                                                       void* producer, const std::function<int(void* stream)>& call) {
  ++operations_;
  const auto operation = std::make_shared<NcclOperation>(
      fmt::format("{} of {} {} elements ({})", verb, count, name_of(type), where()), events_);
  watch_->add(operation);  // before the calls: NCCL's first ones connect to the peers, and may hang
  watch_->check_cuda(events_->take(&operation->ready), *operation);
  watch_->check_cuda(events_->take(&operation->done), *operation);
  watch_->check_cuda(api_->cuda_event_record(operation->ready, producer), *operation);
  watch_->check_cuda(api_->cuda_stream_wait_event(stream_.get(), operation->ready, 0), *operation);
  watch_->check_nccl(call(stream_.get()), *operation);
  if (grouping_)
    grouped_.push_back(operation);
  else
    record_done(*operation);
  return std::make_unique<NcclRequest>(api_, watch_, operation);
}

std::string NcclCollectives::where() const {
  const std::int64_t step = step_;
  return fmt::format("operation {}, {}", operations_,
                     step < 0 ? "before the first training step" : fmt::format("training step {}", step));
}

void NcclCollectives::record_done(NcclOperation& operation) {
  watch_->check_cuda(api_->cuda_event_record(operation.done, stream_.get()), operation);
  operation.state = NcclOperation::State::running;
}

void NcclCollectives::group(const std::function<void()>& body) {
  ensure(!grouping_, "an NCCL group inside a group");
  watch_->check();
  NcclOperation start(fmt::format("the start of a group of operations (after {})", where()), nullptr);
  watch_->check_nccl(api_->group_start(), start);
  grouping_ = true;
  std::exception_ptr error;
  try {
    body();
  } catch (...) {
    error = std::current_exception();
  }
  grouping_ = false;
  const int code = api_->group_end();  // in any case, or NCCL would hold back all that follows
  const auto operations = std::exchange(grouped_, {});
  try {
    watch_->check_nccl(code, operations.empty() ? start : *operations.back());
    for (const auto& operation : operations) record_done(*operation);
  } catch (...) {
    for (const auto& operation : operations) operation->state = NcclOperation::State::over;
    if (!error) error = std::current_exception();
  }
  if (error) std::rethrow_exception(error);
}

}  // namespace masksc

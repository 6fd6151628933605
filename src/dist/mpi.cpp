// The one file that sees MPI: the runtime of a process and the collectives over MPI.
#include <mpi.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstring>
#include <limits>
#include <thread>

#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "wait_watch.hpp"

namespace masksc {
namespace {

void check(int code, const char* operation) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw EnvironmentError(fmt::format("MPI {} failed: {}; a node or the network may be down", operation, text.data()));
}

MPI_Datatype mpi_type(ElementType type) {
  switch (type) {
    case ElementType::byte:
      return MPI_UINT8_T;
    case ElementType::i32:
      return MPI_INT32_T;
    case ElementType::i64:
      return MPI_INT64_T;
    case ElementType::u64:
      return MPI_UINT64_T;
    case ElementType::bf16:
      return MPI_UINT16_T;
    case ElementType::f32:
      return MPI_FLOAT;
    default:
      return MPI_DOUBLE;
  }
}

/// MPI 3 knows no bfloat16: its sum as an operation on 16-bit words.
void sum_bf16(void* from, void* into, int* count, MPI_Datatype* /*type*/) {
  const auto* a = static_cast<const Bf16*>(from);
  auto* b = static_cast<Bf16*>(into);
  for (int i = 0; i < *count; ++i) b[i] = to_bf16(to_float(a[i]) + to_float(b[i]));
}

MPI_Op bf16_sum() {
  static const MPI_Op made = [] {
    MPI_Op op = MPI_OP_NULL;
    check(MPI_Op_create(sum_bf16, /*commute=*/1, &op), "operation");
    return op;
  }();
  return made;
}

MPI_Op mpi_op(ElementType type, ReduceOp op) {
  if (type == ElementType::bf16) {
    ensure(op == ReduceOp::sum, "bfloat16 over MPI: sums only");
    return bf16_sum();
  }
  switch (op) {
    case ReduceOp::min:
      return MPI_MIN;
    case ReduceOp::max:
      return MPI_MAX;
    default:
      return MPI_SUM;
  }
}

/// MPI counts are ints: long buffers go in slices of this many elements.
constexpr std::size_t slice_elements = std::size_t{1} << 28;

int to_int(std::size_t count) {
  if (count > static_cast<std::size_t>(INT_MAX))
    throw InvariantError(fmt::format("{} elements in one MPI message; send them in blocks", count));
  return static_cast<int>(count);
}

/// Counts and displacements of a varied collective, as MPI wants them.
struct Layout {
  std::vector<int> counts;
  std::vector<int> starts;
  explicit Layout(const std::vector<std::int64_t>& sizes) {
    std::size_t at = 0;
    for (const std::int64_t size : sizes) {
      counts.push_back(to_int(static_cast<std::size_t>(size)));
      starts.push_back(to_int(at));
      at += static_cast<std::size_t>(size);
    }
  }
};

/// Tells the watch, if there is one, of an operation that waits for the other ranks.
class Waiting {
 public:
  Waiting(WaitWatch* watch, const char* operation) : watch_(watch) {
    if (watch_ != nullptr) watch_->waiting(operation);
  }
  ~Waiting() {
    if (watch_ != nullptr) watch_->waiting(nullptr);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

 private:
  WaitWatch* watch_;
};

class MpiRequest final : public Request {
 public:
  MpiRequest(std::vector<MPI_Request> requests, const char* operation, WaitWatch* watch)
      : requests_(std::move(requests)), operation_(operation), watch_(watch) {}
  ~MpiRequest() override {  // the buffer must not be freed under MPI; errors were reported by test or wait
    MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
  }
  bool test() override {
    int done = 0;
    check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE), "test");
    return done != 0;
  }
  void wait() override {
    const Waiting waiting(watch_, operation_);
    check(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE), operation_);
  }

 private:
  std::vector<MPI_Request> requests_;
  const char* operation_;
  WaitWatch* watch_;
};

class MpiCollectives final : public Collectives {
 public:
  MpiCollectives(MPI_Comm communicator, int rank, int size) : Collectives(rank, size), comm_(communicator) {
    check(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "set error handler");
  }
  ~MpiCollectives() override { MPI_Comm_free(&comm_); }

  void barrier() override {
    watched("barrier", [&] { return MPI_Barrier(comm_); });
  }
  void watch(std::chrono::seconds timeout) override {
    if (size() > 1) watch_ = std::make_unique<WaitWatch>(fmt::format("rank {} of {}", rank(), size()), timeout);
  }
  void set_step(std::int64_t step) override {
    if (watch_) watch_->set_step(step);
  }
  [[nodiscard]] const void* mpi_communicator() const noexcept override { return &comm_; }

 protected:
  void all_reduce_raw(void* values, std::size_t count, ElementType type, ReduceOp op) override {
    slices(values, count, type, [&](void* at, int n) {
      watched("all-reduce", [&] { return MPI_Allreduce(MPI_IN_PLACE, at, n, mpi_type(type), mpi_op(type, op), comm_); });
    });
  }
  std::unique_ptr<Request> all_reduce_async_raw(void* values, std::size_t count, ElementType type,
                                                ReduceOp op) override {
    std::vector<MPI_Request> requests;
    slices(values, count, type, [&](void* at, int n) {
      MPI_Request request = MPI_REQUEST_NULL;
      check(MPI_Iallreduce(MPI_IN_PLACE, at, n, mpi_type(type), mpi_op(type, op), comm_, &request),
            "all-reduce");
      requests.push_back(request);
    });
    return std::make_unique<MpiRequest>(std::move(requests), "all-reduce", watch_.get());
  }
  std::unique_ptr<Request> reduce_scatter_async_raw(const void* input, void* output, std::size_t count,
                                                    ElementType type) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check(MPI_Ireduce_scatter_block(input, output, to_int(count), mpi_type(type), mpi_op(type, ReduceOp::sum), comm_,
                                    &request),
          "reduce-scatter");
    return std::make_unique<MpiRequest>(std::vector<MPI_Request>{request}, "reduce-scatter", watch_.get());
  }
  void all_gather_raw(const void* local, void* all, std::size_t count, ElementType type) override {
    watched("all-gather", [&] { return MPI_Allgather(local, to_int(count), mpi_type(type), all, to_int(count), mpi_type(type), comm_); });
  }
  void all_gather_varied_raw(const void* local, std::size_t count, void* all, const std::vector<std::int64_t>& counts,
                             ElementType type) override {
    const Layout layout(counts);
    watched("all-gather", [&] { return MPI_Allgatherv(local, to_int(count), mpi_type(type), all, layout.counts.data(), layout.starts.data(),
                         mpi_type(type), comm_); });
  }
  void gather_varied_raw(const void* local, std::size_t count, void* all, const std::vector<std::int64_t>& counts,
                         int root, ElementType type) override {
    const Layout layout(counts);
    watched("gather", [&] { return MPI_Gatherv(local, to_int(count), mpi_type(type), all, layout.counts.data(), layout.starts.data(),
                      mpi_type(type), root, comm_); });
  }
  void broadcast_raw(void* values, std::size_t bytes, int root) override {
    slices(values, bytes, ElementType::byte,
           [&](void* at, int n) { watched("broadcast", [&] { return MPI_Bcast(at, n, MPI_BYTE, root, comm_); }); });
  }
  void all_to_all_raw(const void* send, const std::vector<std::int64_t>& send_counts, void* received,
                      const std::vector<std::int64_t>& received_counts, ElementType type) override {
    const Layout out(send_counts);
    const Layout in(received_counts);
    watched("all-to-all", [&] { return MPI_Alltoallv(send, out.counts.data(), out.starts.data(), mpi_type(type), received, in.counts.data(),
                        in.starts.data(), mpi_type(type), comm_); });
  }

 private:
  /// Calls MPI and waits for the other ranks, under the eyes of the watch.
  template <typename Call>
  void watched(const char* operation, const Call& call) {
    const Waiting waiting(watch_.get(), operation);
    check(call(), operation);
  }
  template <typename Call>
  static void slices(void* values, std::size_t count, ElementType type, const Call& call) {
    for (std::size_t done = 0; done < count; done += slice_elements)
      call(static_cast<std::byte*>(values) + done * size_of(type),
           static_cast<int>(std::min(slice_elements, count - done)));
  }

  MPI_Comm comm_;
  std::unique_ptr<WaitWatch> watch_;
};

/// Cores this process is bound to, divided by the processes of the node that are bound to the same ones.
int count_cores(MPI_Comm node, int local_size) {
  cpu_set_t mine;
  CPU_ZERO(&mine);
  if (sched_getaffinity(0, sizeof(mine), &mine) != 0) return 1;
  std::vector<cpu_set_t> all(static_cast<std::size_t>(local_size));
  check(MPI_Allgather(&mine, sizeof(mine), MPI_BYTE, all.data(), sizeof(mine), MPI_BYTE, node), "all-gather");
  const auto sharing =
      std::count_if(all.begin(), all.end(), [&](const cpu_set_t& other) { return CPU_EQUAL(&mine, &other) != 0; });
  return std::max(1, CPU_COUNT(&mine) / static_cast<int>(sharing));
}

/// True when every rank arrives within `patience`; on its own communicator, so that a peer inside another collective
/// isn't confused by it.
bool all_arrive(MPI_Comm comm, std::chrono::seconds patience) {
  MPI_Request request = MPI_REQUEST_NULL;
  if (MPI_Ibarrier(comm, &request) != MPI_SUCCESS) return false;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  int done = 0;
  while (MPI_Test(&request, &done, MPI_STATUS_IGNORE) == MPI_SUCCESS && done == 0) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return done != 0;
}

}  // namespace

Runtime::Runtime(int& argc, char**& argv) {
  int provided = 0;
  check(MPI_Init_thread(&argc, &argv, MPI_THREAD_SERIALIZED, &provided), "start");
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "communicator");
  int rank = 0;
  int size = 1;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  world_ = std::make_unique<MpiCollectives>(comm, rank, size);
  MPI_Comm node = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &node), "communicator");
  MPI_Comm_rank(node, &local_rank_);
  MPI_Comm_size(node, &local_size_);
  cores_per_rank_ = count_cores(node, local_size_);
  MPI_Comm_free(&node);
}

Runtime::~Runtime() {
  world_.reset();
  MPI_Finalize();
}

int run_program(int argc, char** argv, const std::function<ExitCode(Runtime&)>& body) {
  try {
    Runtime runtime(argc, argv);
    const int rank = runtime.world().rank();
    log::configure(rank);
    try {
      return static_cast<int>(body(runtime));
    } catch (...) {
      const Failure failure = describe_failure(std::current_exception());
      const int code = static_cast<int>(failure.code);
      const bool shared = all_arrive(MPI_COMM_WORLD, std::chrono::seconds(3));
      const log::Level level = failure.code == ExitCode::stopped ? log::Level::warning : log::Level::error;
      if (!shared || rank == 0) log::write(level, failure.message);
      if (!shared) MPI_Abort(MPI_COMM_WORLD, code);
      return code;
    }
  } catch (const Error& e) {
    log::error("{}", e.what());
    return static_cast<int>(e.code());
  }
}

}  // namespace masksc

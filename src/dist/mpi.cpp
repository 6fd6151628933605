// The collectives over MPI.
#include "mpi.hpp"

#include <algorithm>
#include <array>
#include <climits>

#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "wait_watch.hpp"

namespace masksc {
namespace {

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
    check_mpi(MPI_Op_create(sum_bf16, /*commute=*/1, &op), "operation");
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

/// MPI counts are ints, and the watch takes a transfer of over --stall-timeout for a dead network: long buffers go in
/// slices of this many elements.
constexpr std::size_t slice_elements = std::size_t{1} << 24;

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
    const Waiting waiting(watch_, operation_);
    MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE);
  }
  bool test() override {
    int done = 0;
    check_mpi(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE), "test");
    return done != 0;
  }
  void wait() override {
    const Waiting waiting(watch_, operation_);
    check_mpi(MPI_Waitall(static_cast<int>(requests_.size()), requests_.data(), MPI_STATUSES_IGNORE), operation_);
  }

 private:
  std::vector<MPI_Request> requests_;
  const char* operation_;
  WaitWatch* watch_;
};

class MpiCollectives final : public Collectives {
 public:
  MpiCollectives(MPI_Comm communicator, int rank, int size) : Collectives(rank, size), comm_(communicator) {
    check_mpi(MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN), "set error handler");
  }
  ~MpiCollectives() override { MPI_Comm_free(&comm_); }

  void barrier() override {
    watched("barrier", [&] { return MPI_Barrier(comm_); });
  }
  void watch(std::chrono::seconds timeout, std::function<std::string()> peers) override {
    if (!watch_)
      watch_ = std::make_unique<WaitWatch>(fmt::format("rank {} of {}", rank(), size()),
                                           std::chrono::seconds(is_root() ? 0 : 3));
    watch_->limit(timeout, std::move(peers));
  }
  [[nodiscard]] RankActivity activity() const override { return watch_ ? watch_->activity() : RankActivity{}; }
  void begin_step(std::int64_t step) override {
    if (watch_) watch_->begin_step(step);
  }
  void end_step() override {
    if (watch_) watch_->end_step();
  }
  [[nodiscard]] std::unique_ptr<Collectives> split(int color) override {
    MPI_Comm part = MPI_COMM_NULL;
    watched("split", [&] { return MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, rank(), &part); });
    return part == MPI_COMM_NULL ? nullptr : mpi_collectives(part);
  }
  [[nodiscard]] const void* mpi_communicator() const noexcept override { return &comm_; }

 protected:
  void all_reduce_raw(void* values, std::size_t count, ElementType type, ReduceOp op) override {
    slices(values, count, type, [&](void* at, int n) {
      watched("all-reduce",
              [&] { return MPI_Allreduce(MPI_IN_PLACE, at, n, mpi_type(type), mpi_op(type, op), comm_); });
    });
  }
  std::unique_ptr<Request> all_reduce_async_raw(void* values, std::size_t count, ElementType type,
                                                ReduceOp op) override {
    std::vector<MPI_Request> requests;
    slices(values, count, type, [&](void* at, int n) {
      MPI_Request request = MPI_REQUEST_NULL;
      check_mpi(MPI_Iallreduce(MPI_IN_PLACE, at, n, mpi_type(type), mpi_op(type, op), comm_, &request), "all-reduce");
      requests.push_back(request);
    });
    return std::make_unique<MpiRequest>(std::move(requests), "all-reduce", watch_.get());
  }
  std::unique_ptr<Request> reduce_scatter_async_raw(const void* input, void* output, std::size_t count,
                                                    ElementType type) override {
    MPI_Request request = MPI_REQUEST_NULL;
    check_mpi(MPI_Ireduce_scatter_block(input, output, to_int(count), mpi_type(type), mpi_op(type, ReduceOp::sum),
                                        comm_, &request),
              "reduce-scatter");
    return std::make_unique<MpiRequest>(std::vector<MPI_Request>{request}, "reduce-scatter", watch_.get());
  }
  void all_gather_raw(const void* local, void* all, std::size_t count, ElementType type) override {
    watched("all-gather", [&] {
      return MPI_Allgather(local, to_int(count), mpi_type(type), all, to_int(count), mpi_type(type), comm_);
    });
  }
  void all_gather_varied_raw(const void* local, std::size_t count, void* all, const std::vector<std::int64_t>& counts,
                             ElementType type) override {
    const Layout layout(counts);
    watched("all-gather", [&] {
      return MPI_Allgatherv(local, to_int(count), mpi_type(type), all, layout.counts.data(), layout.starts.data(),
                            mpi_type(type), comm_);
    });
  }
  void gather_varied_raw(const void* local, std::size_t count, void* all, const std::vector<std::int64_t>& counts,
                         int root, ElementType type) override {
    const Layout layout(counts);
    watched("gather", [&] {
      return MPI_Gatherv(local, to_int(count), mpi_type(type), all, layout.counts.data(), layout.starts.data(),
                         mpi_type(type), root, comm_);
    });
  }
  void broadcast_raw(void* values, std::size_t bytes, int root) override {
    slices(values, bytes, ElementType::byte,
           [&](void* at, int n) { watched("broadcast", [&] { return MPI_Bcast(at, n, MPI_BYTE, root, comm_); }); });
  }
  void all_to_all_raw(const void* send, const std::vector<std::int64_t>& send_counts, void* received,
                      const std::vector<std::int64_t>& received_counts, ElementType type) override {
    // Not MPI_Alltoallv: all together may be more elements than its ints count.
    std::vector<MPI_Request> requests;
    const auto post = [&](const void* values, const std::vector<std::int64_t>& counts, const auto& call) {
      auto* at = static_cast<std::byte*>(const_cast<void*>(values));
      for (int peer = 0; peer < size(); ++peer) {
        const auto count = static_cast<std::size_t>(counts[static_cast<std::size_t>(peer)]);
        slices(at, count, type, [&](void* slice, int n) {
          requests.push_back(MPI_REQUEST_NULL);
          check_mpi(call(slice, n, peer, &requests.back()), "all-to-all");
        });
        at += count * size_of(type);
      }
    };
    post(received, received_counts, [&](void* to, int n, int peer, MPI_Request* request) {
      return MPI_Irecv(to, n, mpi_type(type), peer, 0, comm_, request);
    });
    post(send, send_counts, [&](void* from, int n, int peer, MPI_Request* request) {
      return MPI_Isend(from, n, mpi_type(type), peer, 0, comm_, request);
    });
    watched("all-to-all",
            [&] { return MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE); });
  }

 private:
  /// Calls MPI and waits for the other ranks, under the eyes of the watch.
  template <typename Call>
  void watched(const char* operation, const Call& call) {
    const Waiting waiting(watch_.get(), operation);
    check_mpi(call(), operation);
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

}  // namespace

void check_mpi(int code, const char* operation) {
  if (code == MPI_SUCCESS) return;
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  MPI_Error_string(code, text.data(), &length);
  throw EnvironmentError(fmt::format("MPI {} failed: {}; a node or the network may be down", operation, text.data()));
}

std::string mpi_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string whole(text.data(), static_cast<std::size_t>(length));
  return whole.substr(0, whole.find_first_of(",\n"));
}

std::unique_ptr<Collectives> mpi_collectives(MPI_Comm communicator) {
  int rank = 0;
  int size = 1;
  check_mpi(MPI_Comm_rank(communicator, &rank), "rank");
  check_mpi(MPI_Comm_size(communicator, &size), "size");
  return std::make_unique<MpiCollectives>(communicator, rank, size);
}

}  // namespace masksc

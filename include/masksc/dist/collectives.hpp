// What ranks do together: typed collective operations, handed in as an object. One rank is the same path.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "masksc/core/error.hpp"

namespace masksc {

enum class ReduceOp { sum, min, max };
enum class ElementType { byte, i32, i64, u64, bf16, f32, f64 };

/// The bits of a bfloat16: the upper half of a float32.
struct Bf16 {
  std::uint16_t bits = 0;
};
float to_float(Bf16 value) noexcept;
/// Rounds to nearest, ties to even; NaN stays NaN.
Bf16 to_bf16(float value) noexcept;

template <typename T>
concept Element = std::is_same_v<T, std::uint8_t> || std::is_same_v<T, std::int32_t> ||
    std::is_same_v<T, std::int64_t> || std::is_same_v<T, std::uint64_t> || std::is_same_v<T, Bf16> ||
    std::is_same_v<T, float> || std::is_same_v<T, double>;

template <Element T>
constexpr ElementType element_type() {
  if constexpr (std::is_same_v<T, std::uint8_t>) return ElementType::byte;
  if constexpr (std::is_same_v<T, std::int32_t>) return ElementType::i32;
  if constexpr (std::is_same_v<T, std::int64_t>) return ElementType::i64;
  if constexpr (std::is_same_v<T, std::uint64_t>) return ElementType::u64;
  if constexpr (std::is_same_v<T, Bf16>) return ElementType::bf16;
  if constexpr (std::is_same_v<T, float>) return ElementType::f32;
  if constexpr (std::is_same_v<T, double>) return ElementType::f64;
}

constexpr std::size_t size_of(ElementType type) {
  switch (type) {
    case ElementType::byte:
      return 1;
    case ElementType::bf16:
      return 2;
    case ElementType::i32:
    case ElementType::f32:
      return 4;
    default:
      return 8;
  }
}

/// A collective under way. `wait` returns when the buffer holds the result; `test` drives progress and says if it does.
class Request {
 public:
  Request() = default;
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  virtual ~Request() = default;
  virtual bool test() = 0;
  virtual void wait() = 0;
};

/// What a rank is at, as its watch sees it.
struct RankActivity {
  const char* operation = nullptr;                 // the collective that it waits in; null: it computes
  std::chrono::steady_clock::duration lasting{0};  // since a collective or a step last began or ended
  std::int64_t step = 0;
  std::chrono::steady_clock::duration longest_step{0};  // so far; 0 outside of steps, and before three are done
};

/// Every function is a collective: all ranks call it, in the same order, with matching sizes.
/// Failures of the transport throw EnvironmentError.
class Collectives {
 public:
  Collectives(const Collectives&) = delete;
  Collectives& operator=(const Collectives&) = delete;
  virtual ~Collectives() = default;

  [[nodiscard]] int rank() const noexcept { return rank_; }
  [[nodiscard]] int size() const noexcept { return size_; }
  [[nodiscard]] bool is_root() const noexcept { return rank_ == 0; }

  /// values[i] = reduction over ranks of values[i]; the same bits on every rank.
  template <Element T>
  void all_reduce(std::span<T> values, ReduceOp op = ReduceOp::sum) {
    all_reduce_raw(values.data(), values.size(), element_type<T>(), op);
  }
  template <Element T>
  T all_reduce(T value, ReduceOp op = ReduceOp::sum) {
    all_reduce(std::span<T>(&value, 1), op);
    return value;
  }
  /// Starts an all-reduce of `values`, which must live and stay untouched until the request is done.
  template <Element T>
  std::unique_ptr<Request> all_reduce_async(std::span<T> values, ReduceOp op = ReduceOp::sum) {
    return all_reduce_async_raw(values.data(), values.size(), element_type<T>(), op);
  }
  /// Sum over ranks of `input` (size() equal slices); rank r receives slice r in `output`.
  template <Element T>
  void reduce_scatter(std::span<const T> input, std::span<T> output) {
    reduce_scatter_async(input, output)->wait();
  }
  /// Starts a reduce-scatter; both buffers must live and stay untouched until the request is done.
  template <Element T>
  std::unique_ptr<Request> reduce_scatter_async(std::span<const T> input, std::span<T> output) {
    ensure(input.size() == output.size() * static_cast<std::size_t>(size_), "reduce_scatter: sizes do not match");
    return reduce_scatter_async_raw(input.data(), output.data(), output.size(), element_type<T>());
  }
  /// `all` = the equal-sized `local` of all ranks, in rank order.
  template <Element T>
  void all_gather(std::span<const T> local, std::span<T> all) {
    ensure(all.size() == local.size() * static_cast<std::size_t>(size_), "all_gather: sizes do not match");
    all_gather_raw(local.data(), all.data(), local.size(), element_type<T>());
  }
  /// The `local` of all ranks, of any sizes, in rank order.
  template <Element T>
  std::vector<T> all_gather_varied(std::span<const T> local) {
    const auto counts = gather_counts(local.size());
    std::vector<T> all(total(counts));
    all_gather_varied_raw(local.data(), local.size(), all.data(), counts, element_type<T>());
    return all;
  }
  /// The `local` of all ranks, of any sizes, in rank order, on `root`; empty elsewhere.
  template <Element T>
  std::vector<T> gather_varied(std::span<const T> local, int root = 0) {
    const auto counts = gather_counts(local.size());
    std::vector<T> all(rank_ == root ? total(counts) : 0);
    gather_varied_raw(local.data(), local.size(), all.data(), counts, root, element_type<T>());
    return all;
  }
  template <Element T>
  void broadcast(std::span<T> values, int root = 0) {
    broadcast_raw(values.data(), values.size() * sizeof(T), root);
  }
  /// Sends send_counts[r] elements of `send` (in rank order) to each rank r; returns what came, in rank order.
  /// `received_counts`, when given, gets the number of elements from each rank.
  template <Element T>
  std::vector<T> all_to_all(std::span<const T> send, const std::vector<std::int64_t>& send_counts,
                            std::vector<std::int64_t>* received_counts = nullptr) {
    const auto counts = exchange_counts(send_counts);
    std::vector<T> received(total(counts));
    all_to_all_raw(send.data(), send_counts, received.data(), counts, element_type<T>());
    if (received_counts != nullptr) *received_counts = counts;
    return received;
  }
  virtual void barrier() = 0;

  /// The ranks of one `color` as a communicator of their own, in the order of their ranks here; null on ranks that give
  /// a negative one. A collective over all ranks. The part has no watch of its own before `watch`; it must not outlive
  /// this object.
  [[nodiscard]] virtual std::unique_ptr<Collectives> split(int color) = 0;

  /// From now on a rank that waits for the others longer than `timeout` (0: however long) ends its process with a
  /// message that names rank, operation and step, and what `peers` says of the other ranks (exit code 3); the launcher
  /// then ends the others. Ranks that are threads have no watch.
  virtual void watch(std::chrono::seconds timeout, std::function<std::string()> peers = {}) {
    static_cast<void>(timeout);
    static_cast<void>(peers);
  }
  /// What this rank is at; for other threads. Knows nothing before `watch`, nor of ranks that are threads.
  [[nodiscard]] virtual RankActivity activity() const { return {}; }
  /// A step of training begins, on all ranks; such a message names it. 0: what follows has no steps.
  virtual void begin_step(std::int64_t step) { static_cast<void>(step); }
  /// It has ended: what follows may take one rank longer than others (saving).
  virtual void end_step() {}

  /// The MPI_Comm behind this object (a `const MPI_Comm*`), or null when ranks are not MPI processes.
  [[nodiscard]] virtual const void* mpi_communicator() const noexcept { return nullptr; }

 protected:
  Collectives(int rank, int size) : rank_(rank), size_(size) {}

  virtual void all_reduce_raw(void* values, std::size_t count, ElementType type, ReduceOp op) = 0;
  virtual std::unique_ptr<Request> all_reduce_async_raw(void* values, std::size_t count, ElementType type,
                                                        ReduceOp op) = 0;
  virtual std::unique_ptr<Request> reduce_scatter_async_raw(const void* input, void* output, std::size_t count,
                                                            ElementType type) = 0;
  virtual void all_gather_raw(const void* local, void* all, std::size_t count, ElementType type) = 0;
  virtual void all_gather_varied_raw(const void* local, std::size_t count, void* all,
                                     const std::vector<std::int64_t>& counts, ElementType type) = 0;
  virtual void gather_varied_raw(const void* local, std::size_t count, void* all,
                                 const std::vector<std::int64_t>& counts, int root, ElementType type) = 0;
  virtual void broadcast_raw(void* values, std::size_t bytes, int root) = 0;
  virtual void all_to_all_raw(const void* send, const std::vector<std::int64_t>& send_counts, void* received,
                              const std::vector<std::int64_t>& received_counts, ElementType type) = 0;

 private:
  std::vector<std::int64_t> gather_counts(std::size_t mine);
  std::vector<std::int64_t> exchange_counts(const std::vector<std::int64_t>& send_counts);
  static std::size_t total(const std::vector<std::int64_t>& counts);

  int rank_;
  int size_;
};

/// The one-rank communicator: every operation is the identity.
std::unique_ptr<Collectives> single_rank();

/// Runs `work` on `ranks` threads that form one communicator (tests). Rethrows the first error;
/// a rank that throws wakes the others out of their collectives with an InvariantError.
void run_as_threads(int ranks, const std::function<void(Collectives&)>& work);

/// `text` of `root`, on every rank.
std::string broadcast_text(Collectives& ranks, std::string text, int root = 0);

/// Agrees on an outcome: if any rank brings an error, every rank throws that of the lowest such rank, which the message
/// names unless it is rank 0. A collective.
void agree(Collectives& ranks, const std::exception_ptr& mine);

/// Runs `work` on every rank; if it throws on any rank, all ranks throw that error. `work` must not call collectives
/// that a failing rank would leave the others in.
template <typename Work>
void together(Collectives& ranks, Work&& work) {
  std::exception_ptr error;
  try {
    work();
  } catch (...) {
    error = std::current_exception();
  }
  agree(ranks, error);
}

/// Runs `work` on rank 0 only; if it throws, all ranks throw that error. A collective.
template <typename Work>
void on_root(Collectives& ranks, Work&& work) {
  together(ranks, [&] {
    if (ranks.is_root()) work();
  });
}

/// What `work` gives on rank 0, on every rank: an integer, bool or enumerator, a text, or a vector of elements. If it
/// throws, all ranks throw that error. A collective.
template <typename Work>
auto of_root(Collectives& ranks, Work&& work) {
  using Value = std::invoke_result_t<Work&>;
  Value value{};
  on_root(ranks, [&] { value = work(); });
  if constexpr (std::is_same_v<Value, std::string>) {
    return broadcast_text(ranks, std::move(value));
  } else if constexpr (std::is_integral_v<Value> || std::is_enum_v<Value>) {
    auto number = static_cast<std::int64_t>(value);
    ranks.broadcast(std::span(&number, 1));
    return static_cast<Value>(number);
  } else {
    auto count = static_cast<std::int64_t>(value.size());
    ranks.broadcast(std::span(&count, 1));
    value.resize(static_cast<std::size_t>(count));
    ranks.broadcast(std::span(value));
    return value;
  }
}

}  // namespace masksc

// Ranks as threads of one process, and the one-rank communicator (a group of one thread).
#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <thread>

#include "masksc/dist/collectives.hpp"

namespace masksc {
namespace {

/// Meeting point of the threads: each rank shows a pointer, all read, all leave.
class Group {
 public:
  explicit Group(int size) : size_(size), shown_(static_cast<std::size_t>(size)) {}

  void show(int rank, const void* data) { shown_[static_cast<std::size_t>(rank)] = data; }
  [[nodiscard]] const std::byte* shown(int rank) const {
    return static_cast<const std::byte*>(shown_[static_cast<std::size_t>(rank)]);
  }
  void meet() {
    std::unique_lock lock(mutex_);
    const std::uint64_t round = round_;
    if (++waiting_ == size_) {
      waiting_ = 0;
      ++round_;
      all_here_.notify_all();
    } else {
      all_here_.wait(lock, [&] { return round_ != round || broken_; });
    }
    if (broken_) throw InvariantError("a peer rank failed");
  }
  void fail() {
    const std::scoped_lock lock(mutex_);
    broken_ = true;
    all_here_.notify_all();
    for (const std::shared_ptr<Group>& part : parts_) part->fail();
  }
  /// A group for some of these threads, which fails when this one does.
  std::shared_ptr<Group> part(int size) {
    const std::scoped_lock lock(mutex_);
    parts_.push_back(std::make_shared<Group>(size));
    return parts_.back();
  }

 private:
  int size_;
  std::vector<const void*> shown_;
  std::vector<std::shared_ptr<Group>> parts_;
  std::mutex mutex_;
  std::condition_variable all_here_;
  int waiting_ = 0;
  std::uint64_t round_ = 0;
  bool broken_ = false;
};

void combine(Bf16* into, const Bf16* from, std::size_t count, ReduceOp op) {
  for (std::size_t i = 0; i < count; ++i) {
    const float a = to_float(into[i]);
    const float b = to_float(from[i]);
    into[i] = to_bf16(op == ReduceOp::sum ? a + b : op == ReduceOp::min ? std::min(a, b) : std::max(a, b));
  }
}

template <typename T>
void combine(T* into, const T* from, std::size_t count, ReduceOp op) {
  for (std::size_t i = 0; i < count; ++i) {
    if (op == ReduceOp::sum) into[i] = static_cast<T>(into[i] + from[i]);
    if (op == ReduceOp::min) into[i] = std::min(into[i], from[i]);
    if (op == ReduceOp::max) into[i] = std::max(into[i], from[i]);
  }
}

void combine(std::byte* into, const std::byte* from, std::size_t count, ElementType type, ReduceOp op) {
  const auto as = [&]<typename T>(T) {
    combine(reinterpret_cast<T*>(into), reinterpret_cast<const T*>(from), count, op);
  };
  switch (type) {
    case ElementType::byte:
      return as(std::uint8_t{});
    case ElementType::i32:
      return as(std::int32_t{});
    case ElementType::i64:
      return as(std::int64_t{});
    case ElementType::u64:
      return as(std::uint64_t{});
    case ElementType::bf16:
      return as(Bf16{});
    case ElementType::f32:
      return as(float{});
    case ElementType::f64:
      return as(double{});
  }
}

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

class DoneRequest : public Request {
 public:
  bool test() override { return true; }
  void wait() override {}
};

class ThreadCollectives final : public Collectives {
 public:
  ThreadCollectives(int rank, int size, std::shared_ptr<Group> group)
      : Collectives(rank, size), group_(std::move(group)) {}

  void barrier() override { group_->meet(); }
  [[nodiscard]] std::unique_ptr<Collectives> split(int color) override {
    std::vector<std::int32_t> colors(static_cast<std::size_t>(size()));
    const std::int32_t mine = color;
    all_gather(std::span<const std::int32_t>(&mine, 1), std::span(colors));
    const auto first = std::find(colors.begin(), colors.end(), mine) - colors.begin();
    const auto members = static_cast<int>(std::count(colors.begin(), colors.end(), mine));
    const auto place = static_cast<int>(std::count(colors.begin(), colors.begin() + rank(), mine));
    const std::shared_ptr<Group> made = place == 0 && color >= 0 ? group_->part(members) : nullptr;
    meet_showing(&made);
    const auto part = *reinterpret_cast<const std::shared_ptr<Group>*>(group_->shown(static_cast<int>(first)));
    group_->meet();
    return color < 0 ? nullptr : std::make_unique<ThreadCollectives>(place, members, part);
  }

 protected:
  void all_reduce_raw(void* values, std::size_t count, ElementType type, ReduceOp op) override {
    std::vector<std::byte> result(count * size_of(type));
    reduce_slice(values, result.data(), 0, count, type, op);
    copy(values, result.data(), result.size());
    group_->meet();
  }
  std::unique_ptr<Request> all_reduce_async_raw(void* values, std::size_t count, ElementType type,
                                                ReduceOp op) override {
    all_reduce_raw(values, count, type, op);
    return std::make_unique<DoneRequest>();
  }
  std::unique_ptr<Request> reduce_scatter_async_raw(const void* input, void* output, std::size_t count,
                                                    ElementType type) override {
    reduce_slice(input, output, static_cast<std::size_t>(rank()) * count, count, type, ReduceOp::sum);
    group_->meet();
    return std::make_unique<DoneRequest>();
  }
  void all_gather_raw(const void* local, void* all, std::size_t count, ElementType type) override {
    const std::vector<std::int64_t> counts(static_cast<std::size_t>(size()), static_cast<std::int64_t>(count));
    all_gather_varied_raw(local, count, all, counts, type);
  }
  void all_gather_varied_raw(const void* local, std::size_t /*count*/, void* all,
                             const std::vector<std::int64_t>& counts, ElementType type) override {
    meet_showing(local);
    concatenate(all, counts, type);
    group_->meet();
  }
  void gather_varied_raw(const void* local, std::size_t /*count*/, void* all, const std::vector<std::int64_t>& counts,
                         int root, ElementType type) override {
    meet_showing(local);
    if (rank() == root) concatenate(all, counts, type);
    group_->meet();
  }
  void broadcast_raw(void* values, std::size_t bytes, int root) override {
    meet_showing(values);
    if (rank() != root) copy(values, group_->shown(root), bytes);
    group_->meet();
  }
  void all_to_all_raw(const void* send, const std::vector<std::int64_t>& send_counts, void* received,
                      const std::vector<std::int64_t>& received_counts, ElementType type) override {
    // Each rank shows its data, then its offsets.
    std::vector<std::int64_t> offsets(send_counts.size(), 0);
    for (std::size_t r = 1; r < offsets.size(); ++r) offsets[r] = offsets[r - 1] + send_counts[r - 1];
    meet_showing(offsets.data());
    std::vector<std::int64_t> starts;
    for (int r = 0; r < size(); ++r) starts.push_back(reinterpret_cast<const std::int64_t*>(group_->shown(r))[rank()]);
    group_->meet();
    meet_showing(send);
    auto* to = static_cast<std::byte*>(received);
    for (int r = 0; r < size(); ++r) {
      const auto at = static_cast<std::size_t>(r);
      const std::size_t bytes = static_cast<std::size_t>(received_counts[at]) * size_of(type);
      copy(to, group_->shown(r) + static_cast<std::size_t>(starts[at]) * size_of(type), bytes);
      to += bytes;
    }
    group_->meet();
  }

 private:
  void meet_showing(const void* data) {
    group_->show(rank(), data);
    group_->meet();
  }
  /// output = reduction of elements [first, first + count) over ranks, in rank order.
  void reduce_slice(const void* input, void* output, std::size_t first, std::size_t count, ElementType type,
                    ReduceOp op) {
    meet_showing(input);
    const std::size_t skip = first * size_of(type);
    copy(output, group_->shown(0) + skip, count * size_of(type));
    for (int r = 1; r < size(); ++r) combine(static_cast<std::byte*>(output), group_->shown(r) + skip, count, type, op);
    group_->meet();
  }
  void concatenate(void* all, const std::vector<std::int64_t>& counts, ElementType type) {
    auto* to = static_cast<std::byte*>(all);
    for (int r = 0; r < size(); ++r) {
      const std::size_t bytes = static_cast<std::size_t>(counts[static_cast<std::size_t>(r)]) * size_of(type);
      copy(to, group_->shown(r), bytes);
      to += bytes;
    }
  }

  std::shared_ptr<Group> group_;
};

}  // namespace

std::unique_ptr<Collectives> single_rank() {
  return std::make_unique<ThreadCollectives>(0, 1, std::make_shared<Group>(1));
}

void run_as_threads(int ranks, const std::function<void(Collectives&)>& work) {
  const auto group = std::make_shared<Group>(ranks);
  std::mutex mutex;
  std::exception_ptr first;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      try {
        ThreadCollectives mine(rank, ranks, group);
        work(mine);
      } catch (...) {
        {
          const std::scoped_lock lock(mutex);
          if (!first) first = std::current_exception();
        }
        group->fail();
      }
    });
  for (std::thread& thread : threads) thread.join();
  if (first) std::rethrow_exception(first);
}

}  // namespace masksc

#include "masksc/model/host_memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "masksc/model/torch.hpp"

namespace masksc {
namespace {

constexpr std::size_t smallest_kept = std::size_t{64} << 10;
constexpr std::size_t page = 4096;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t first_mapping = std::size_t{1} << 30;  // addresses only: memory is taken where it is written
constexpr std::size_t alignment = 64;

constexpr std::size_t rounded(std::size_t bytes, std::size_t unit) { return (bytes + unit - 1) / unit * unit; }

/// A block carries its size in front of the tensor's data.
struct Header {
  std::size_t bytes;
};

/// Free memory as extents between blocks: a block is cut from the smallest extent that holds it, and joins its free
/// neighbours when it comes back, so tensors of all sizes share the same pages.
class FreeMemory {
 public:
  std::byte* take(std::size_t bytes) {
    const std::scoped_lock lock(mutex_);
    auto found = by_size_.lower_bound({bytes, nullptr});
    if (found == by_size_.end()) {
      map(rounded(bytes, huge_page));
      found = by_size_.lower_bound({bytes, nullptr});
    }
    const auto [size, begin] = *found;
    remove(begin, size);
    if (size > bytes) insert(begin + bytes, size - bytes);
    return begin;
  }
  void give(std::byte* begin, std::size_t bytes) {
    const std::scoped_lock lock(mutex_);
    join(begin, bytes);
  }
  /// The addresses stay, their pages go.
  void release() {
    const std::scoped_lock lock(mutex_);
    for (const auto& [begin, size] : by_address_) madvise(begin, size, MADV_DONTNEED);
  }

 private:
  /// Addresses for `needed` bytes more. Few large mappings: a block lies within one.
  void map(std::size_t needed) {
    std::size_t bytes = std::max({needed, first_mapping, mapped_});
    void* begin = map_pages(bytes + huge_page);
    if (begin == MAP_FAILED) begin = map_pages((bytes = needed) + huge_page);
    if (begin == MAP_FAILED) throw std::bad_alloc();
    std::size_t room = bytes + huge_page;
    std::align(huge_page, bytes, begin, room);
    madvise(begin, bytes, MADV_HUGEPAGE);  // advice: it may be refused
    mapped_ += bytes;
    join(static_cast<std::byte*>(begin), bytes);
  }
  static void* map_pages(std::size_t bytes) {
    return mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  }
  void insert(std::byte* begin, std::size_t size) {
    by_address_.emplace(begin, size);
    by_size_.emplace(size, begin);
  }
  void remove(std::byte* begin, std::size_t size) {
    by_address_.erase(begin);
    by_size_.erase({size, begin});
  }
  void join(std::byte* begin, std::size_t size) {
    const auto after = by_address_.lower_bound(begin);
    if (after != by_address_.begin()) {
      const auto [before_begin, before_size] = *std::prev(after);
      if (before_begin + before_size == begin) {
        remove(before_begin, before_size);
        begin = before_begin;
        size += before_size;
      }
    }
    if (const auto next = by_address_.find(begin + size); next != by_address_.end()) {
      const std::size_t next_size = next->second;
      remove(next->first, next_size);
      size += next_size;
    }
    insert(begin, size);
  }

  std::mutex mutex_;
  std::size_t mapped_ = 0;
  std::map<std::byte*, std::size_t> by_address_;
  std::set<std::pair<std::size_t, std::byte*>> by_size_;
};

FreeMemory& free_memory() {
  static auto* const made = new FreeMemory;  // outlives every tensor
  return *made;
}

void release(void* data) {
  if (data == nullptr) return;
  std::byte* const block = static_cast<std::byte*>(data) - alignment;
  const std::size_t bytes = reinterpret_cast<Header*>(block)->bytes;
  if (bytes < smallest_kept)
    std::free(block);
  else
    free_memory().give(block, bytes);
}

class TrainingAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(std::size_t wanted) override {
    std::size_t bytes = wanted + alignment;
    const bool kept = bytes >= smallest_kept;
    bytes = rounded(bytes, kept ? page : alignment);
    void* const block = kept ? free_memory().take(bytes) : std::aligned_alloc(alignment, bytes);
    if (block == nullptr) throw std::bad_alloc();
    static_cast<Header*>(block)->bytes = bytes;
    void* const data = static_cast<std::byte*>(block) + alignment;
    return {data, data, &release, at::Device(at::kCPU)};
  }
  at::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void* to, const void* from, std::size_t count) const override { std::memcpy(to, from, count); }
};

}  // namespace

void use_training_allocator() {
  static TrainingAllocator allocator;
  c10::SetCPUAllocator(&allocator, /*priority=*/100);
}

void release_kept_memory() {
  free_memory().release();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void start_peak_memory() {
  release_kept_memory();
  std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace masksc

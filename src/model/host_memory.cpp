#include "masksc/model/host_memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <malloc.h>
#include <sys/mman.h>

#include <array>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <mutex>
#include <vector>

#include "masksc/model/torch.hpp"

namespace masksc {
namespace {

constexpr std::size_t smallest_kept = std::size_t{64} << 10;
constexpr std::size_t huge_page = std::size_t{2} << 20;
constexpr std::size_t alignment = 64;

/// Sizes are rounded up to eight steps between powers of two: at most 1/8 is wasted, and sizes that vary little share
/// blocks.
std::size_t rounded(std::size_t bytes) {
  const std::size_t step = std::max<std::size_t>(std::bit_floor(bytes) / 8, 4096);
  return (bytes + step - 1) / step * step;
}

std::size_t class_of(std::size_t rounded_bytes) {
  const auto power = static_cast<std::size_t>(std::bit_width(rounded_bytes) - 1);
  return power * 8 + ((rounded_bytes >> (power - 3)) & 7);
}

void* new_block(std::size_t bytes) {
  const bool large = bytes >= huge_page;
  void* const block = std::aligned_alloc(large ? huge_page : std::size_t{4096},
                                         large ? (bytes + huge_page - 1) / huge_page * huge_page : bytes);
  if (block == nullptr) throw std::bad_alloc();
  if (large) madvise(block, bytes, MADV_HUGEPAGE);  // advice: it may be refused
  return block;
}

/// Freed blocks by size class.
class BlockCache {
 public:
  void* take(std::size_t bytes) {
    {
      const std::scoped_lock lock(mutex_);
      std::vector<void*>& free = free_[class_of(bytes)];
      if (!free.empty()) {
        void* const block = free.back();
        free.pop_back();
        return block;
      }
    }
    return new_block(bytes);
  }
  void give(void* block, std::size_t bytes) {
    const std::scoped_lock lock(mutex_);
    free_[class_of(bytes)].push_back(block);
  }
  void release() {
    const std::scoped_lock lock(mutex_);
    for (std::vector<void*>& blocks : free_) {
      for (void* const block : blocks) std::free(block);
      blocks.clear();
    }
  }

 private:
  std::mutex mutex_;
  std::array<std::vector<void*>, 64 * 8> free_;
};

BlockCache& cache() {
  static auto* const made = new BlockCache;  // outlives every tensor
  return *made;
}

/// A block carries its size in front of the tensor's data.
struct Header {
  std::size_t bytes;
};

void release(void* data) {
  if (data == nullptr) return;
  void* const block = static_cast<std::byte*>(data) - alignment;
  const std::size_t bytes = static_cast<Header*>(block)->bytes;
  if (bytes < smallest_kept)
    std::free(block);
  else
    cache().give(block, bytes);
}

class TrainingAllocator final : public at::Allocator {
 public:
  at::DataPtr allocate(std::size_t wanted) override {
    std::size_t bytes = wanted + alignment;
    const bool kept = bytes >= smallest_kept;
    bytes = kept ? rounded(bytes) : (bytes + alignment - 1) / alignment * alignment;
    void* const block = kept ? cache().take(bytes) : std::aligned_alloc(alignment, bytes);
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
  cache().release();
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

void start_peak_memory() {
  release_kept_memory();
  std::ofstream("/proc/self/clear_refs") << 5;
}

}  // namespace masksc

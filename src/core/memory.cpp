#include "masksc/core/memory.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace masksc {
namespace {

constexpr std::uintptr_t huge_page = std::uintptr_t{2} << 20;
constexpr std::size_t largest_kept = std::size_t{32} << 20;  // the most that glibc takes

/// For the whole pages of these bytes.
void advise(std::uintptr_t data, std::size_t bytes, std::uintptr_t page, int advice) {
  const std::uintptr_t begin = (data + page - 1) / page * page;
  const std::uintptr_t end = (data + bytes) / page * page;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void keep_freed_memory() {
#ifdef __GLIBC__
  mallopt(M_MMAP_THRESHOLD, static_cast<int>(largest_kept));
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
#endif
}

void advise_huge_pages(const void* data, std::size_t bytes) {
  advise(reinterpret_cast<std::uintptr_t>(data), bytes, huge_page, MADV_HUGEPAGE);  // it may be refused
}

void release_pages(void* data, std::size_t size, std::size_t bytes) {
  if (bytes - size <= largest_kept) return;  // the next block of its kind would pay for them again
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  advise(reinterpret_cast<std::uintptr_t>(data) + size, bytes - size, page, MADV_DONTNEED);
}

std::int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss * 1024;
}

}  // namespace masksc

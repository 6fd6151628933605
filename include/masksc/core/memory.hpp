// Memory of the process: freed blocks keep their pages for the next, large arrays lie on huge pages, its peak, and what
// is left.
//
// A page that the system hands out costs about as much as filling it several times. The C library gives large freed
// blocks back at once, so that work in blocks pays for its pages again with every block.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace masksc {

/// From now on the C library keeps what is freed for the next block: up to 256 MiB that nobody uses, and no block above
/// 32 MiB. Call once, at the start of a program.
void keep_freed_memory();

/// Asks the kernel for huge pages under whole ones of these bytes: advice, before they are touched.
void advise_huge_pages(const void* data, std::size_t bytes);

/// Gives the pages behind the last of `size` used bytes of `bytes` back to the system, where they are more than 32 MiB.
/// What they hold is lost.
void release_pages(void* data, std::size_t size, std::size_t bytes);

/// Room in an empty vector for `size` elements, on huge pages.
template <typename T>
void reserve_large(std::vector<T>& values, std::size_t size) {
  values.reserve(size);
  advise_huge_pages(values.data(), values.capacity() * sizeof(T));
}

/// `size` elements of value 0, on huge pages.
template <typename T>
std::vector<T> large_vector(std::size_t size) {
  std::vector<T> values;
  reserve_large(values, size);
  values.resize(size);
  return values;
}

/// Memory of very many elements that were erased at the end goes back to the system; the others stay where they are.
template <typename T>
void release_unused(std::vector<T>& values) {
  release_pages(values.data(), values.size() * sizeof(T), values.capacity() * sizeof(T));
}

/// Peak resident memory of this process, bytes.
std::int64_t peak_memory();

/// Bytes of memory that this process may take now: what the node and the job's own limit (cgroup) have free.
double free_memory();

}  // namespace masksc

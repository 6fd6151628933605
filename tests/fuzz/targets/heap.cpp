// Heaps of texts, and references into them.
#include "../../../src/io/global_heap.hpp"
#include "common.hpp"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> heap(data, size);
  const auto claimed = masksc::heap_size(heap);
  masksc::fuzz::require(!claimed || (size >= masksc::heap_header_bytes && *claimed >= masksc::heap_header_bytes));
  for (const auto& [index, object] : masksc::heap_objects(heap)) {
    masksc::fuzz::require(index != 0 && object.begin >= masksc::heap_header_bytes && object.begin <= size &&
                          object.bytes <= size - object.begin);
    volatile std::uint8_t seen = 0;  // the sanitizer watches
    for (std::size_t i = 0; i < object.bytes; ++i) seen = heap[object.begin + i];
    static_cast<void>(seen);
  }
  if (size >= masksc::TextReference::stored_bytes) masksc::TextReference::parse(data);
  return 0;
}

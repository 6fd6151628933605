#include "lzf.hpp"

#include <hdf5.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace masksc {
namespace {

constexpr std::size_t greatest_ratio = 88;  // three bytes make 264

/// HDF5 calls it for each chunk: what it returns is the size of the new buffer, 0 an error. The size that h5py notes in
/// the filter is not that of texts.
std::size_t filter(unsigned flags, std::size_t /*values*/, const unsigned* /*value*/, std::size_t bytes,
                   std::size_t* room, void** buffer) noexcept {
  if ((flags & H5Z_FLAG_REVERSE) == 0)
    return 0;  // not packed again: h5py makes it an optional filter, which may say no
  std::vector<std::uint8_t> out;
  try {
    out = unpack_lzf({static_cast<const std::uint8_t*>(*buffer), bytes}, UINT32_MAX);
  } catch (const std::bad_alloc&) {  // HDF5 is C
    return 0;
  }
  void* const made = out.empty() ? nullptr : std::malloc(out.size());  // HDF5 frees it
  if (made == nullptr) return 0;
  std::copy(out.begin(), out.end(), static_cast<std::uint8_t*>(made));
  std::free(*buffer);
  *buffer = made;
  *room = out.size();
  return out.size();
}

}  // namespace

std::vector<std::uint8_t> unpack_lzf(std::span<const std::uint8_t> packed, std::size_t most) {
  constexpr std::size_t longest_literal = 32;
  constexpr std::size_t long_match = 7;
  std::vector<std::uint8_t> out;
  out.reserve(std::min(most, greatest_ratio * packed.size()));
  std::size_t at = 0;
  while (at < packed.size()) {
    const std::size_t control = packed[at++];
    if (control < longest_literal) {
      const std::size_t length = control + 1;
      if (length > packed.size() - at || length > most - out.size()) return {};
      out.insert(out.end(), packed.begin() + static_cast<std::ptrdiff_t>(at),
                 packed.begin() + static_cast<std::ptrdiff_t>(at + length));
      at += length;
      continue;
    }
    std::size_t length = control >> 5U;
    if (length == long_match && at < packed.size()) length += packed[at++];
    if (at == packed.size()) return {};
    const std::size_t distance = ((control & 31U) << 8U | packed[at++]) + 1;
    length += 2;
    if (distance > out.size() || length > most - out.size()) return {};
    for (std::size_t i = 0; i < length; ++i) out.push_back(out[out.size() - distance]);  // may overlap what it makes
  }
  return out;
}

bool register_lzf() {
  static const H5Z_class2_t lzf = {H5Z_CLASS_T_VERS, lzf_filter, 1, 1, "lzf", nullptr, nullptr, filter};
  return H5Zregister(&lzf) >= 0;
}

}  // namespace masksc

// LZF, what h5py calls compression="lzf": HDF5 has the filter only as a plugin of h5py's.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace masksc {

/// What `packed` holds in the format of liblzf; empty when that is more than `most` bytes, nothing, or damaged.
std::vector<std::uint8_t> unpack_lzf(std::span<const std::uint8_t> packed, std::size_t most);

/// The number that The HDF Group has given to the filter.
constexpr int lzf_filter = 32000;

/// Lets HDF5 read it where it reads by itself. False when HDF5 refuses.
bool register_lzf();

}  // namespace masksc

// The bytes of a sealed file: manifest and seal, behind the HDF5 part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "masksc/core/hash.hpp"
#include "masksc/io/sealed_file.hpp"
#include "raw_file.hpp"

namespace masksc {

constexpr std::string_view seal_magic = "MASKSC-S";
constexpr std::int64_t seal_bytes = 24;  // hash, length and magic

/// Adds bytes [begin, end) of a file to a hash. Throws DamagedFile when it ends before.
void hash_bytes(const RawFile& file, std::int64_t begin, std::int64_t end, Hasher& hasher);

/// Hash of all bytes of [0, body) that belong to no array. Throws DamagedFile when arrays overlap or lie outside.
std::string hash_rest(const RawFile& file, std::vector<SealedArray> arrays, std::int64_t body);

/// Manifest and seal as they stand in the file.
std::string make_seal(const Json& header, const std::vector<SealedArray>& arrays, const std::string& rest);

Json describe_array(const SealedArray& array);
SealedArray parse_array(const Json& json);

}  // namespace masksc

// anndata's encoding tags, and JSON as its unstructured part (`uns`).
#pragma once

#include <string>

#include "masksc/core/json.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {

/// The attributes that tell anndata how to read `name`.
void tag_encoding(ArrayFile& file, const std::string& name, const std::string& type, const std::string& version);

/// `key` as one link of an HDF5 path: '/' becomes '_', as do the names that HDF5 keeps for itself.
std::string safe_key(std::string key);

/// Writes `value` under `name`: see H5adWriter::set_uns.
void write_uns(ArrayFile& file, const std::string& name, const Json& value);

}  // namespace masksc

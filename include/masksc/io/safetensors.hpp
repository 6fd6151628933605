// Tensors as a safetensors file (format of Hugging Face): PyTorch, JAX and others load it without running code.
//
// 8 bytes: length of the header, little endian; the header, JSON: name -> dtype, shape, data_offsets; then the values.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "masksc/io/sealed_file.hpp"

namespace masksc {

/// Writes float32 arrays in their order, with `metadata` (texts) in the header. Throws EnvironmentError; the file
/// appears whole or not at all.
void write_safetensors(const std::filesystem::path& path, const std::vector<ArraySource>& arrays,
                       const std::map<std::string, std::string>& metadata);

}  // namespace masksc

// Parameters, optimizer state and other tensors in array files, by name and unsharded.
#pragma once

#include <string>

#include "masksc/io/array_file.hpp"
#include "masksc/model/parameters.hpp"

namespace masksc {

/// Writes a tensor as float32 array `name`.
void write_tensor(ArrayFile& file, const std::string& name, const at::Tensor& tensor);
/// Reads array `name` into `tensor` (its shape must agree). Throws UserError that names file, array and both shapes.
void read_tensor(const ArrayFile& file, const std::string& name, at::Tensor& tensor);

/// Writes each parameter's part of `flat` as `group`/NAME.
void write_parameters(ArrayFile& file, const std::string& group, const FlatParameters& parameters,
                      const at::Tensor& flat);
void read_parameters(const ArrayFile& file, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat);

}  // namespace masksc

// Parameters out of the array files that Python writes for golden tests.
#pragma once

#include <string>

#include "masksc/io/array_file.hpp"
#include "masksc/model/parameters.hpp"

namespace masksc {

/// Reads array `name` into `tensor`, whose shape must agree.
inline void read_tensor(const ArrayFile& file, const std::string& name, at::Tensor& tensor) {
  ensure(file.info(name).shape == tensor.sizes().vec(), "a golden array has the shape of its tensor");
  const std::vector<float> values = file.read<float>(name);
  const at::NoGradGuard no_gradient;
  tensor.copy_(at::tensor(at::ArrayRef<float>(values), at::kFloat).view(tensor.sizes()));
}

/// Reads `group`/NAME into each parameter's part of `flat`.
inline void read_parameters(const ArrayFile& file, const std::string& group, const FlatParameters& parameters,
                            const at::Tensor& flat) {
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    at::Tensor part = parameters.part(flat, i);
    read_tensor(file, group + "/" + parameters.specs()[i].name, part);
  }
}

}  // namespace masksc

#include "masksc/train/weights_file.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "masksc/core/error.hpp"

namespace masksc {

void write_tensor(ArrayFile& file, const std::string& name, const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(at::kCPU, at::kFloat).contiguous();
  file.write<float>(name, std::span<const float>(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())),
                    host.sizes().vec());
}

void read_tensor(const ArrayFile& file, const std::string& name, at::Tensor& tensor) {
  if (!file.exists(name))
    throw UserError(
        fmt::format("'{}' has no array '{}': it is from another kind of model", file.path().string(), name));
  const std::vector<std::int64_t> shape = file.info(name).shape;
  if (shape != tensor.sizes().vec())
    throw UserError(fmt::format("'{}': array '{}' has shape [{}], but these settings need [{}]", file.path().string(),
                                name, fmt::join(shape, ", "), fmt::join(tensor.sizes().vec(), ", ")));
  const std::vector<float> values = file.read<float>(name);
  const at::NoGradGuard no_gradient;
  tensor.copy_(at::tensor(at::ArrayRef<float>(values), at::kFloat).view(tensor.sizes()));
}

void write_parameters(ArrayFile& file, const std::string& group, const FlatParameters& parameters,
                      const at::Tensor& flat) {
  file.create_group(group);
  for (std::size_t i = 0; i < parameters.specs().size(); ++i)
    write_tensor(file, group + "/" + parameters.specs()[i].name, parameters.part(flat, i));
}

void read_parameters(const ArrayFile& file, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat) {
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    at::Tensor part = parameters.part(flat, i);
    read_tensor(file, group + "/" + parameters.specs()[i].name, part);
  }
}

}  // namespace masksc

#include "masksc/train/checkpoint.hpp"

#include <fmt/format.h>

#include <memory>

#include "masksc/model/distributed.hpp"

namespace masksc {

std::vector<ParameterShare> deal_parameters(const FlatParameters& parameters, int ranks) {
  const std::size_t specs = parameters.specs().size();
  const auto begins = [&](std::size_t i) { return i < specs ? parameters.offset(i) : parameters.count(); };
  std::vector<ParameterShare> shares;
  std::size_t first = 0;
  for (int rank = 0; rank < ranks; ++rank) {
    const std::int64_t wanted = parameters.count() * (rank + 1) / ranks;
    std::size_t last = first;
    while (last < specs && (begins(last) < wanted || rank + 1 == ranks)) ++last;
    shares.push_back({first, last, begins(first), begins(last)});
    first = last;
  }
  return shares;
}

at::Tensor host_part(const at::Tensor& flat, const ParameterShare& share, bool copy) {
  const at::Tensor part = flat.narrow(0, share.begin, share.end - share.begin);
  return copy && part.is_cpu() ? part.clone() : part.cpu();
}

void add_tensor(std::vector<ArraySource>& arrays, const std::string& name, const at::Tensor& tensor) {
  const auto keeper = std::make_shared<at::Tensor>(tensor.detach().contiguous());
  ensure(keeper->is_cpu() && keeper->scalar_type() == at::kFloat, "arrays of a file are float32 in host memory");
  arrays.push_back(
      {name, tensor.sizes().vec(), {keeper->data_ptr<float>(), static_cast<std::size_t>(keeper->numel())}, keeper});
}

void add_parameters(std::vector<ArraySource>& arrays, const FlatParameters& parameters, const std::string& group,
                    const ParameterShare& share, const at::Tensor& part) {
  for (std::size_t i = share.first; i < share.last; ++i) {
    const ParameterSpec& spec = parameters.specs()[i];
    const std::int64_t end = i + 1 < parameters.specs().size() ? parameters.offset(i + 1) : parameters.count();
    const std::int64_t begin = parameters.offset(i);
    // Files of weights alone have no group.
    add_tensor(arrays, group.empty() ? spec.name : fmt::format("{}/{}", group, spec.name),
               part.narrow(0, begin - share.begin, end - begin).view(spec.shape));
  }
}

void read_tensor(const Seal& seal, const std::string& name, at::Tensor& tensor) {
  const at::NoGradGuard no_gradient;
  const at::Tensor host = at::empty(tensor.sizes(), at::kFloat);
  read_array(seal, name, tensor.sizes().vec(), {host.data_ptr<float>(), static_cast<std::size_t>(host.numel())});
  tensor.copy_(host);
}

void read_parameters(const Seal& seal, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat) {
  for (std::size_t i = 0; i < parameters.specs().size(); ++i) {
    at::Tensor part = parameters.part(flat, i);
    read_tensor(seal, group + "/" + parameters.specs()[i].name, part);
  }
}

void load_parameters(const std::optional<Seal>& seal, const std::string& group, const FlatParameters& parameters,
                     const at::Tensor& flat, Collectives& ranks) {
  on_root(ranks, [&] { read_parameters(*seal, group, parameters, flat); });
  broadcast(ranks, flat);
}

}  // namespace masksc

#include "masksc/model/parameters.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/random.hpp"

namespace masksc {
namespace {

std::int64_t element_count(const ParameterSpec& spec) {
  return std::accumulate(spec.shape.begin(), spec.shape.end(), std::int64_t{1}, std::multiplies<>());
}

void initialise(std::span<float> values, const Initial& initial, RandomStream random) {
  switch (initial.kind) {
    case Initial::Kind::zeros:
      std::fill(values.begin(), values.end(), 0.0F);
      return;
    case Initial::Kind::ones:
      std::fill(values.begin(), values.end(), 1.0F);
      return;
    case Initial::Kind::uniform:
      for (float& value : values) value = static_cast<float>(initial.scale * (2 * random.uniform() - 1));
      return;
    case Initial::Kind::normal:  // Box-Muller
      for (float& value : values) {
        const double radius = std::sqrt(-2 * std::log(1 - random.uniform()));
        value = static_cast<float>(initial.scale * radius * std::cos(2 * std::numbers::pi * random.uniform()));
      }
  }
}

}  // namespace

void add_linear(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t in, std::int64_t out) {
  const Initial initial = Initial::uniform(1 / std::sqrt(static_cast<double>(in)));
  specs.push_back({name + ".weight", {out, in}, initial, true});
  specs.push_back({name + ".bias", {out}, initial, false});
}

void add_norm(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t size) {
  specs.push_back({name + ".weight", {size}, Initial::ones(), false});
  specs.push_back({name + ".bias", {size}, Initial::zeros(), false});
}

FlatParameters::FlatParameters(std::vector<ParameterSpec> specs, std::uint64_t seed, std::uint32_t set,
                               at::Device device)
    : specs_(std::move(specs)) {
  std::stable_partition(specs_.begin(), specs_.end(), [](const ParameterSpec& spec) { return spec.decay; });
  std::int64_t total = 0;
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    offsets_.push_back(total);
    total += element_count(specs_[i]);
    if (specs_[i].decay) decayed_ = total;
    ensure(index_.emplace(specs_[i].name, i).second, "parameter names differ");
  }
  at::Tensor host = at::empty({total}, at::kFloat);
  for (std::size_t i = 0; i < specs_.size(); ++i)
    initialise({host.data_ptr<float>() + offsets_[i], static_cast<std::size_t>(element_count(specs_[i]))},
               specs_[i].initial, RandomStream(seed, Purpose::initialisation, set, static_cast<std::uint64_t>(i)));
  values_ = host.to(device);
  gradients_ = at::zeros_like(values_);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    at::Tensor view = part(values_, i).detach();
    view.set_requires_grad(true);
    view.mutable_grad() = part(gradients_, i);
    views_.push_back(view);
  }
}

const at::Tensor& FlatParameters::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw InvariantError("no parameter '" + name + "'");
  return views_[found->second];
}

at::Tensor FlatParameters::part(const at::Tensor& flat, std::size_t i) const {
  return flat.narrow(0, offsets_[i], element_count(specs_[i])).view(specs_[i].shape);
}

std::string FlatParameters::hash() const {
  Hasher hasher;
  for (const ParameterSpec& spec : specs_) hasher.add(spec.name);
  const at::Tensor host = values_.cpu();
  hasher.add(std::span<const float>(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())));
  return hasher.hex();
}

}  // namespace masksc

// The parameters of a model in two flat float32 buffers, values and gradients; named tensors are views of them.
// One buffer means one all-reduce, one optimizer call and one norm, and checkpoints that know parameters by name.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "masksc/model/torch.hpp"

namespace masksc {

/// How a parameter starts.
struct Initial {
  enum class Kind { zeros, ones, uniform, normal } kind = Kind::zeros;
  double scale = 0;  // uniform: in [-scale, scale]; normal: standard deviation

  static Initial zeros() { return {Kind::zeros, 0}; }
  static Initial ones() { return {Kind::ones, 0}; }
  static Initial uniform(double bound) { return {Kind::uniform, bound}; }
  static Initial normal(double deviation) { return {Kind::normal, deviation}; }
};

struct ParameterSpec {
  std::string name;
  std::vector<std::int64_t> shape;
  Initial initial;
  bool decay = false;  // weight decay applies: matrices yes; biases, norms and tokens no
};

/// The two specs of a linear layer, weights [out, in], as torch.nn.Linear starts them.
void add_linear(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t in, std::int64_t out);
/// The two specs of a layer norm over `size` features.
void add_norm(std::vector<ParameterSpec>& specs, const std::string& name, std::int64_t size);

class FlatParameters {
 public:
  /// Starting values are drawn on the host from (seed, set, parameter index, element): equal on all ranks and devices.
  /// `set` tells apart the parameter sets of one run.
  FlatParameters(std::vector<ParameterSpec> specs, std::uint64_t seed, std::uint32_t set, at::Device device);

  /// The leaf tensor of that name: a view of values(), its gradient a view of gradients().
  [[nodiscard]] const at::Tensor& at(const std::string& name) const;
  /// Decayed parameters first, then the others.
  [[nodiscard]] const std::vector<ParameterSpec>& specs() const { return specs_; }
  [[nodiscard]] std::int64_t count() const { return values_.numel(); }
  /// Length of the leading part that weight decay applies to.
  [[nodiscard]] std::int64_t decayed_count() const { return decayed_; }
  [[nodiscard]] const at::Tensor& values() const { return values_; }
  [[nodiscard]] const at::Tensor& gradients() const { return gradients_; }
  /// The part of a flat tensor (values, gradients, optimizer state) that belongs to the parameter of index `i`.
  [[nodiscard]] at::Tensor part(const at::Tensor& flat, std::size_t i) const;
  /// Hash of names and values.
  [[nodiscard]] std::string hash() const;

 private:
  std::vector<ParameterSpec> specs_;
  std::vector<std::int64_t> offsets_;
  std::vector<at::Tensor> views_;
  std::unordered_map<std::string, std::size_t> index_;
  at::Tensor values_;
  at::Tensor gradients_;
  std::int64_t decayed_ = 0;
};

}  // namespace masksc

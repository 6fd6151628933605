// The parameters of a model in two flat float32 buffers, values and gradients; named tensors are views of them.
// One buffer means all-reduces of slices, one optimizer call and one norm, and checkpoints that know parameters by
// name. For training in bfloat16 or float16 a third one holds a working copy of the values, which the model computes
// with.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
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

  /// The leaf tensor of that name that the model computes with on this thread (see ReplicaScope): a view of values(),
  /// whose gradients accumulate in the replica's buffer; with a working copy, a view of that, and each gradient is
  /// added to the buffer when it arrives.
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
  /// Where that part begins.
  [[nodiscard]] std::int64_t offset(std::size_t i) const { return offsets_[i]; }

  /// Spare zeros before and behind both buffers, so that slices at their ends can be cut into equal parts.
  static constexpr std::int64_t padding = 1024;
  /// The buffers with their padding: element i of values() is element i + padding here.
  [[nodiscard]] const at::Tensor& padded_values() const { return padded_values_; }
  [[nodiscard]] const at::Tensor& padded_gradients() const { return padded_gradients_; }

  /// What at() hands out from now on: float32 the values themselves, bfloat16 or float16 a working copy of them, as
  /// leaves for `replicas` passes that run at the same time. All share the values; replica 0 accumulates in
  /// gradients(), each other one in a buffer of its own.
  void set_working_type(at::ScalarType type, int replicas = 1);
  [[nodiscard]] at::ScalarType working_type() const { return working_.defined() ? working_.scalar_type() : at::kFloat; }
  /// Zeroes the gradients of all replicas.
  void zero_gradients();
  /// Adds elements [begin, begin + length) of the other replicas' gradients to gradients(), in the order of replicas.
  void combine_replicas(std::int64_t begin, std::int64_t length);
  /// The same for all elements, by a binary tree over the replicas (a power of two of them).
  void combine_replicas_as_tree();
  /// Casts the values into the working copy, if there is one: after every change of the values.
  void refresh_working_copy();
  /// `arrived(replica, i)` is called in every backward pass, on its thread, as soon as the replica's buffer holds the
  /// gradient of parameter i. An empty function ends that.
  using GradientCallback = std::function<void(int, std::size_t)>;
  void on_gradient(GradientCallback arrived);

  /// Hash of names and values.
  [[nodiscard]] std::string hash() const;

 private:
  std::vector<ParameterSpec> specs_;
  std::vector<std::int64_t> offsets_;
  std::unordered_map<std::string, std::size_t> index_;
  at::Tensor padded_values_;
  at::Tensor padded_gradients_;
  at::Tensor values_;  // views of the padded ones
  at::Tensor gradients_;
  at::Tensor working_;  // undefined in float32
  struct Replica {
    at::Tensor gradients;  // [count()]
    std::vector<at::Tensor> leaves;
  };
  std::vector<Replica> replicas_;
  std::shared_ptr<GradientCallback> arrived_;  // shared with the hooks of the leaves
  std::int64_t decayed_ = 0;
};

/// Which replica at() hands out on this thread; 0 in parameters that have no such replica, as frozen ones.
class ReplicaScope {
 public:
  explicit ReplicaScope(int replica);
  /// That replica.
  static int current();
  ~ReplicaScope();
  ReplicaScope(const ReplicaScope&) = delete;
  ReplicaScope& operator=(const ReplicaScope&) = delete;

 private:
  int before_;
};

}  // namespace masksc

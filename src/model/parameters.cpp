#include "masksc/model/parameters.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

#include "masksc/core/error.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/random.hpp"
#include "masksc/dist/tree_sum.hpp"

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

thread_local int current_replica = 0;

/// Runs when a leaf's gradient has been accumulated: a working leaf's goes to the float32 one and is dropped.
class GradientArrived final : public torch::autograd::PostAccumulateGradHook {
 public:
  GradientArrived(int replica, std::size_t index, at::Tensor gradient,
                  std::shared_ptr<FlatParameters::GradientCallback> arrived)
      : replica_(replica), index_(index), gradient_(std::move(gradient)), arrived_(std::move(arrived)) {}
  void operator()(const torch::autograd::Variable& leaf) override {
    if (gradient_.defined()) {
      gradient_.add_(leaf.grad());
      leaf.mutable_grad().reset();
    }
    if (*arrived_) (*arrived_)(replica_, index_);
  }

 private:
  int replica_;
  std::size_t index_;
  at::Tensor gradient_;  // undefined for a float32 leaf: autograd adds to it in place
  std::shared_ptr<FlatParameters::GradientCallback> arrived_;
};

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
  at::parallel_for(0, static_cast<std::int64_t>(specs_.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i)
      initialise({host.data_ptr<float>() + offsets_[i], static_cast<std::size_t>(element_count(specs_[i]))},
                 specs_[i].initial, RandomStream(seed, Purpose::initialisation, set, static_cast<std::uint64_t>(i)));
  });
  padded_values_ = at::zeros({total + 2 * padding}, at::TensorOptions(at::kFloat).device(device));
  padded_gradients_ = at::zeros_like(padded_values_);
  values_ = padded_values_.narrow(0, padding, total);
  gradients_ = padded_gradients_.narrow(0, padding, total);
  values_.copy_(host);
  arrived_ = std::make_shared<GradientCallback>();
  set_working_type(at::kFloat);
}

const at::Tensor& FlatParameters::at(const std::string& name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) throw InvariantError("no parameter '" + name + "'");
  const auto replica = static_cast<std::size_t>(current_replica);
  return replicas_[replica < replicas_.size() ? replica : 0].leaves[found->second];
}

void FlatParameters::set_working_type(at::ScalarType type, int replicas) {
  working_ = type == at::kFloat ? at::Tensor() : values_.to(type);
  replicas_.clear();
  for (int replica = 0; replica < replicas; ++replica) {
    Replica made{replica == 0 ? gradients_ : at::zeros_like(gradients_), {}};
    for (std::size_t i = 0; i < specs_.size(); ++i) {
      at::Tensor leaf = part(working_.defined() ? working_ : values_, i).detach();
      leaf.set_requires_grad(true);
      const at::Tensor gradient = part(made.gradients, i);
      if (!working_.defined()) leaf.mutable_grad() = gradient;
      torch::autograd::impl::set_post_acc_grad_hooks(
          leaf, std::make_unique<GradientArrived>(replica, i, working_.defined() ? gradient : at::Tensor(), arrived_));
      made.leaves.push_back(leaf);
    }
    replicas_.push_back(std::move(made));
  }
}

void FlatParameters::zero_gradients() {
  for (const Replica& replica : replicas_) replica.gradients.zero_();
}

void FlatParameters::combine_replicas(std::int64_t begin, std::int64_t length) {
  const at::NoGradGuard no_gradient;
  for (std::size_t r = 1; r < replicas_.size(); ++r)
    gradients_.narrow(0, begin, length).add_(replicas_[r].gradients.narrow(0, begin, length));
}

void FlatParameters::combine_replicas_as_tree() {
  const at::NoGradGuard no_gradient;
  for_each_tree_addition(static_cast<std::int64_t>(replicas_.size()), [&](std::int64_t to, std::int64_t from) {
    replicas_[static_cast<std::size_t>(to)].gradients.add_(replicas_[static_cast<std::size_t>(from)].gradients);
  });
}

void FlatParameters::refresh_working_copy() {
  const at::NoGradGuard no_gradient;
  if (working_.defined()) working_.copy_(values_);
}

void FlatParameters::on_gradient(GradientCallback arrived) { *arrived_ = std::move(arrived); }

ReplicaScope::ReplicaScope(int replica) : before_(std::exchange(current_replica, replica)) {}

int ReplicaScope::current() { return current_replica; }

ReplicaScope::~ReplicaScope() { current_replica = before_; }

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

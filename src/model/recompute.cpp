#include "masksc/model/recompute.hpp"

#include <ATen/core/ivalue.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "masksc/model/parameters.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// Carries the segment from the forward to the backward pass, which a thread of LibTorch's may run.
struct HeldSegment : torch::CustomClassHolder {
  explicit HeldSegment(Segment s) : segment(std::move(s)) {}
  Segment segment;
  int replica = ReplicaScope::current();
};

at::Tensor leaf(const at::Tensor& saved) { return saved.defined() ? saved.detach().requires_grad_() : saved; }

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const std::optional<at::Tensor>& given,
                            const Segment& segment) {
    const at::Tensor memory = given.value_or(at::Tensor());
    context->save_for_backward({x, memory});
    context->saved_data["segment"] = c10::IValue::make_capsule(c10::make_intrusive<HeldSegment>(segment));
    return segment(x, memory);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto capsule = context->saved_data["segment"].toCapsule();
    auto& held = static_cast<HeldSegment&>(*capsule);
    const ReplicaScope replica(held.replica);
    const variable_list saved = context->get_saved_variables();
    const at::Tensor x = leaf(saved[0]);
    const at::Tensor memory = leaf(saved[1]);
    const at::AutoGradMode with_gradient(true);
    const at::Tensor y = held.segment(x, memory);
    torch::autograd::backward({y}, {gradients[0]});  // into the leaves, as the outer pass would
    return {x.grad(), memory.defined() ? memory.grad() : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor recomputed(const Segment& segment, const at::Tensor& x, const at::Tensor& memory) {
  // An undefined tensor is no input of a function, an empty optional is.
  return RecomputeFunction::apply(x, memory.defined() ? std::optional(memory) : std::nullopt, segment);
}

}  // namespace masksc

#include "masksc/model/recompute.hpp"

#include <ATen/core/ivalue.h>

#include "masksc/model/parameters.hpp"

namespace masksc {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;
using Segment = std::function<at::Tensor(const at::Tensor&)>;

/// Carries the segment from the forward to the backward pass, which a thread of LibTorch's may run.
struct HeldSegment : torch::CustomClassHolder {
  explicit HeldSegment(Segment s) : segment(std::move(s)) {}
  Segment segment;
  int replica = ReplicaScope::current();
};

class RecomputeFunction : public torch::autograd::Function<RecomputeFunction> {
 public:
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const Segment& segment) {
    context->save_for_backward({x});
    context->saved_data["segment"] = c10::IValue::make_capsule(c10::make_intrusive<HeldSegment>(segment));
    return segment(x);
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto capsule = context->saved_data["segment"].toCapsule();
    auto& held = static_cast<HeldSegment&>(*capsule);
    const ReplicaScope replica(held.replica);
    const at::Tensor x = context->get_saved_variables()[0].detach().requires_grad_();
    const at::AutoGradMode with_gradient(true);
    const at::Tensor y = held.segment(x);
    torch::autograd::backward({y}, {gradients[0]});  // into the leaves, as the outer pass would
    return {x.grad(), at::Tensor()};
  }
};

}  // namespace

at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& segment, const at::Tensor& x) {
  return RecomputeFunction::apply(x, segment);
}

}  // namespace masksc

// Gradient checkpointing: a segment of the network keeps only its input and is computed again in the backward pass.
#pragma once

#include <functional>

#include "masksc/model/torch.hpp"

namespace masksc {

/// A part of the network: x, and what all segments of a stack look at beside it, which may be undefined.
using Segment = std::function<at::Tensor(const at::Tensor& x, const at::Tensor& memory)>;

/// segment(x, memory), whose activations are not kept: the backward pass runs it again (Chen et al. 2016). Equal to
/// segment(x, memory) bit for bit, as are the gradients of one segment, when it is a pure function of its arguments and
/// of leaf tensors. Several segments add up their gradients of `memory` in the order of their blocks' backward passes.
at::Tensor recomputed(const Segment& segment, const at::Tensor& x, const at::Tensor& memory = {});

}  // namespace masksc

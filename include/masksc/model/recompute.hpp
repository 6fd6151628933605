// Gradient checkpointing: a segment of the network keeps only its input and is computed again in the backward pass.
#pragma once

#include <functional>

#include "masksc/model/torch.hpp"

namespace masksc {

/// segment(x), whose activations are not kept: the backward pass runs it again (Chen et al. 2016). Equal to segment(x)
/// bit for bit, as are the gradients, when the segment is a pure function of x and of leaf tensors.
at::Tensor recomputed(const std::function<at::Tensor(const at::Tensor&)>& segment, const at::Tensor& x);

}  // namespace masksc

// The one way to LibTorch's headers: tensors, autograd and operators, without the nn and data front ends.
// Precompiled once for all files that see Torch; each header more costs every one of them (custom_function.h a second).
#pragma once

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/variable.h>

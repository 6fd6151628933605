// The kernels of our own that this machine's CPU can run; which are as many as LibTorch lets its own be
// (ATEN_CPU_CAPABILITY).
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include "head_attention.hpp"
#include "masksc/model/torch.hpp"
#include "row_kernels.hpp"

namespace masksc {

/// Null where there is none.
template <class Element>
struct KernelsOf {
  const HeadAttention<Element>* attention = nullptr;
  const RowKernels<Element>* rows = nullptr;
};

/// In fp32 with AVX2 or AVX-512; in bf16 with AVX-512 that multiplies such numbers, and attention by tiles of them
/// (AMX) where it has these.
struct CpuKernels {
  KernelsOf<float> fp32;
  KernelsOf<Bf16Bits> bf16;
};
const CpuKernels& cpu_kernels();

/// Whether there are kernels for the type.
bool has_cpu_kernels(at::ScalarType type);

/// work(kernels) with those for the elements of `x`, which have some.
template <class Work>
void with_cpu_kernels(const at::Tensor& x, const Work& work) {
  if (x.scalar_type() == at::kBFloat16)
    work(cpu_kernels().bf16);
  else
    work(cpu_kernels().fp32);
}

/// An operator of LibTorch's dispatcher, so that traces, counts and recordings see it.
template <class Function>
auto operation(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Function>();
}

}  // namespace masksc

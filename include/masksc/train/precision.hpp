// Low precision: in which type passes compute, and the loss scale that keeps float16's gradients in range.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/model/torch.hpp"

namespace masksc {

/// fp16's loss scaling (Micikevicius et al. 2018): the loss is multiplied by `scale`; a step whose gradients overflow
/// is left out and halves it, down to 1, 2000 good ones in a row double it. 1 and constant for other precisions.
struct LossScale {
  double scale = 1;
  std::int64_t good_steps = 0;
  bool dynamic = false;

  [[nodiscard]] bool can_fall() const { return dynamic && scale > 1; }
  void update(bool overflow);
};

/// bf16, fp16 or float as --precision says for this device. `auto` is bf16 on a GPU and fp32 on a CPU.
at::ScalarType working_type(const std::string& precision, at::Device device);

/// As --precision names it.
const char* precision_name(at::ScalarType type);

/// Warns where a checkpoint of `step`, trained in precision `before` ("": unknown), goes on in another `type`.
void tell_of_other_precision(const std::string& before, at::ScalarType type, std::int64_t step);

/// Half precision on a CPU without instructions for it is several times slower than fp32.
void warn_if_slow(at::ScalarType type, at::Device device);

}  // namespace masksc

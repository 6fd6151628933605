// One copy of the weights on all ranks, also where ranks do not round alike.
#pragma once

#include <cstdint>
#include <string>

#include "masksc/model/parameters.hpp"
#include "masksc/train/context.hpp"

namespace masksc {

/// Before the last checkpoint of a training, or of a process: where some rank's copy of the weights has other bits than
/// rank 0's, which processors or GPUs of several kinds can bring about, all take rank 0's, with a warning. A
/// collective.
void agree_on_weights(FlatParameters& parameters, const std::string& stage, std::int64_t step, TrainContext& context);

}  // namespace masksc

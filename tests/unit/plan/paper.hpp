// The paper's configuration on 8 H100 of one node: 64 x 64 genes in patches of 4 x 4, 75 % masked.
#pragma once

#include "masksc/plan/input.hpp"

namespace masksc {

inline PlanInput paper() {
  PlanInput input;
  input.patch_genes = 16;
  input.tokens = 256;
  input.visible = 64;
  input.target_features = 60;
  input.dim = 768;
  input.encoder = {.depth = 12, .heads = 12};
  input.decoder = {.depth = 8, .heads = 16};
  input.cells = 4271;
  input.epochs = 1600;
  input.batch = 256;
  input.precision = PlanPrecision::half;
  input.ranks = 8;
  input.gpus_per_node = 8;
  input.device_name = "h100";
  input.network_name = "ndr400";
  input.device = device_preset("h100");
  input.network = network_preset("ndr400");
  return input;
}

}  // namespace masksc

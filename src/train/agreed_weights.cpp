#include "agreed_weights.hpp"

#include <fmt/format.h>

#include "masksc/model/distributed.hpp"

namespace masksc {

void agree_on_weights(FlatParameters& parameters, const std::string& stage, std::int64_t step, TrainContext& context) {
  Collectives& ranks = context.ranks;
  const std::string mine = parameters.hash();
  const bool same = mine == broadcast_text(ranks, mine);
  const int first = ranks.all_reduce(std::int32_t{same ? ranks.size() : ranks.rank()}, ReduceOp::min);
  if (first == ranks.size()) return;
  const at::Tensor own = parameters.values().clone();
  broadcast(ranks, parameters.values());
  parameters.refresh_working_copy();
  const double farthest = ranks.all_reduce((parameters.values() - own).abs().max().item<double>(), ReduceOp::max);
  context.warn(stage, step,
               fmt::format("rank {} rounds otherwise than rank 0: weights differed by up to {:.1e}, rank 0's are taken",
                           first, farthest));
}

}  // namespace masksc

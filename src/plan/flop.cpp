
#include "masksc/plan/cost.hpp"

namespace masksc {
namespace {

double real(std::int64_t value) { return static_cast<double>(value); }

/// Keys and values of all tokens; queries, projection, MLP (8 D^2) and attention (Q K^T, then times V) of the queries.
double block_flop(double dim, double tokens, double queries) {
  return 2 * dim * dim * (2 * tokens + 10 * queries) + 4 * queries * tokens * dim;
}

double stack_flop(double depth, double dim, double tokens) { return depth * block_flop(dim, tokens, tokens); }

double decoder_flop(const PlanInput& input, double queries) {
  if (input.cross_decoder)
    return real(input.decoder.depth) * block_flop(real(input.dim), real(input.visible) + 1, real(input.masked()) + 1);
  const double tokens = real(input.tokens) + 1;
  if (input.decoder.depth == 0) return 0;
  return stack_flop(real(input.decoder.depth - 1), real(input.dim), tokens) +
         block_flop(real(input.dim), tokens, queries);
}

/// The sequence encoder's layers after the first, for one answer.
double sequence_tail(const PlanSequenceEncoder& s) { return 2 * real(s.hidden2) * real(s.hidden1 + s.outputs); }

double last_queries(const PlanInput& input) {
  return input.last_queries > 0 ? real(input.last_queries) : real(input.tokens) + 1;
}

}  // namespace

double parameter_count(const PlanInput& input) {
  const double dim = real(input.dim);
  const auto linear = [](double in, double out) { return (in + 1) * out; };
  const double norm = 2 * dim;
  const double block = 2 * norm + linear(dim, 3 * dim) + linear(dim, dim) + linear(dim, 4 * dim) + linear(4 * dim, dim);
  double count = linear(real(input.patch_genes), dim) + 2 * dim;  // global and mask token
  if (input.learned_positions) count += 2 * real(input.tokens) * dim;
  count += real(input.encoder.depth + input.decoder.depth) * block;
  count += 2 * norm + linear(dim, dim) + linear(dim, real(input.target_features));
  if (input.teacher_features > 0) count += linear(dim, real(input.teacher_features));
  return count;
}

ForwardFlop formula_flop(const PlanInput& input) {
  const double dim = real(input.dim);
  const double per_token = 2 * real(input.tokens) * dim;
  ForwardFlop flop;
  flop.embedding = per_token * real(input.patch_genes);
  flop.encoder = stack_flop(real(input.encoder.depth), dim, real(input.visible) + 1);
  flop.bridge = per_token * dim;
  flop.decoder = decoder_flop(input, real(input.tokens) + 1);
  flop.head = per_token * real(input.target_features);
  return flop;
}

ForwardFlop done_flop(const PlanInput& input) {
  const double dim = real(input.dim);
  const PlanSequenceEncoder& s = input.sequence;
  ForwardFlop flop;
  flop.embedding = 2 * real(input.visible) * real(input.patch_genes) * dim;
  flop.encoder = stack_flop(real(input.encoder.depth), dim, real(input.visible) + 1);
  flop.bridge = 2 * (real(input.visible) + 1) * dim * dim;
  flop.decoder = decoder_flop(input, last_queries(input));
  flop.head = 2 * real(input.masked()) * dim * real(input.target_features);
  flop.guidance = 2 * dim * real(input.teacher_features);
  const double first_layer = 2 * real(input.tokens) * real(input.patch_genes) * real(s.hidden1);
  if (input.sequence_targets) flop.targets += first_layer + real(input.tokens) * sequence_tail(s);
  if (input.teacher_features > input.teacher_components) flop.targets += first_layer + sequence_tail(s);
  flop.targets += 2 * real(input.tokens * input.patch_genes) * real(input.teacher_components);
  return flop;
}

double formula_step_flop(const PlanInput& input) { return 3 * formula_flop(input).model(); }

double done_step_flop(const PlanInput& input) {
  const ForwardFlop forward = done_flop(input);
  return 3 * (forward.model() + forward.guidance) - forward.embedding + forward.targets;
}

double recompute_flop(const PlanInput& input) {
  const ForwardFlop forward = done_flop(input);
  return (input.encoder.recompute_every > 0 ? forward.encoder : 0) +
         (input.decoder.recompute_every > 0 ? forward.decoder : 0);
}

}  // namespace masksc

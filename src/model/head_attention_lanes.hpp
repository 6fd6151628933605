// HeadAttention in the vectors of a processor, with its tiles where it has them.
#pragma once

#include "head_attention.hpp"
#include "head_factors.hpp"

namespace masksc {

/// Factors: FloatFactors, PairFactors (head_factors.hpp) or TileFactors (head_tiles.hpp) of a processor.
template <class Factors>
class LanesAttention {
  using Lanes = typename Factors::Lanes;
  using Int = typename Lanes::Int;
  using Floats = typename Lanes::Floats;
  using Left = typename Lanes::Left;
  using Element = typename Factors::Element;

  static constexpr Int some_rows = Factors::queries_at_a_time;
  static constexpr Int together = Factors::rows_together;
  static constexpr float log2_e = 1.44269504F;

 public:
  static Int forward_room(const HeadShape& shape) {
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    return Factors::depth(shape.dim) * tokens + Factors::depth(shape.tokens) * width + some_rows * (tokens + width) +
           Factors::left_room(some_rows, tokens) + Factors::left_room(some_rows, shape.dim);
  }

  static void forward(const HeadShape& shape, const HeadInput<Element>& input, const HeadRows<Element>& output,
                      float* log_sums, float* room) {
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    const Int dim_depth = Factors::depth(shape.dim);
    const Int token_depth = Factors::depth(shape.tokens);
    float* const turned_keys = room;
    float* const packed_values = turned_keys + dim_depth * tokens;
    float* const scores = packed_values + token_depth * width;
    float* const sums = scores + some_rows * tokens;
    float* const left_weights = sums + some_rows * width;
    float* const left_queries = left_weights + Factors::left_room(some_rows, tokens);
    Factors::turn(input.keys, shape.tokens, shape.dim, turned_keys);
    Factors::pack(input.values, shape.tokens, shape.dim, packed_values);
    for (Int first = 0; first < shape.queries; first += some_rows) {
      const Int rows = Lanes::smaller(some_rows, shape.queries - first);
      const Left asking = Factors::left_of_rows(input.queries.from(first), rows, shape.dim, left_queries);
      Factors::product(rows, tokens, dim_depth, asking, turned_keys, tokens, {scores, tokens}, false);
      // Row after row, so that the processor need not wait for what combines a row's numbers.
      float largest[some_rows], sum[some_rows];
      for (Int row = 0; row < rows; ++row) {
        Lanes::hide_padding(scores + row * tokens, shape.tokens, tokens);
        largest[row] = Lanes::largest_in(scores + row * tokens, tokens);
      }
      for (Int row = 0; row < rows; ++row) {
        float* const to = Factors::left_row(scores, left_weights, row, tokens);
        sum[row] = Lanes::weigh(scores + row * tokens, tokens, shape.scale * log2_e, largest[row],
                                [to](Int token, const Floats& weights) { Factors::put_left(to, token, weights); });
      }
      float inverse[some_rows];
      for (Int row = 0; row < rows; ++row) {
        inverse[row] = 1 / sum[row];
        log_sums[first + row] = largest[row] * (shape.scale * log2_e) + __builtin_log2f(sum[row]);
      }
      const Left weights = Factors::left_of_table(scores, left_weights, rows, tokens);
      Factors::product(rows, width, token_depth, weights, packed_values, width, {sums, width}, false);
      Factors::unpack(sums, rows, shape.dim, output.from(first), inverse);
    }
  }

  static Int backward_room(const HeadShape& shape) {
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    return 2 * (Factors::depth(shape.dim) + some_rows) * tokens + (Factors::depth(shape.tokens) + some_rows) * width +
           2 * Factors::across_sums_room(shape.tokens, shape.dim) + 2 * Factors::across_room(some_rows, shape.dim) +
           Factors::left_room(some_rows, tokens) + 2 * Factors::left_room(some_rows, shape.dim);
  }

  /// With weights P and the gradient G of the output: the scores' gradient is P * (G V^T - sum of a row of G * output).
  static void backward(const HeadShape& shape, const HeadForBackward<Element>& given,
                       const HeadGradients<Element>& gradients, float* room) {
    const auto& [queries, keys, values] = given.input;
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    const Int dim_depth = Factors::depth(shape.dim);
    const Int token_depth = Factors::depth(shape.tokens);
    float* const turned_keys = room;
    float* const turned_values = turned_keys + dim_depth * tokens;
    float* const packed_keys = turned_values + dim_depth * tokens;
    float* const key_sums = packed_keys + token_depth * width;
    float* const value_sums = key_sums + Factors::across_sums_room(shape.tokens, shape.dim);
    float* const packed_queries = value_sums + Factors::across_sums_room(shape.tokens, shape.dim);
    float* const packed_gradient = packed_queries + Factors::across_room(some_rows, shape.dim);
    float* const query_sums = packed_gradient + Factors::across_room(some_rows, shape.dim);
    float* const weights = query_sums + some_rows * width;
    float* const slopes = weights + some_rows * tokens;
    float* const left_slopes = slopes + some_rows * tokens;
    float* const left_queries = left_slopes + Factors::left_room(some_rows, tokens);
    float* const left_gradient = left_queries + Factors::left_room(some_rows, shape.dim);
    Factors::turn(keys, shape.tokens, shape.dim, turned_keys);
    Factors::turn(values, shape.tokens, shape.dim, turned_values);
    Factors::pack(keys, shape.tokens, shape.dim, packed_keys);
    for (Int first = 0; first < shape.queries; first += some_rows) {
      const Int rows = Lanes::smaller(some_rows, shape.queries - first);
      const auto gradient = given.gradient.from(first);
      const auto output = given.output.from(first);
      Factors::pack_across(queries.from(first), rows, shape.dim, packed_queries);
      Factors::pack_across(gradient, rows, shape.dim, packed_gradient);
      Factors::product(rows, tokens, dim_depth,
                       Factors::left_of_rows(queries.from(first), rows, shape.dim, left_queries), turned_keys, tokens,
                       {weights, tokens}, false);
      Factors::product(rows, tokens, dim_depth, Factors::left_of_rows(gradient, rows, shape.dim, left_gradient),
                       turned_values, tokens, {slopes, tokens}, false);
      float common[some_rows];
      for (Int row = 0; row < rows; ++row) {
        Lanes::hide_padding(weights + row * tokens, shape.tokens, tokens);
        common[row] = Factors::dot(gradient.from(row).data, output.from(row).data, shape.dim);
      }
      for (Int row = 0; row < rows; row += together) {
        float* const weight_row = weights + row * tokens;
        float* const slope_row = slopes + row * tokens;
        for (Int token = 0; token < tokens; token += Lanes::lanes) {
          Floats weight[together] = {}, slope[together] = {};
#pragma GCC unroll 2
          for (Int i = 0; i < together; ++i)
            if (row + i < rows) {
              const Floats score = Lanes::load(weight_row + i * tokens + token) * (shape.scale * log2_e);
              weight[i] = Lanes::power_of_two(score - given.log_sums[first + row + i]);
              slope[i] = weight[i] * (Lanes::load(slope_row + i * tokens + token) - common[row + i]) * shape.scale;
              Factors::put_left(Factors::left_row(slopes, left_slopes, row + i, tokens), token, slope[i]);
            }
          Factors::put_across(weight_row + token, weight);
          Factors::put_across(slope_row + token, slope);
        }
      }
      Factors::product(rows, width, token_depth, Factors::left_of_table(slopes, left_slopes, rows, tokens), packed_keys,
                       width, {query_sums, width}, false);
      Factors::unpack(query_sums, rows, shape.dim, gradients.queries.from(first), nullptr);
      Factors::add_across(weights, rows, shape.tokens, packed_gradient, shape.dim, value_sums, first > 0);
      Factors::add_across(slopes, rows, shape.tokens, packed_queries, shape.dim, key_sums, first > 0);
    }
    Factors::unpack_across(key_sums, shape.tokens, shape.dim, gradients.keys);
    Factors::unpack_across(value_sums, shape.tokens, shape.dim, gradients.values);
  }

  static constexpr HeadAttention<Element> functions() { return {forward_room, backward_room, forward, backward}; }
};

}  // namespace masksc

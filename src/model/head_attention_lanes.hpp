// HeadAttention in the vectors of a processor.
#pragma once

#include "head_attention.hpp"
#include "head_factors.hpp"

namespace masksc {

/// Factors: FloatFactors or PairFactors of a processor.
template <class Factors>
class LanesAttention {
  using Lanes = typename Factors::Lanes;
  using Int = typename Lanes::Int;
  using Floats = typename Lanes::Floats;
  using Left = typename Lanes::Left;
  using Element = typename Factors::Element;

  static constexpr Int tile_rows = 72;  // queries at a time
  static_assert(tile_rows % Lanes::block_rows == 0 && tile_rows % 2 == 0);
  static constexpr float log2_e = 1.44269504F;

 public:
  static Int forward_room(const HeadShape& shape) {
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    return Factors::depth(shape.dim) * tokens + Factors::depth(shape.tokens) * width + tile_rows * (tokens + width) +
           Factors::left_room(tile_rows, tokens) + Factors::left_room(tile_rows, shape.dim);
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
    float* const sums = scores + tile_rows * tokens;
    float* const left_weights = sums + tile_rows * width;
    float* const left_queries = left_weights + Factors::left_room(tile_rows, tokens);
    turn_rows<Lanes>(input.keys, shape.tokens, shape.dim, turned_keys);
    Factors::pack(input.values, shape.tokens, shape.dim, packed_values);
    for (Int first = 0; first < shape.queries; first += tile_rows) {
      const Int rows = Lanes::smaller(tile_rows, shape.queries - first);
      const Left asking = Factors::left(input.queries.from(first), rows, shape.dim, left_queries);
      Lanes::product(rows, tokens, dim_depth, asking, turned_keys, tokens, {scores, tokens}, false);
      float inverse[tile_rows];
      for (Int row = 0; row < rows; ++row) {
        float sum = 0;
        const float greatest = Lanes::weigh(scores + row * tokens, shape.tokens, tokens, shape.scale * log2_e, sum);
        inverse[row] = 1 / sum;
        log_sums[first + row] = greatest + __builtin_log2f(sum);
      }
      const Left weights = Factors::left(scores, rows, tokens, left_weights);
      Lanes::product(rows, width, token_depth, weights, packed_values, width, {sums, width}, false);
      Factors::unpack(sums, rows, shape.dim, output.from(first), inverse);
    }
  }

  static Int backward_room(const HeadShape& shape) {
    const Int width = Lanes::whole_vectors(shape.dim);
    const Int tokens = Lanes::whole_vectors(shape.tokens);
    return 2 * (Factors::depth(shape.dim) + tile_rows) * tokens +
           (Factors::depth(shape.tokens) + 2 * shape.tokens + 2 * Factors::depth(tile_rows) + tile_rows) * width +
           Factors::left_room(tile_rows, tokens) + 2 * Factors::left_room(tile_rows, shape.dim);
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
    float* const value_sums = key_sums + shape.tokens * width;
    float* const packed_queries = value_sums + shape.tokens * width;
    float* const packed_gradient = packed_queries + Factors::depth(tile_rows) * width;
    float* const query_sums = packed_gradient + Factors::depth(tile_rows) * width;
    float* const weights = query_sums + tile_rows * width;
    float* const slopes = weights + tile_rows * tokens;
    float* const left_slopes = slopes + tile_rows * tokens;
    float* const left_queries = left_slopes + Factors::left_room(tile_rows, tokens);
    float* const left_gradient = left_queries + Factors::left_room(tile_rows, shape.dim);
    turn_rows<Lanes>(keys, shape.tokens, shape.dim, turned_keys);
    turn_rows<Lanes>(values, shape.tokens, shape.dim, turned_values);
    Factors::pack(keys, shape.tokens, shape.dim, packed_keys);
    for (Int first = 0; first < shape.queries; first += tile_rows) {
      const Int rows = Lanes::smaller(tile_rows, shape.queries - first);
      const auto gradient = given.gradient.from(first);
      const auto output = given.output.from(first);
      Factors::pack(queries.from(first), rows, shape.dim, packed_queries);
      Factors::pack(gradient, rows, shape.dim, packed_gradient);
      Lanes::product(rows, tokens, dim_depth, Factors::left(queries.from(first), rows, shape.dim, left_queries),
                     turned_keys, tokens, {weights, tokens}, false);
      Lanes::product(rows, tokens, dim_depth, Factors::left(gradient, rows, shape.dim, left_gradient), turned_values,
                     tokens, {slopes, tokens}, false);
      for (Int row = 0; row < rows; ++row) {
        Lanes::hide_padding(weights + row * tokens, shape.tokens, tokens);
        const float common = Factors::dot(gradient.from(row).data, output.from(row).data, shape.dim);
        for (Int token = row * tokens; token < (row + 1) * tokens; token += Lanes::lanes) {
          const Floats score = Lanes::load(weights + token) * (shape.scale * log2_e);
          const Floats weight = Lanes::power_of_two(score - given.log_sums[first + row]);
          Lanes::store(weights + token, weight);
          Lanes::store(slopes + token, weight * (Lanes::load(slopes + token) - common) * shape.scale);
        }
      }
      Lanes::product(rows, width, token_depth, Factors::left(slopes, rows, tokens, left_slopes), packed_keys, width,
                     {query_sums, width}, false);
      Factors::unpack(query_sums, rows, shape.dim, gradients.queries.from(first), nullptr);
      const Int row_depth = Factors::depth(rows);
      Lanes::product(shape.tokens, width, row_depth, Factors::turned_left(weights, rows, tokens), packed_gradient,
                     width, {value_sums, width}, first > 0);
      Lanes::product(shape.tokens, width, row_depth, Factors::turned_left(slopes, rows, tokens), packed_queries, width,
                     {key_sums, width}, first > 0);
    }
    Factors::unpack(key_sums, shape.tokens, shape.dim, gradients.keys, nullptr);
    Factors::unpack(value_sums, shape.tokens, shape.dim, gradients.values, nullptr);
  }

  static constexpr HeadAttention<Element> functions() { return {forward_room, backward_room, forward, backward}; }
};

}  // namespace masksc

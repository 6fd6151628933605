#include "masksc/model/masked_autoencoder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/model/block.hpp"
#include "masksc/model/recompute.hpp"

namespace masksc {
namespace {

std::string encoder_block(std::int64_t i) { return fmt::format("encoder.{}", i); }
std::string decoder_block(std::int64_t i) { return fmt::format("decoder.{}", i); }

std::vector<ParameterSpec> specs_of(const AutoencoderShape& shape) {
  const std::int64_t dim = shape.model.dim;
  const Initial token = Initial::normal(0.02);
  std::vector<ParameterSpec> specs;
  add_linear(specs, "embed", shape.patch_genes, dim);  // a P x P convolution of stride P, on patches laid out flat
  specs.push_back({"cls", {1, 1, dim}, token, false});
  specs.push_back({"mask_token", {1, 1, dim}, token, false});
  if (shape.model.positions == Positions::learned) {
    specs.push_back({"pos", {1, shape.tokens(), dim}, token, false});
    specs.push_back({"dec_pos", {1, shape.tokens(), dim}, token, false});
  }
  for (std::int64_t i = 0; i < shape.model.encoder_depth; ++i) add_block(specs, encoder_block(i), dim);
  add_norm(specs, "enc_norm", dim);
  add_linear(specs, "bridge", dim, dim);
  for (std::int64_t i = 0; i < shape.model.decoder_depth; ++i) add_block(specs, decoder_block(i), dim);
  add_norm(specs, "dec_norm", dim);
  add_linear(specs, "head", dim, shape.target_features);
  if (shape.teacher_features > 0) add_linear(specs, "guide", dim, shape.teacher_features);
  return specs;
}

/// 2-D sine-cosine positions as in MAE: half of the features for the row, half for the column. [1, G, D]
at::Tensor sincos_positions(const AutoencoderShape& shape) {
  const std::int64_t quarter = shape.model.dim / 4;
  at::Tensor positions = at::zeros({1, shape.tokens(), shape.model.dim}, at::kFloat);
  auto out = positions.accessor<float, 3>();
  for (std::int64_t t = 0; t < shape.tokens(); ++t) {
    const auto [row, column] = shape.token_places[static_cast<std::size_t>(t)];
    for (std::int64_t i = 0; i < quarter; ++i) {
      const double omega = std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(quarter));
      const std::int64_t coordinates[] = {row, column};
      for (std::int64_t half = 0; half < 2; ++half) {
        const double angle = omega * static_cast<double>(coordinates[half]);
        out[0][t][2 * half * quarter + i] = static_cast<float>(std::sin(angle));
        out[0][t][(2 * half + 1) * quarter + i] = static_cast<float>(std::cos(angle));
      }
    }
  }
  return positions;
}

/// Of the encoder's answer [B, 1 + U, D] without the global token, [B, D].
at::Tensor mean_of_patches(const at::Tensor& encoded) { return encoded.narrow(1, 1, encoded.size(1) - 1).mean(1); }

BranchDropout branch_dropout(const std::optional<DropoutKey>& key, double p, std::int64_t block) {
  if (!key || p <= 0) return {};
  return [key = *key, p, block](const at::Tensor& branch, int part) {
    DropoutKey mine = key;
    mine.layer = static_cast<std::uint32_t>(2 * block + part + 2);  // 0 and 1 are the views of stage 1
    return keyed_dropout(branch, p, mine);
  };
}

/// Layer i of a stack: its input, and the memory that all of them look at (undefined where there is none).
using Layer = std::function<at::Tensor(std::int64_t, const at::Tensor&, const at::Tensor&)>;

/// Layers [0, count) one after the other, in segments of `every` that are computed again in the backward pass; 0: none.
at::Tensor apply_layers(std::int64_t count, std::int64_t every, at::Tensor x, const at::Tensor& memory,
                        const Layer& layer) {
  const std::int64_t length = every > 0 && at::GradMode::is_enabled() ? every : 0;
  if (length == 0) {
    for (std::int64_t i = 0; i < count; ++i) x = layer(i, x, memory);
    return x;
  }
  for (std::int64_t first = 0; first < count; first += length)
    x = recomputed(
        [layer, first, last = std::min(first + length, count)](const at::Tensor& input, const at::Tensor& shared) {
          at::Tensor y = input;
          for (std::int64_t i = first; i < last; ++i) y = layer(i, y, shared);
          return y;
        },
        x, memory);
  return x;
}

}  // namespace

MaskedAutoencoder::MaskedAutoencoder(AutoencoderShape shape, std::uint64_t seed, at::Device device)
    : shape_(std::move(shape)), parameters_(specs_of(shape_), seed, 0, device) {
  if (shape_.model.positions == Positions::sincos) sincos_ = sincos_positions(shape_).to(device);
}

at::Tensor MaskedAutoencoder::positions(const std::string& name) const {
  return sincos_.defined() ? sincos_.to(parameters_.working_type()) : parameters_.at(name);
}

at::Tensor MaskedAutoencoder::embed(const at::Tensor& patches, const at::Tensor& keep) const {
  const std::int64_t cells = patches.size(0);
  const at::Tensor shown = keep.defined() ? take_tokens(patches, keep) : patches;
  at::Tensor tokens = apply_linear(parameters_, "embed", shown.to(parameters_.working_type()));
  const at::Tensor places = positions("pos");
  tokens = tokens + (keep.defined() ? take_places(places, keep) : places);
  return at::cat({parameters_.at("cls").expand({cells, -1, -1}), tokens}, 1);
}

at::Tensor MaskedAutoencoder::encode(const at::Tensor& patches, const at::Tensor& keep,
                                     const std::optional<DropoutKey>& key) const {
  const at::Tensor x = apply_layers(shape_.model.encoder_depth, recompute_.encoder_blocks, embed(patches, keep), {},
                                    [this, key](std::int64_t i, const at::Tensor& input, const at::Tensor& /*none*/) {
                                      return apply_block(parameters_, encoder_block(i), shape_.model.encoder_heads,
                                                         input, branch_dropout(key, shape_.model.dropout, i));
                                    });
  return apply_norm(parameters_, "enc_norm", x);
}

BranchDropout MaskedAutoencoder::decoder_dropout(const std::optional<DropoutKey>& key, std::int64_t i) const {
  return branch_dropout(key, shape_.model.dropout, shape_.model.encoder_depth + i);
}

at::Tensor MaskedAutoencoder::decode_all(const at::Tensor& asking, const at::Tensor& visible,
                                         const std::optional<DropoutKey>& key) const {
  const std::int64_t asked = asking.size(1);
  const std::int64_t last = shape_.model.decoder_depth - 1;
  const at::Tensor x =
      apply_layers(last + 1, recompute_.decoder_blocks, at::cat({asking, visible}, 1), {},
                   [this, key, last, asked](std::int64_t i, const at::Tensor& input, const at::Tensor& /*none*/) {
                     return apply_block(parameters_, decoder_block(i), shape_.model.decoder_heads, input,
                                        decoder_dropout(key, i), i == last ? std::optional(asked) : std::nullopt);
                   });
  return last < 0 ? x.narrow(1, 0, asked) : x;
}

at::Tensor MaskedAutoencoder::decode_masked(const at::Tensor& asking, const at::Tensor& visible,
                                            const std::optional<DropoutKey>& key) const {
  const at::Tensor memory = at::cat({asking.narrow(1, 0, 1), visible}, 1);  // the global token answers, too
  return apply_layers(shape_.model.decoder_depth, recompute_.decoder_blocks, asking, memory,
                      [this, key](std::int64_t i, const at::Tensor& input, const at::Tensor& shared) {
                        return apply_cross_block(parameters_, decoder_block(i), shape_.model.decoder_heads, input,
                                                 shared, decoder_dropout(key, i));
                      });
}

MaskedAutoencoder::Output MaskedAutoencoder::forward(const at::Tensor& patches, const at::Tensor& keep,
                                                     const at::Tensor& masked,
                                                     const std::optional<DropoutKey>& key) const {
  Output output;
  output.encoded = encode(patches, keep, key);
  const at::Tensor bridged = apply_linear(parameters_, "bridge", output.encoded);
  const at::Tensor places = positions("dec_pos");
  const at::Tensor visible = bridged.narrow(1, 1, keep.size(1)) + take_places(places, keep);
  const at::Tensor asking =
      at::cat({bridged.narrow(1, 0, 1), parameters_.at("mask_token") + take_places(places, masked)}, 1);
  const at::Tensor x =
      shape_.model.decoder == Decoder::cross ? decode_masked(asking, visible, key) : decode_all(asking, visible, key);
  const at::Tensor hidden = apply_norm(parameters_, "dec_norm", x.narrow(1, 1, masked.size(1)));
  output.predictions = apply_linear(parameters_, "head", hidden).to(at::kFloat);
  output.global = apply_norm(parameters_, "dec_norm", x.select(1, 0));
  return output;
}

at::Tensor MaskedAutoencoder::predict_teacher(const Output& output, GuidanceToken token) const {
  ensure(shape_.teacher_features > 0, "a model without guidance predicts no teacher");
  return apply_linear(parameters_, "guide",
                      token == GuidanceToken::mean ? mean_of_patches(output.encoded) : output.global)
      .to(at::kFloat);
}

at::Tensor MaskedAutoencoder::features(const at::Tensor& patches) const {
  const at::Tensor mean = mean_of_patches(encode(patches, {}));
  return (shape_.predicted_features ? apply_linear(parameters_, "guide", mean) : mean).to(at::kFloat);
}

at::Tensor MaskedAutoencoder::last_attention(const at::Tensor& patches) const {
  at::Tensor x = embed(patches, {});
  const std::int64_t last = shape_.model.encoder_depth - 1;
  for (std::int64_t i = 0; i < last; ++i) x = apply_block(parameters_, encoder_block(i), shape_.model.encoder_heads, x);
  return block_attention(parameters_, encoder_block(last), shape_.model.encoder_heads, x);
}

}  // namespace masksc

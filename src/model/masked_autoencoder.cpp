#include "masksc/model/masked_autoencoder.hpp"

#include <fmt/format.h>

#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/model/block.hpp"

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

/// x [B, T, D], index [B, K] -> [B, K, D]
at::Tensor rows(const at::Tensor& x, const at::Tensor& index) {
  return at::gather(x, 1, index.unsqueeze(-1).expand({-1, -1, x.size(-1)}));
}

BranchDropout branch_dropout(const std::optional<DropoutKey>& key, double p, std::int64_t block) {
  if (!key || p <= 0) return {};
  return [key = *key, p, block](const at::Tensor& branch, int part) {
    DropoutKey mine = key;
    mine.layer = static_cast<std::uint32_t>(2 * block + part + 2);  // 0 and 1 are the views of stage 1
    return keyed_dropout(branch, p, mine);
  };
}

}  // namespace

MaskedAutoencoder::MaskedAutoencoder(AutoencoderShape shape, std::uint64_t seed, at::Device device)
    : shape_(std::move(shape)), parameters_(specs_of(shape_), seed, 0, device) {
  if (shape_.model.positions == Positions::sincos) {
    encoder_positions_ = sincos_positions(shape_).to(device);
    decoder_positions_ = encoder_positions_;
  } else {
    encoder_positions_ = parameters_.at("pos");
    decoder_positions_ = parameters_.at("dec_pos");
  }
}

at::Tensor MaskedAutoencoder::embed(const at::Tensor& patches, const at::Tensor& keep) const {
  const std::int64_t cells = patches.size(0);
  at::Tensor tokens = apply_linear(parameters_, "embed", keep.defined() ? rows(patches, keep) : patches);
  const at::Tensor positions = encoder_positions_.expand({cells, -1, -1});
  tokens = tokens + (keep.defined() ? rows(positions, keep) : positions);
  return at::cat({parameters_.at("cls").expand({cells, -1, -1}), tokens}, 1);
}

at::Tensor MaskedAutoencoder::encode(const at::Tensor& patches, const at::Tensor& keep,
                                     const std::optional<DropoutKey>& key) const {
  at::Tensor x = embed(patches, keep);
  for (std::int64_t i = 0; i < shape_.model.encoder_depth; ++i)
    x = apply_block(parameters_, encoder_block(i), shape_.model.encoder_heads, x,
                    branch_dropout(key, shape_.model.dropout, i));
  return apply_norm(parameters_, "enc_norm", x);
}

MaskedAutoencoder::Output MaskedAutoencoder::forward(const at::Tensor& patches, const at::Tensor& keep,
                                                     const at::Tensor& masked,
                                                     const std::optional<DropoutKey>& key) const {
  Output output;
  output.encoded = encode(patches, keep, key);
  const at::Tensor bridged = apply_linear(parameters_, "bridge", output.encoded);
  const std::int64_t cells = patches.size(0);
  at::Tensor tokens = parameters_.at("mask_token").expand({cells, shape_.tokens(), -1});
  const at::Tensor places = keep.unsqueeze(-1).expand({-1, -1, shape_.model.dim});
  tokens = at::scatter(tokens, 1, places, bridged.narrow(1, 1, keep.size(1))) + decoder_positions_;
  at::Tensor x = at::cat({bridged.narrow(1, 0, 1), tokens}, 1);
  for (std::int64_t i = 0; i < shape_.model.decoder_depth; ++i)
    x = apply_block(parameters_, decoder_block(i), shape_.model.decoder_heads, x,
                    branch_dropout(key, shape_.model.dropout, shape_.model.encoder_depth + i));
  output.predictions = apply_linear(parameters_, "head", apply_norm(parameters_, "dec_norm", rows(x, masked + 1)));
  output.global = apply_norm(parameters_, "dec_norm", x.select(1, 0));
  return output;
}

at::Tensor MaskedAutoencoder::predict_teacher(const Output& output, GuidanceToken token) const {
  ensure(shape_.teacher_features > 0, "a model without guidance predicts no teacher");
  const std::int64_t visible = output.encoded.size(1) - 1;
  return apply_linear(parameters_, "guide",
                      token == GuidanceToken::mean ? output.encoded.narrow(1, 1, visible).mean(1) : output.global);
}

at::Tensor MaskedAutoencoder::last_attention(const at::Tensor& patches) const {
  at::Tensor x = embed(patches, {});
  const std::int64_t last = shape_.model.encoder_depth - 1;
  for (std::int64_t i = 0; i < last; ++i) x = apply_block(parameters_, encoder_block(i), shape_.model.encoder_heads, x);
  return block_attention(parameters_, encoder_block(last), shape_.model.encoder_heads, x);
}

}  // namespace masksc

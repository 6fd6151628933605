// --decoder cross beside the paper's decoder: who sees whom, and recomputation with a memory.
#include <gtest/gtest.h>

#include "masksc/model/masked_autoencoder.hpp"
#include "patch_grid.hpp"

namespace masksc {
namespace {

constexpr std::int64_t cells = 3;

AutoencoderShape shape_with(Decoder decoder, std::int64_t depth) {
  AutoencoderShape shape;
  shape.patch_genes = 4;
  shape.token_places = token_grid(3, 4);
  shape.target_features = 5;
  shape.teacher_features = 6;
  shape.model = {.dim = 16,
                 .encoder_depth = 2,
                 .encoder_heads = 2,
                 .decoder_depth = depth,
                 .decoder_heads = 4,
                 .decoder = decoder,
                 .mask_ratio = 0.6,
                 .dropout = 0.2};
  return shape;
}

at::Tensor tokens(std::vector<std::int64_t> places) {
  const auto count = static_cast<std::int64_t>(places.size());
  return at::tensor(places).unsqueeze(0).expand({cells, count}).contiguous();
}

struct Decoders : testing::Test {
  at::Tensor keep = tokens({0, 3, 7, 8, 11});
  at::Tensor masked = tokens({1, 2, 4, 5, 6, 9, 10});
  at::Tensor patches;
  Decoders() {
    at::manual_seed(3);
    patches = at::randn({cells, 12, 4});
  }

  static double difference(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

  /// How much the predictions of tokens 4 and 5 change when the decoder's position of `token` is another.
  double moved(Decoder decoder, std::int64_t token) const {
    MaskedAutoencoder model(shape_with(decoder, 3), 0, at::kCPU);
    const at::NoGradGuard no_gradient;
    const at::Tensor before = model.forward(patches, keep, masked).predictions;
    model.parameters().at("dec_pos").select(1, token).add_(at::randn({16}));
    const at::Tensor after = model.forward(patches, keep, masked).predictions;
    return difference(before.narrow(1, 2, 2), after.narrow(1, 2, 2));
  }

  /// Gradients of all parameters, of a loss of all that the decoder gives.
  at::Tensor gradients(Decoder decoder, Recompute recompute) const {
    MaskedAutoencoder model(shape_with(decoder, 5), 0, at::kCPU);
    model.set_recompute(recompute);
    const auto output = model.forward(patches, keep, masked, DropoutKey{1, 2, 0, ids});
    (output.predictions.square().sum() + model.predict_teacher(output, GuidanceToken::global).square().sum())
        .backward();
    return model.parameters().gradients().clone();
  }

  at::Tensor ids = at::tensor({4, 5, 6}, at::kLong);
};

TEST_F(Decoders, MaskedTokensOfTheCrossDecoderSeeTheVisibleOnesAlone) {
  const std::int64_t another_masked = 2;
  const std::int64_t visible = 3;
  EXPECT_EQ(moved(Decoder::cross, another_masked), 0);
  EXPECT_GT(moved(Decoder::full, another_masked), 1e-3);
  for (const Decoder decoder : {Decoder::full, Decoder::cross}) {
    EXPECT_GT(moved(decoder, visible), 1e-3) << "positions of the visible tokens are known";
    EXPECT_GT(moved(decoder, 4), 1e-3);
  }
}

TEST_F(Decoders, APredictionStaysWhenAnotherTokenIsNotAskedFor) {
  const MaskedAutoencoder model(shape_with(Decoder::cross, 3), 0, at::kCPU);
  const at::NoGradGuard no_gradient;
  const auto all = model.forward(patches, keep, masked);
  const auto fewer = model.forward(patches, keep, tokens({1, 4, 5, 6, 10}));
  EXPECT_LT(difference(all.predictions.narrow(1, 2, 3), fewer.predictions.narrow(1, 1, 3)), 1e-6);
  EXPECT_LT(difference(all.global, fewer.global), 1e-6);
}

TEST_F(Decoders, HaveTheSameParameters) {
  const MaskedAutoencoder full(shape_with(Decoder::full, 2), 5, at::kCPU);
  const MaskedAutoencoder cross(shape_with(Decoder::cross, 2), 5, at::kCPU);
  EXPECT_EQ(full.parameters().hash(), cross.parameters().hash());
}

TEST_F(Decoders, WithoutBlocksAreEqual) {
  const at::NoGradGuard no_gradient;
  const auto predictions = [&](Decoder decoder) {
    return MaskedAutoencoder(shape_with(decoder, 0), 0, at::kCPU).forward(patches, keep, masked).predictions;
  };
  EXPECT_LT(difference(predictions(Decoder::full), predictions(Decoder::cross)), 1e-6);
}

TEST_F(Decoders, DropTheirBranches) {
  const at::NoGradGuard no_gradient;
  for (const Decoder decoder : {Decoder::full, Decoder::cross}) {
    AutoencoderShape shape = shape_with(decoder, 2);
    shape.model.encoder_depth = 0;
    const MaskedAutoencoder model(shape, 0, at::kCPU);
    const at::Tensor whole = model.forward(patches, keep, masked).predictions;
    EXPECT_GT(difference(model.forward(patches, keep, masked, DropoutKey{1, 2, 0, ids}).predictions, whole), 1e-3);
  }
}

TEST_F(Decoders, RecomputationGivesTheSameGradients) {
  const at::Tensor kept = gradients(Decoder::cross, {});
  // Single blocks add nothing up in another order. Longer segments add up what they want of the memory.
  for (const Recompute recompute : {Recompute{1, 0}, Recompute{0, 1}, Recompute{1, 1}})
    EXPECT_TRUE(at::equal(gradients(Decoder::cross, recompute), kept));
  for (const Recompute recompute : {Recompute{1, 2}, Recompute{0, 5}, Recompute{0, 9}})
    EXPECT_LT(((gradients(Decoder::cross, recompute) - kept).norm() / kept.norm()).item<double>(), 1e-6);
}

}  // namespace
}  // namespace masksc

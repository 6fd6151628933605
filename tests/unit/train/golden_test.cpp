// Both stages against a PyTorch reference in double precision (tests/golden/model.py).
#include <gtest/gtest.h>

#include "array_parameters.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/model/components.hpp"
#include "masksc/model/contrastive.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/train/optimizer.hpp"
#include "masksc/train/trainer.hpp"
#include "patch_grid.hpp"

namespace masksc {
namespace {

constexpr double tolerance = 1e-5;

ArrayFile golden() { return ArrayFile::open(MASKSC_TEST_GOLDEN "/model.h5"); }

at::Tensor tensor(const ArrayFile& file, const std::string& name) {
  const std::vector<double> values = file.read<double>(name);
  return at::tensor(at::ArrayRef<double>(values), at::kDouble).view(file.info(name).shape);
}

/// |a - b| / |b|, norm-wise.
double distance(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor reference = b.to(at::kDouble);
  return ((a.detach().to(at::kDouble) - reference).norm() / (reference.norm() + 1e-12)).item<double>();
}

SequenceEncoder sequence_encoder(const ArrayFile& file) {
  SequenceEncoder encoder({.groups = 1, .inputs = 36, .hidden1 = 10, .hidden2 = 8, .outputs = 6}, 0, 1, at::kCPU);
  read_parameters(file, "sequence", encoder.parameters(), encoder.parameters().values());
  const char* running[] = {"norm1.running_mean", "norm1.running_var", "norm2.running_mean", "norm2.running_var"};
  for (std::size_t i = 0; i < 4; ++i) read_tensor(file, std::string("sequence/") + running[i], encoder.running()[i]);
  return encoder;
}

/// The weights of `group`: those of the paper's decoder, or "cross/".
MaskedAutoencoder autoencoder(const ArrayFile& file, const std::string& group = "") {
  AutoencoderShape shape;
  shape.patch_genes = 4;
  shape.token_places = token_grid(3, 3);
  shape.target_features = 6;
  shape.teacher_features = 6;
  const bool cross = group == "cross/";
  shape.model = {.dim = 16,
                 .encoder_depth = 2,
                 .encoder_heads = 2,
                 .decoder_depth = cross ? 2 : 1,
                 .decoder_heads = 2,
                 .decoder = cross ? Decoder::cross : Decoder::full,
                 .mask_ratio = 0.6};
  MaskedAutoencoder model(shape, 0, at::kCPU);
  read_parameters(file, group + "weights", model.parameters(), model.parameters().values());
  return model;
}

Targets targets(const ArrayFile& file, const at::Tensor& patches, GuidanceTarget guided_by = GuidanceTarget::sequence) {
  const auto whole = std::make_shared<SequenceEncoder>(sequence_encoder(file));
  Targets made({.target = Target::contrastive, .guidance = 0.5, .guidance_target = guided_by}, 9, 4, whole, nullptr);
  const auto alone = single_rank();
  const std::int64_t cells = patches.size(0);
  const auto tiles = [&](const std::function<void(const Tile&)>& work) { work({patches, 0, {0, cells}}); };
  const at::Tensor loadings = component_axes(tiles, patches[0].numel(), 20, *alone, at::kCPU).loadings;
  made.standardise(tiles, cells, loadings, *alone);
  return made;
}

TEST(Golden, MasksAreThoseOfThePhiloxReference) {
  const ArrayFile file = golden();
  const auto visible = file.read<std::int64_t>("visible");
  const auto masked = file.read<std::int64_t>("masked");
  std::vector<std::int64_t> cells(12);
  for (std::size_t i = 0; i < cells.size(); ++i) cells[i] = static_cast<std::int64_t>(i);
  std::vector<std::int64_t> drawn_visible;
  std::vector<std::int64_t> drawn_masked;
  for (std::uint32_t epoch = 0; epoch < 10; ++epoch) {
    const Masks masks = draw_masks(7, epoch, cells, 9, visible_tokens(9, 0.6));
    drawn_visible.insert(drawn_visible.end(), masks.visible.begin(), masks.visible.end());
    drawn_masked.insert(drawn_masked.end(), masks.masked.begin(), masks.masked.end());
  }
  EXPECT_EQ(drawn_visible, visible);
  EXPECT_EQ(drawn_masked, masked);
}

TEST(Golden, TargetsAreTheAnswersToEachPatchAlone) {
  const ArrayFile file = golden();
  const at::Tensor patches = tensor(file, "patches").to(at::kFloat);
  const Targets made = targets(file, patches);
  EXPECT_LT(distance(made.targets(patches), tensor(file, "targets")), tolerance);
  EXPECT_LT(distance(made.teacher(patches), tensor(file, "teacher")), tolerance);
}

TEST(Golden, AnswerAndComponentsGuideAlike) {
  const ArrayFile file = golden();
  const at::Tensor patches = tensor(file, "patches").to(at::kFloat);
  const at::Tensor alone = tensor(file, "teacher");  // [n, 6] of the sequence encoder
  const at::Tensor both = targets(file, patches, GuidanceTarget::both).teacher(patches);
  const auto cells = static_cast<double>(patches.size(0));
  ASSERT_EQ(both.size(1), 6 + 20);
  const at::Tensor answer = both.narrow(1, 0, 6);
  const at::Tensor components = both.narrow(1, 6, 20);
  EXPECT_LT(distance(answer / std::sqrt(26.0 / 12), alone), 1e-5);
  EXPECT_NEAR(components.square().sum().item<double>() / cells, 13, 13 * 0.02) << "half of 26 features of variance 1";
  EXPECT_LT(components.mean(0).abs().max().item<double>(), 1e-5);

  // Singular values of the centred cells, but for the common scale.
  const at::Tensor x = patches.flatten(1).to(at::kDouble);
  const at::Tensor want = std::get<1>(at::linalg_svd(x - x.mean(0), false)).narrow(0, 0, 5);
  const at::Tensor found = components.to(at::kDouble).norm(2, 0).narrow(0, 0, 5);
  EXPECT_LT((found / found[0] - want / want[0]).abs().max().item<double>(), 1e-3);
  EXPECT_EQ(targets(file, patches, GuidanceTarget::components).teacher(patches).size(1), 20);
}

TEST(Golden, EmbeddingAndAttention) {
  const ArrayFile file = golden();
  const at::Tensor patches = tensor(file, "patches").to(at::kFloat);
  const MaskedAutoencoder model = autoencoder(file);
  EXPECT_LT(distance(model.encode(patches, {}).narrow(1, 1, 9).mean(1), tensor(file, "embedding")), tolerance);
  EXPECT_LT(distance(model.last_attention(patches), tensor(file, "attention")), tolerance);
}

void check_gradients_and_ten_losses(const std::string& group, GuidanceToken token) {
  const ArrayFile file = golden();
  const at::Tensor patches = tensor(file, "patches").to(at::kFloat);
  const Targets made = targets(file, patches);
  MaskedAutoencoder model = autoencoder(file, group);
  AdamW optimizer(model.parameters(), {.weight_decay = 0.05});
  const at::Tensor visible = tensor(file, "visible").to(at::kLong);
  const at::Tensor masked = tensor(file, "masked").to(at::kLong);
  const std::vector<double> losses = file.read<double>(group + "losses");
  const TargetSettings settings{.target = Target::contrastive, .guidance = 0.5, .guidance_token = token};
  for (std::int64_t step = 0; step < 10; ++step) {
    const LossShares shares =
        batch_loss(model, made, settings, {patches, at::ones({12}), visible[step], masked[step], {}}, 12, std::nullopt);
    const at::Tensor loss = shares.masked + 0.5 * shares.guidance;
    model.parameters().gradients().zero_();
    loss.backward();
    if (step == 0)
      for (std::size_t i = 0; i < model.parameters().specs().size(); ++i) {
        const std::string& name = model.parameters().specs()[i].name;
        const at::Tensor mine = model.parameters().part(model.parameters().gradients(), i);
        // the key's share of the qkv bias has no effect on a softmax: its gradient is rounding
        EXPECT_LT(distance(mine, tensor(file, group + "gradients/" + name)), tolerance) << name;
      }
    EXPECT_NEAR(loss.item<double>() / losses[static_cast<std::size_t>(step)], 1, tolerance) << "step " << step;
    const double norm = std::sqrt(squared_norm(model.parameters(), optimizer.slices()));
    optimizer.step(model.parameters(), scheduled_learning_rate(step, 10, 1e-2, 0.2), clipping_divisor(norm, 1.0));
  }
}

TEST(Norm, ByRowsIsTheSame) {
  for (const std::int64_t count : {1, 1023, 1024, 100000}) {
    const at::Tensor x = at::randn({count}, at::detail::createCPUGenerator(3), at::kFloat);
    const auto wanted = x.to(at::kDouble).square().sum().item<double>();
    EXPECT_NEAR(squares_by_rows(x).item<double>() / wanted, 1, 1e-6) << count;
  }
}

TEST(Golden, GradientsAndTenLosses) { check_gradients_and_ten_losses("", GuidanceToken::mean); }

TEST(Golden, GradientsAndTenLossesOfTheCrossDecoder) {
  check_gradients_and_ten_losses("cross/", GuidanceToken::global);
}

/// One contrastive step on two given views, rows dealt out over `ranks`.
void check_stage1(int ranks, ContrastiveLoss kind, const std::string& name) {
  run_as_threads(ranks, [&](Collectives& mine) {
    const ArrayFile file = golden();
    SequenceEncoder encoder = sequence_encoder(file);
    const RowRange rows = rows_of_rank(12, mine.rank(), mine.size());
    const std::int64_t padded = (12 + ranks - 1) / ranks + 1;  // at least one padding row
    const at::Tensor weights = at::zeros({padded});
    weights.narrow(0, 0, rows.size()).fill_(1);
    const auto view = [&](const char* which) {
      at::Tensor x = at::full({padded, 36}, 3.0, at::kFloat);  // padding rows hold what must not matter
      x.narrow(0, 0, rows.size()).copy_(tensor(file, which).narrow(0, rows.begin, rows.size()));
      return encoder.train_forward(x, weights, 12, mine);
    };
    const at::Tensor view1 = view("stage1/view1");
    const at::Tensor view2 = view("stage1/view2");
    const ContrastiveResult result = contrastive_loss(view1, view2, rows.size(), kind, 0.5, mine);
    EXPECT_NEAR(result.loss / file.read<double>("stage1/" + name + "/loss")[0], 1, tolerance);
    torch::autograd::backward({view1, view2}, {result.gradient1, result.gradient2});
    all_reduce(mine, encoder.parameters().gradients());
    for (std::size_t i = 0; i < encoder.parameters().specs().size(); ++i) {
      const std::string& parameter = encoder.parameters().specs()[i].name;
      if (parameter == "linear1.bias" || parameter == "linear2.bias") continue;  // batch norm takes it away: rounding
      const at::Tensor gradient = encoder.parameters().part(encoder.parameters().gradients(), i);
      EXPECT_LT(distance(gradient, tensor(file, "stage1/" + name + "/gradients/" + parameter)), tolerance) << parameter;
    }
    EXPECT_LT(distance(encoder.running()[1], tensor(file, "stage1/" + name + "/norm1.running_var")), tolerance);
    EXPECT_LT(distance(encoder.running()[2], tensor(file, "stage1/" + name + "/norm2.running_mean")), tolerance);
  });
}

TEST(Golden, ContrastiveStepOnAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 3, 5}) {
    check_stage1(ranks, ContrastiveLoss::ntxent, "ntxent");
    check_stage1(ranks, ContrastiveLoss::eq1, "eq1");
  }
}

}  // namespace
}  // namespace masksc

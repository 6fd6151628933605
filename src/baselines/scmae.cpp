// scMAE: linear 256 -> 128 -> 128 with layer norm and Mish between; from the features, linear: which genes were
// replaced, and, with that, the cell as it was. As its code: the replaced genes of a cell come from one other cell of
// the batch, and a gene with the same value in both does not count as replaced.
#include <cmath>

#include "masksc/baselines/deep.hpp"
#include "masksc/baselines/features.hpp"
#include "masksc/core/random.hpp"
#include "masksc/model/products.hpp"
#include "masksc/train/optimizer.hpp"
#include "methods.hpp"
#include "neural.hpp"

namespace masksc {
namespace {

constexpr std::int64_t first_width = 256;
constexpr std::int64_t features = 128;
constexpr std::uint32_t parameter_set = 22;

std::vector<ParameterSpec> specs_of(std::int64_t genes) {
  std::vector<ParameterSpec> specs;
  add_linear(specs, "linear1", genes, first_width);
  add_norm(specs, "norm1", first_width);
  add_linear(specs, "linear2", first_width, features);
  add_norm(specs, "norm2", features);
  add_linear(specs, "linear3", features, features);
  add_linear(specs, "mask", features, genes);
  // One linear layer on features and mask, its weights in two parts.
  const Initial initial = Initial::uniform(1 / std::sqrt(static_cast<double>(features + genes)));
  specs.push_back({"decoder.features", {genes, features}, initial, true});
  specs.push_back({"decoder.mask", {genes, genes}, initial, true});
  specs.push_back({"decoder.bias", {genes}, initial, false});
  return specs;
}

at::Tensor encode(const FlatParameters& parameters, const at::Tensor& x) {
  const auto activated = [&](const at::Tensor& h, const std::string& norm) {
    return at::mish(
        at::layer_norm(h, {h.size(1)}, parameters.at(norm + ".weight"), parameters.at(norm + ".bias"), 1e-5));
  };
  const at::Tensor h = activated(linear(parameters, "linear1", x), "norm1");
  return linear(parameters, "linear3", activated(linear(parameters, "linear2", h), "norm2"));
}

/// The decoder's answer to features and predicted mask. As both layers are linear, their product is taken first: half
/// the work, for a batch has more rows than there are features.
at::Tensor reconstruct(const FlatParameters& parameters, const at::Tensor& latent) {
  const at::Tensor& of_mask = parameters.at("decoder.mask");
  const at::Tensor weights = at::addmm(parameters.at("decoder.features"), of_mask, parameters.at("mask.weight"));
  const at::Tensor bias = at::addmv(parameters.at("decoder.bias"), of_mask, parameters.at("mask.bias"));
  return affine(latent, weights, bias);
}

/// x [n, genes] with genes replaced by those of another row, and where values changed (1 or 0). `step` numbers the
/// batches of all epochs.
struct Corrupted {
  at::Tensor x;
  at::Tensor mask;
};

Corrupted corrupt(const at::Tensor& x, double share, const NoiseKey& key, std::uint32_t step) {
  const std::vector<std::int64_t> donors = random_permutation(x.size(0), key.seed, Purpose::mask, step);
  const at::Tensor given = x.index_select(0, at::tensor(donors));
  const at::Tensor chosen = coin_flips(x.size(1), share, key, 0);
  const at::Tensor replaced = at::lerp(x, given, chosen);
  return {replaced, at::ne(replaced, x).to(at::kFloat)};
}

at::Tensor loss_of(const FlatParameters& parameters, const at::Tensor& x, const Corrupted& corrupted,
                   const ScMaeSettings& scmae) {
  const at::Tensor latent = encode(parameters, corrupted.x);
  const at::Tensor mask = linear(parameters, "mask", latent);
  const at::Tensor reconstruction = reconstruct(parameters, latent);
  const at::Tensor weights = corrupted.mask * (2 * scmae.masked_weight - 1) + (1 - scmae.masked_weight);
  const at::Tensor squares = (weights * (reconstruction - x).square()).mean();
  return (1 - scmae.mask_loss) * squares + scmae.mask_loss * at::binary_cross_entropy_with_logits(mask, corrupted.mask);
}

void train(FlatParameters& parameters, const CellRows& rows, const ScMaeSettings& scmae,
           const BaselineSettings& settings) {
  AdamW adam(parameters, {.beta1 = 0.9, .beta2 = 0.999, .weight_decay = 0});
  const std::vector<std::int64_t> cells = all_cells(rows.cells());
  std::uint32_t step = 0;
  for (std::int64_t epoch = 0; epoch < scmae.epochs; ++epoch) {
    const auto number = static_cast<std::uint32_t>(epoch);
    for_each_batch(cells, scmae.batch_size, settings.seed, number, settings.poll,
                   [&](std::span<const std::int64_t> batch) {
                     const at::Tensor x = rows.of(batch);
                     const Corrupted corrupted = corrupt(x, scmae.mask, {settings.seed, number, batch}, step++);
                     const at::Tensor loss = loss_of(parameters, x, corrupted, scmae);
                     check_loss(loss.item<double>(), "scmae", epoch);
                     parameters.zero_gradients();
                     loss.backward();
                     adam.step(parameters, scmae.learning_rate);
                   });
  }
}

}  // namespace

BaselineResult run_scmae(const BaselineInput& input, const BaselineSettings& settings, const ScMaeSettings& scmae) {
  const CellRows rows(input.expression);
  FlatParameters parameters(specs_of(rows.width()), settings.seed, parameter_set, at::kCPU);
  train(parameters, rows, scmae, settings);
  BaselineResult result;
  result.features = features_of_all(rows, settings.poll, [&](const at::Tensor& x) { return encode(parameters, x); });
  result.labels = labels_of_features(result.features, settings);
  return result;
}

Baseline scmae_baseline() {
  return {.name = "scmae",
          .title = "K-means on a masked autoencoder that finds and restores genes swapped between cells",
          .source = "Fang et al. 2024",
          .published = {.matrix = "25x40", .patch = "5", .genes = ""},  // the 1000 most variable genes
          .run = [](const BaselineInput& input, const BaselineSettings& settings) {
            return run_scmae(input, settings, {});
          }};
}

}  // namespace masksc

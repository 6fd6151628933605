#include "masksc/run/model_files.hpp"

#include <fmt/format.h>

#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/version.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/io/safetensors.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/train/checkpoint.hpp"

namespace masksc {
namespace {

constexpr std::array<const char*, 4> running_names = {"norm1.running_mean", "norm1.running_var", "norm2.running_mean",
                                                      "norm2.running_var"};

constexpr const char* encoder_kind = "sequence encoder";

/// All parameters, in host memory.
void add_all(std::vector<ArraySource>& arrays, const FlatParameters& parameters) {
  const ParameterShare all = deal_parameters(parameters, 1).front();
  add_parameters(arrays, parameters, "weights", all, host_part(parameters.values(), all, false));
}

}  // namespace

std::string genes_hash(const Expression& expression) {
  Hasher hasher;
  for (const std::string& name : expression.gene_names) hasher.add(name + "\n");
  hasher.add(std::span<const std::int32_t>(expression.layout.slot_to_column));
  hasher.add(std::span<const float>(expression.scaling.mean));
  hasher.add(std::span<const float>(expression.scaling.inverse_sd));
  if (expression.scaling.counts) hasher.add(std::string("counts"));
  return hasher.hex();
}

const char* features_from(const AutoencoderShape& shape) {
  return shape.predicted_features ? features_from_components : features_from_tokens;
}

Json describe_expression(const Expression& expression) {
  return {{"genes", expression.gene_names},
          {"target_total", expression.target_total},
          {"mean", expression.scaling.mean},
          {"inverse_sd", expression.scaling.inverse_sd},
          {"clip", expression.scaling.clip},
          {"counts", expression.scaling.counts},
          {"batches", expression.scaling.batches},
          {"batch_statistics", !expression.batch_of_cell.empty()},
          {"matrix", {expression.layout.rows, expression.layout.columns}},
          {"patch", {expression.layout.patch_rows, expression.layout.patch_columns}},
          {"slot_to_column", expression.layout.slot_to_column}};
}

void save_model_description(const std::filesystem::path& folder, const Expression& expression,
                            std::span<const std::string> gene_ids, double share, const RunOptions& options,
                            const AutoencoderShape& shape) {
  RunOptions copy = options;
  Json description = {{"format", kModelFormat},
                      {"version", version_and_commit()},
                      {"settings", result_values(describe_run(copy))},
                      {"predicted_features", shape.predicted_features},
                      {"expression", describe_expression(expression)},
                      {"genes_hash", genes_hash(expression)},
                      {"share_of_counts", std::round(1e4 * share) / 1e4}};  // the same on any number of ranks
  if (!gene_ids.empty()) {
    Json ids = Json::array();
    for (const std::int64_t gene : expression.genes) ids.push_back(gene_ids[static_cast<std::size_t>(gene)]);
    description["gene_ids"] = ids;
  }
  write_file(folder / "model.json", description.dump() + "\n");
}

void save_sequence_encoder(const std::filesystem::path& file, const SequenceEncoder& encoder,
                           const std::string& genes_hash) {
  std::vector<ArraySource> arrays;
  add_all(arrays, encoder.parameters());
  for (std::size_t i = 0; i < running_names.size(); ++i)
    add_tensor(arrays, std::string("weights/") + running_names[i], encoder.running()[i].cpu());
  write_sealed(file, encoder_kind, {{"genes_hash", genes_hash}}, std::move(arrays));
}

void load_sequence_encoder(const std::filesystem::path& file, SequenceEncoder& encoder, const std::string& genes_hash,
                           Collectives& ranks) {
  on_root(ranks, [&] {
    const Seal in = open_sealed(file, encoder_kind);
    if (in.header.value("genes_hash", "") != genes_hash)
      throw UserError(
          fmt::format("the sequence encoder '{}' was trained on other genes, another matrix or another "
                      "scaling; use the same data, --matrix, --patch, --genes, --gene-order and "
                      "--standardize",
                      file.string()));
    read_parameters(in, "weights", encoder.parameters(), encoder.parameters().values());
    for (std::size_t i = 0; i < running_names.size(); ++i)
      read_tensor(in, std::string("weights/") + running_names[i], encoder.running()[i]);
  });
  broadcast(ranks, encoder.parameters().values());
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
}

std::vector<std::pair<std::int64_t, std::int64_t>> token_places(const MatrixLayout& layout) {
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  const std::int64_t across = layout.patches_across();
  for (std::int64_t token = 0; token < layout.tokens(); ++token)
    if (layout.token_has_genes[static_cast<std::size_t>(token)] != 0)
      places.emplace_back(token / across, token % across);
  return places;
}

void save_autoencoder(const std::filesystem::path& file, const MaskedAutoencoder& model, Targets& targets) {
  std::vector<ArraySource> arrays;
  add_all(arrays, model.parameters());
  for (const auto& [name, tensor] : targets.statistics()) add_tensor(arrays, "targets/" + name, tensor->cpu());
  write_sealed(file, "masked autoencoder", Json::object(), std::move(arrays));
  std::vector<ArraySource> weights;
  const ParameterShare all = deal_parameters(model.parameters(), 1).front();
  add_parameters(weights, model.parameters(), "", all, host_part(model.parameters().values(), all, false));
  std::filesystem::path plain = file;
  write_safetensors(plain.replace_extension(".safetensors"), weights,
                    {{"format", "pt"}, {"version", version_and_commit()}});
}

}  // namespace masksc

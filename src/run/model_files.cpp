#include "model_files.hpp"

#include <fmt/format.h>

#include <vector>

#include "masksc/core/version.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/io/safetensors.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/train/checkpoint.hpp"

namespace masksc {
namespace {

constexpr const char* encoder_kind = "sequence encoder";

/// All parameters, in host memory.
void add_all(std::vector<ArraySource>& arrays, const FlatParameters& parameters, const std::string& group) {
  const ParameterShare all = deal_parameters(parameters, 1).front();
  add_parameters(arrays, parameters, group, all, host_part(parameters.values(), all, false));
}

}  // namespace

const char* features_from(const AutoencoderShape& shape) {
  return shape.predicted_features ? features_from_components : features_from_tokens;
}

void save_sequence_encoder(const std::filesystem::path& file, const SequenceEncoder& encoder,
                           const std::string& genes_hash) {
  std::vector<ArraySource> arrays;
  add_all(arrays, encoder.parameters(), "weights");
  for (std::size_t i = 0; i < SequenceEncoder::running_names.size(); ++i)
    add_tensor(arrays, std::string("weights/") + SequenceEncoder::running_names[i], encoder.running()[i].cpu());
  write_sealed(file, encoder_kind, {{"genes_hash", genes_hash}}, std::move(arrays));
}

void load_sequence_encoder(const std::filesystem::path& file, SequenceEncoder& encoder, const std::string& genes_hash,
                           Collectives& ranks) {
  std::optional<Seal> seal;
  on_root(ranks, [&] {
    seal = open_sealed(file, encoder_kind);
    if (seal->header.value("genes_hash", "") != genes_hash)
      throw UserError(
          fmt::format("the sequence encoder '{}' was trained on other genes, another matrix or another "
                      "scaling; use the same data, --matrix, --patch, --genes, --gene-order and "
                      "--standardize",
                      file.string()));
    for (std::size_t i = 0; i < SequenceEncoder::running_names.size(); ++i)
      read_tensor(*seal, std::string("weights/") + SequenceEncoder::running_names[i], encoder.running()[i]);
  });
  load_parameters(seal, "weights", encoder.parameters(), encoder.parameters().values(), ranks);
  for (const at::Tensor& tensor : encoder.running()) broadcast(ranks, tensor);
}

void save_autoencoder(const std::filesystem::path& file, const MaskedAutoencoder& model, Targets& targets) {
  std::vector<ArraySource> arrays;
  add_all(arrays, model.parameters(), "weights");
  for (const auto& [name, tensor] : targets.statistics()) add_tensor(arrays, "targets/" + name, tensor->cpu());
  write_sealed(file, "masked autoencoder", Json::object(), std::move(arrays));
  std::vector<ArraySource> weights;
  add_all(weights, model.parameters(), "");
  std::filesystem::path plain = file;
  write_safetensors(plain.replace_extension(".safetensors"), weights,
                    {{"format", "pt"}, {"version", version_and_commit()}});
}

}  // namespace masksc

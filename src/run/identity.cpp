#include "masksc/run/identity.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <initializer_list>

#include "masksc/core/json_text.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/model/device.hpp"

namespace masksc {
namespace {

/// Adds "--NAME": value of the options named.
void add_options(Json& identity, const RunOptions& options, std::initializer_list<const char*> names) {
  RunOptions copy = options;
  const OptionTable table = describe_run(copy);
  for (const char* const name : names) {
    const Option* const option = table.find(name);
    ensure(option != nullptr, "an identity names options that exist");
    identity[std::string("--") + name] = option->get();
  }
}

Json of_data(const RunIdentity& run) {
  Json identity = {{"data", run.data}, {"genes in their matrix", run.genes}};
  if (run.shuffle.block > 0) identity["shuffle"] = {run.shuffle.block, run.shuffle.buffer};
  return identity;
}

}  // namespace

CheckpointIdentity sequence_identity(const RunOptions& options, const RunIdentity& run) {
  Json identity = of_data(run);
  add_options(identity, options,
              {"seed", "sequence-epochs", "sequence-batch-size", "sequence-learning-rate", "sequence-dropout",
               "temperature", "contrastive-loss"});
  return identity;
}

CheckpointIdentity training_identity(const RunOptions& options, const RunIdentity& run,
                                     const std::string& sequence_encoders) {
  Json identity = of_data(run);
  identity["sequence encoder"] = sequence_encoders;
  add_options(identity, options,
              {"dim", "encoder-depth", "encoder-heads", "decoder-depth", "decoder-heads", "positions", "target",
               "guidance", "guidance-token", "seed", "batch-size"});
  // Not the defaults: checkpoints from before these options go on.
  if (options.model.decoder != Decoder::full) add_options(identity, options, {"decoder"});
  if (options.target.guidance_target != GuidanceTarget::automatic) add_options(identity, options, {"guidance-target"});
  return identity;
}

void check_resumed(const RunOptions& options, const RunIdentity& run) {
  std::filesystem::path file = options.run.resume;
  if (std::filesystem::is_directory(file)) {
    const std::vector<std::filesystem::path> files = checkpoint_files(file, training_stage);
    if (files.empty()) return;  // nothing to say before the folder's checkpoints are looked at one by one
    file = files.back();
  }
  Json header = open_manifest(file, checkpoint_kind).header;
  CheckpointIdentity known = training_identity(options, run, "");
  read_json(fmt::format("the header of '{}'", file.string()), [&] {
    for (Json* identity : {&known, &header.at("identity")}) identity->erase("sequence encoder");  // of stage 1
    check_identity(file, header, known);
  });
}

Json clustering_identity(const RunOptions& options, const std::string& embedding, std::int64_t label_categories) {
  Json identity = {{"embedding", embedding}, {"label categories", label_categories}};
  add_options(identity, options, {"seed"});
  RunOptions copy = options;
  OptionTable own;
  describe(own, copy.cluster);
  for (const Option& option : own.options()) identity["--" + option.name] = option.get();
  return identity;
}

Json describe_for_checkpoints(const RunOptions& options, const std::string& configuration, int ranks) {
  return {{"seed", options.train.seed},
          {"ranks", ranks},
          {"libraries", {{"torch", torch_version()}, {"hdf5", hdf5_version()}, {"mpi", mpi_version()}}},
          {"configuration", configuration}};
}

}  // namespace masksc

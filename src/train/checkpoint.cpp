#include "masksc/train/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/version.hpp"
#include "masksc/model/distributed.hpp"
#include "masksc/train/weights_file.hpp"

namespace masksc {
namespace {

constexpr const char* format_name = "mask-sc checkpoint 2";

/// Hash of all the numbers of a checkpoint.
std::string content_hash(const FlatParameters& parameters, const TrainState& state) {
  Hasher hasher;
  const std::array counts = {state.step, state.optimizer_steps, state.good_steps};
  hasher.add(std::span<const std::int64_t>(counts));
  hasher.add(std::span<const double>(&state.loss_scale, 1));
  for (const at::Tensor& flat : {parameters.values(), state.first_moment, state.second_moment}) {
    const at::Tensor host = flat.cpu();
    hasher.add(std::span<const float>(host.data_ptr<float>(), static_cast<std::size_t>(host.numel())));
  }
  return hasher.hex();
}

void write_checkpoint(const std::filesystem::path& path, const FlatParameters& parameters, const TrainState& state,
                      const std::string& fingerprint) {
  ArrayFile file = ArrayFile::create(path);
  file.set_attribute("/", "format", std::string(format_name));
  file.set_attribute("/", "version", version_and_commit());
  file.set_attribute("/", "fingerprint", fingerprint);
  const std::array counts = {state.step, state.optimizer_steps, state.good_steps};
  file.set_attribute("/", "step", std::span<const std::int64_t>(counts));
  file.write<double>("loss_scale", std::span<const double>(&state.loss_scale, 1), {1});
  file.set_attribute("/", "hash", content_hash(parameters, state));
  write_parameters(file, "weights", parameters, parameters.values());
  write_parameters(file, "adam_m", parameters, state.first_moment);
  write_parameters(file, "adam_v", parameters, state.second_moment);
  file.close();
}

/// Reads a checkpoint on this process. Throws UserError when it is damaged or belongs to something else.
TrainState read_checkpoint(const std::filesystem::path& path, FlatParameters& parameters,
                           const std::string& fingerprint) {
  const ArrayFile file = ArrayFile::open(path);
  if (file.text_attribute("/", "format") != format_name)
    throw UserError(fmt::format("'{}' is not a checkpoint of this version of mask-sc", path.string()));
  if (file.text_attribute("/", "fingerprint") != fingerprint)
    throw UserError(fmt::format("checkpoint '{}' is of other data or another model", path.string()));
  const std::vector<std::int64_t> counts = file.integers_attribute("/", "step");
  const std::vector<double> scale = file.read<double>("loss_scale");
  if (counts.size() != 3 || scale.size() != 1)
    throw UserError(fmt::format("checkpoint '{}' does not say its step", path.string()));
  TrainState state{at::zeros_like(parameters.values()),
                   at::zeros_like(parameters.values()),
                   counts[0],
                   counts[1],
                   scale[0],
                   counts[2]};
  read_parameters(file, "weights", parameters, parameters.values());
  read_parameters(file, "adam_m", parameters, state.first_moment);
  read_parameters(file, "adam_v", parameters, state.second_moment);
  if (file.text_attribute("/", "hash") != content_hash(parameters, state))
    throw UserError(fmt::format("checkpoint '{}' is damaged: its checksum does not agree", path.string()));
  return state;
}

}  // namespace

CheckpointFolder::CheckpointFolder(std::filesystem::path folder, std::string fingerprint, std::int64_t keep_last,
                                   Collectives& ranks)
    : folder_(std::move(folder)), fingerprint_(std::move(fingerprint)), keep_last_(keep_last), ranks_(ranks) {
  on_root(ranks_, [&] {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) throw EnvironmentError(fmt::format("cannot make folder '{}': {}", folder_.string(), error.message()));
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      if (entry.path().extension() == ".partial") std::filesystem::remove(entry.path(), error);
  });
}

std::vector<std::filesystem::path> CheckpointFolder::files() const {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder_)) {
    const std::string name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".h5") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

void CheckpointFolder::save(const FlatParameters& parameters, const TrainState& state) {
  const auto start = std::chrono::steady_clock::now();
  on_root(ranks_, [&] {
    const std::filesystem::path path = folder_ / fmt::format("step-{:08}.h5", state.step);
    StagedFile staged(path);
    write_checkpoint(staged.path(), parameters, state, fingerprint_);
    staged.publish();
    std::vector<std::filesystem::path> kept = files();
    const auto surplus = static_cast<std::int64_t>(kept.size()) - keep_last_;
    for (std::int64_t i = 0; i < surplus; ++i) std::filesystem::remove(kept[static_cast<std::size_t>(i)]);
  });
  last_save_seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  ranks_.broadcast(std::span(&last_save_seconds_, 1));  // the cadence depends on it: all ranks must decide alike
}

std::optional<TrainState> CheckpointFolder::load(FlatParameters& parameters,
                                                 const std::optional<std::filesystem::path>& path) {
  TrainState state;
  state.step = -1;
  on_root(ranks_, [&] {
    if (path) {
      state = read_checkpoint(*path, parameters, fingerprint_);
      return;
    }
    const at::Tensor untouched = parameters.values().clone();
    std::vector<std::filesystem::path> candidates = files();
    for (; !candidates.empty() && state.step < 0; candidates.pop_back()) {
      try {
        state = read_checkpoint(candidates.back(), parameters, fingerprint_);
      } catch (const UserError& e) {
        log::warning("{}; set aside, the one before is used", e.what());
        std::filesystem::rename(candidates.back(), candidates.back().string() + ".damaged");
      }
    }
    if (state.step < 0) at::Tensor(parameters.values()).copy_(untouched);
  });
  ranks_.broadcast(std::span(&state.step, 1));
  if (state.step < 0) return std::nullopt;
  broadcast(ranks_, parameters.values());
  return state;
}

}  // namespace masksc

#include "same_run.hpp"

#include <fmt/format.h>

#include <unordered_map>

#include "masksc/core/configuration.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/number_of.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;
using Values = std::unordered_map<std::string, std::string>;

/// Whether an option of a run changes nothing but its clusters.
bool only_clusters(const std::string& option) {
  ClusterSettings settings;
  OptionTable table;
  describe(table, settings);
  return table.find(option) != nullptr;
}

/// How a finished run's model does what another value of an option asks for; "" where it has to be trained anew.
std::string without_training(const fs::path& root, const std::string& option) {
  if (only_clusters(option)) return "; other clusters of the same features: masksc_cluster";
  if (option != "labels" && option != "keep-input") return "";
  return fmt::format("; the same features without training again: masksc_embed --model {} --input FILE --output DIR {}",
                     root.string(), option == "labels" ? "--labels COLUMN" : "--keep-input");
}

Values read_configuration(const fs::path& path) {
  try {
    const auto entries = configuration_entries(read_file(path), path.string());
    return {entries.begin(), entries.end()};
  } catch (const UserError& e) {
    throw UserError(fmt::format("{}; {}", e.what(), start_over));
  }
}

std::int64_t to_number(const Values& values, const std::string& name) {
  const auto found = values.find(name);
  // 0 also where the text is no number: the difference has been found then.
  return found != values.end() ? number_of<std::int64_t>(found->second).value_or(0) : 0;
}

/// Whether (epochs, max_steps) asks for at least as much training as a run did; max_steps 0 is no limit.
bool at_least_as_long(std::int64_t epochs, std::int64_t max_steps, std::int64_t epochs_before,
                      std::int64_t max_before) {
  return epochs >= epochs_before && (max_steps == 0 || (max_before != 0 && max_steps >= max_before));
}

}  // namespace

void refuse_other_settings(const fs::path& root, const RunOptions& options, const RecordedOptions& recorded) {
  const Values before = read_configuration(root / "config.ini");
  const auto differs = [&](const std::string& name, const std::string& was, const std::string& is) {
    throw UserError(fmt::format("--output '{}' holds a run with {} = {}, now it is {}; {}{}", root.string(), name,
                                was.empty() ? "(none)" : was, is.empty() ? "(none)" : is, start_over,
                                without_training(root, name)));
  };
  RunOptions asked = options;
  const OptionTable table = describe_run(asked);
  RunOptions defaults;  // of options that the version of then did not know
  const OptionTable unset = describe_run(defaults);
  for (const Option& option : table.options()) {
    if (option.role != OptionRole::result || option.name == "epochs" || option.name == "max-steps") continue;
    const auto found = before.find(option.name);
    const Option* const known = unset.find(option.name);
    const std::string was = found != before.end() ? found->second : known != nullptr ? known->get() : "";
    if (was != option.get() && was != absolute_if_file(option)) differs(option.name, was, option.get());
  }
  if (recorded.labels != options.counts.labels) differs("labels", recorded.labels, options.counts.labels);
  if (recorded.sequence_model != options.sequence.model)
    differs("sequence-model", recorded.sequence_model, options.sequence.model);
  const std::int64_t epochs = to_number(before, "epochs");
  const std::int64_t max_steps = to_number(before, "max-steps");
  if (!at_least_as_long(options.train.epochs, options.train.max_steps, epochs, max_steps))
    throw UserError(
        fmt::format("--output '{}' holds a run of {} epochs (max-steps {}), longer than the {} (max-steps {}) "
                    "now asked for; {}",
                    root.string(), epochs, max_steps, options.train.epochs, options.train.max_steps, start_over));
}

}  // namespace masksc

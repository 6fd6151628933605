#include "features.hpp"

#include <fmt/format.h>

#include <map>
#include <set>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// How many features of each type there are: "17 'Antibody Capture', 3 'Custom'".
std::string counted(const std::map<std::string, std::int64_t>& counts) {
  constexpr std::size_t most = 20;
  std::vector<std::string> parts;
  for (const auto& [name, count] : counts) {
    if (parts.size() == most) {
      parts.emplace_back("...");
      break;
    }
    parts.push_back(fmt::format("{} '{}'", count, shown(name)));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

std::map<std::string, std::int64_t> count(const std::vector<std::string>& texts) {
  std::map<std::string, std::int64_t> counts;
  for (const std::string& text : texts) ++counts[text];
  return counts;
}

/// One flag a feature: it is of the type wanted.
std::vector<bool> of_type(const Features& features, const InputSettings& settings, const std::string& path) {
  const std::string& wanted = settings.feature_type;
  if (features.types.empty() && wanted != gene_expression)
    throw UserError(fmt::format(
        "--feature-type '{}': '{}' does not tell the types of its features: leave the option out", wanted, path));
  std::vector<bool> chosen(features.names.size(), true);
  bool any = features.types.empty();
  for (std::size_t i = 0; i < features.types.size(); ++i) any |= chosen[i] = features.types[i] == wanted;
  if (!any)
    throw UserError(fmt::format("'{}' has no feature of the type '{}' (--feature-type); there are: {}", path, wanted,
                                counted(count(features.types))));
  return chosen;
}

/// Leaves those of the genome wanted in `chosen`.
void keep_genome(const Features& features, const InputSettings& settings, const std::string& path,
                 std::vector<bool>& chosen) {
  std::set<std::string> found;
  for (std::size_t i = 0; i < features.genomes.size(); ++i)
    if (chosen[i] && !features.genomes[i].empty()) found.insert(features.genomes[i]);
  const std::vector<std::string> genomes(found.begin(), found.end());
  const std::string& wanted = settings.genome;
  if (wanted.empty() && genomes.size() > 1)
    throw UserError(fmt::format("'{}' holds {} genomes: choose one with --genome; there are: {}", path, genomes.size(),
                                shown(genomes)));
  if (wanted.empty()) return;
  if (genomes.empty())
    throw UserError(
        fmt::format("--genome '{}': '{}' does not tell the genomes of its genes: leave the option out", wanted, path));
  if (!found.contains(wanted))
    throw UserError(fmt::format("--genome '{}' is not in '{}'{}; there are: {}", wanted, path,
                                suggestion(wanted, genomes), shown(genomes)));
  for (std::size_t i = 0; i < chosen.size(); ++i) chosen[i] = chosen[i] && features.genomes[i] == wanted;
}

void tell_left_out(const Features& features, const std::vector<bool>& chosen, std::size_t genes) {
  std::map<std::string, std::int64_t> left_out;
  for (std::size_t i = 0; i < chosen.size(); ++i)
    if (!chosen[i]) ++left_out[features.types.empty() ? gene_expression : features.types[i]];
  log::info("{} of {} features are left out: {}; see --feature-type and --genome", chosen.size() - genes, chosen.size(),
            counted(left_out));
}

}  // namespace

ChosenFeatures choose_features(const Features& features, const InputSettings& settings, const std::string& path) {
  std::vector<bool> chosen = of_type(features, settings, path);
  keep_genome(features, settings, path, chosen);
  ChosenFeatures result;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    result.gene_of.push_back(chosen[i] ? static_cast<std::int32_t>(result.names.size()) : -1);
    if (chosen[i]) result.names.push_back(features.names[i]);
    if (chosen[i] && !features.ids.empty()) result.ids.push_back(features.ids[i]);
  }
  if (result.names.size() == features.names.size()) {
    result.gene_of.clear();
    return result;
  }
  tell_left_out(features, chosen, result.names.size());
  return result;
}

void refuse_labels_and_layers(const InputSettings& settings, const std::string& path) {
  if (!settings.labels.empty())
    throw UserError(fmt::format(
        "--labels '{}': '{}' is a 10x input, which holds no labels: leave --labels out, or write it as h5ad with them",
        settings.labels, path));
  if (!settings.layer.empty())
    throw UserError(
        fmt::format("--layer '{}': '{}' is a 10x input, which has no layers: leave --layer out", settings.layer, path));
}

}  // namespace masksc

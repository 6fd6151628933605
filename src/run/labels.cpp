#include "masksc/run/labels.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {

Labels wanted_labels(const PreparedFile& file, const std::filesystem::path& path, const InputSettings& settings) {
  if (settings.labels.empty()) return {};
  check_label_column(path, file.label_column(), settings.labels);
  return file.labels();
}

Labels wanted_batches(const PreparedFile& file, const std::filesystem::path& path, const InputSettings& settings) {
  const std::string& key = settings.batch_key;
  const std::string column = file.batch_column();
  if (!key.empty() && key != column)
    throw UserError(fmt::format(
        "--batch-key '{}': the prepared file '{}' holds {}; prepare it with --batch-key {}", shown(key), path.string(),
        column.empty() ? std::string("no batches") : fmt::format("the batches '{}'", shown(column)), shown(key)));
  return file.batches();
}

void check_batches(const Labels& batches, const std::string& column, bool statistics, const Collectives& ranks) {
  if (batches.empty()) return;
  const auto cells = std::ssize(batches.codes);
  std::vector<std::int64_t> sizes(batches.names.size());
  for (const std::int32_t code : batches.codes) ++sizes[static_cast<std::size_t>(code)];
  std::erase(sizes, 0);
  const auto kinds = std::ssize(sizes);
  if (kinds > 1 && 2 * kinds > cells)
    throw UserError(
        fmt::format("--batch-key '{}': {} different values of {} cells can't be batches; give another column",
                    shown(column), kinds, cells));
  constexpr std::int64_t few = 10;
  const auto small = std::count_if(sizes.begin(), sizes.end(), [&](std::int64_t size) { return size < few; });
  if (statistics && small > 0 && ranks.is_root())
    log::warning(
        "--batch-statistics: {} of the {} batches '{}' have fewer than {} cells, too few for means and "
        "deviations of their own",
        small, kinds, shown(column), few);
}

void check_types(const Labels& labels, const std::string& option, const std::string& column) {
  const std::int64_t kinds = count_categories(labels);
  const auto labelled = std::ssize(labels.codes) - std::count(labels.codes.begin(), labels.codes.end(), -1);
  if (kinds > 1 && 2 * kinds > labelled)
    throw UserError(
        fmt::format("--{} '{}': {} different labels of {} cells can't be types of cells; give another column, or leave "
                    "the option out",
                    option, shown(column), kinds, labelled));
}

std::optional<double> share_alike(const Labels& own, const Labels& other) {
  std::unordered_map<std::string, std::int32_t> code;
  for (std::size_t i = 0; i < other.names.size(); ++i) code.emplace(other.names[i], static_cast<std::int32_t>(i));
  std::vector<std::int32_t> wanted;  // of each of own's labels the other's code, -2 for one that it lacks
  for (const std::string& name : own.names) wanted.push_back(code.contains(name) ? code[name] : -2);
  std::int64_t labelled = 0, alike = 0;
  for (std::size_t cell = 0; cell < own.codes.size(); ++cell) {
    if (own.codes[cell] < 0) continue;
    ++labelled;
    alike += wanted[static_cast<std::size_t>(own.codes[cell])] == other.codes[cell] ? 1 : 0;
  }
  const bool common = std::any_of(wanted.begin(), wanted.end(), [](std::int32_t c) { return c >= 0; });
  if (!common || labelled == 0) return std::nullopt;
  return static_cast<double>(alike) / static_cast<double>(labelled);
}

Json batch_nmi(const Labels& batches, const std::string& column, std::span<const std::int32_t> clusters,
               const Collectives& ranks) {
  constexpr double high = 0.2;
  if (!ranks.is_root() || count_categories(batches) < 2) return nullptr;
  const LabelledCells both = labelled_cells(batches, clusters);
  const double agreement = normalized_mutual_information(both.labels, both.clusters);
  if (agreement >= high)
    log::warning(
        "clusters follow the batches of '{}' (normalized mutual information {:.2f}): the batches hold other types of "
        "cells, or differ in how they were measured (README, Settings for your data: Several batches?)",
        shown(column), agreement);
  return agreement;
}

std::vector<std::string> note_labels(const Labels& labels, const std::string& column, bool number_of_clusters,
                                     const Collectives& ranks, const std::string& replaced) {
  std::vector<std::string> notes;
  if (labels.empty()) return notes;
  const auto cells = std::ssize(labels.codes);
  const auto labelled = cells - std::count(labels.codes.begin(), labels.codes.end(), -1);
  const std::int64_t kinds = count_categories(labels);
  const auto say = [&](const std::string& text) {
    notes.push_back(fmt::format("--labels '{}': {}", shown(column), text));
  };
  const auto refuse = [&](const std::string& why) {
    throw UserError(fmt::format("--labels '{}': {}", shown(column), why));
  };
  if (labelled == 0) refuse("no cell has a label; give another column, or leave the option out");
  check_types(labels, "labels", column);
  if (kinds == 1 && number_of_clusters)
    refuse(
        "all cells have the same one, which tells neither a number of clusters nor how good they are; give "
        "--clusters (K or auto), or leave the option out");
  if (kinds == 1) say("all cells have the same one: ARI and NMI say nothing");
  if (column == replaced)
    say(fmt::format("obs['{}'] of the result will hold the new clusters, and not these", shown(column)));
  if (labelled < cells)
    say(fmt::format("{} of {} cells have none; ARI and NMI are of the others", cells - labelled, cells));
  if (ranks.is_root())
    for (const std::string& note : notes) log::warning("{}", note);
  return notes;
}

}  // namespace masksc

#include "reference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "masksc/cluster/transfer.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/annotations.hpp"
#include "masksc/io/result_names.hpp"
#include "masksc/metrics/agreement.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/run/labels.hpp"

namespace masksc {

Labels check_reference(const EmbedOptions& options, const std::string& weights, const std::string& features) {
  if (const std::string theirs = read_record_text(options.reference, weights_key); theirs != weights)
    throw UserError(
        fmt::format("--reference '{}' was not embedded by --model '{}' (weights {} and {}): features of "
                    "different models can't be compared",
                    options.reference, options.model, theirs.empty() ? "unknown" : shown(theirs), weights));
  // Results of older versions are all from tokens.
  if (const std::string theirs = read_record_text(options.reference, features_key, features_from_tokens);
      theirs != features)
    throw UserError(
        fmt::format("--reference '{}' holds features from {}, --model '{}' gives them from {}: they were made by "
                    "different versions of mask-sc; embed the reference's cells by this model, too",
                    options.reference, shown(theirs), options.model, features));
  Labels labels = read_obs_labels(options.reference, options.reference_labels, "reference-labels");
  check_types(labels, "reference-labels", options.reference_labels);
  return labels;
}

namespace {

ReferenceCells read_reference(const EmbedOptions& options, const std::string& weights, const std::string& features) {
  Labels labels = check_reference(options, weights, features);
  DenseMatrix known = read_obsm(options.reference, features_name, std::ssize(labels.codes));
  return {std::move(known), std::move(labels)};
}

}  // namespace

ResultExtras transfer(const EmbedOptions& options, const DenseMatrix& embedding, const std::string& weights,
                      const std::string& features, const Labels& own, Json& metrics, Collectives& ranks) {
  ResultExtras extras;
  if (options.reference.empty()) {
    const EmbedOptions defaults;
    if (ranks.is_root() && (options.reference_labels != defaults.reference_labels ||
                            options.reference_neighbours != defaults.reference_neighbours))
      log::warning("no labels are transferred: --reference names no cells that have some");
    return extras;
  }
  ReferenceCells reference;
  together(ranks, [&] { reference = read_reference(options, weights, features); });
  if (ranks.is_root() && options.reference_neighbours > reference.features.rows)
    log::warning("--reference-neighbours is {}, but the reference has {} cells: all of them vote",
                 options.reference_neighbours, reference.features.rows);
  const std::vector<std::int32_t>& known = reference.labels.codes;
  if (const auto unknown = std::count(known.begin(), known.end(), -1); ranks.is_root() && unknown > 0)
    log::warning(
        "--reference-labels '{}': {} of {} cells of the reference have no label; new cells among them get none",
        shown(options.reference_labels), unknown, known.size());
  LabelTransfer mine;
  together(ranks,
           [&] { mine = transfer_labels(embedding, reference, options.reference_neighbours, compute_threads()); });
  const auto gather = [&]<typename T>(const std::vector<T>& values) {
    return ranks.gather_varied(std::span<const T>(values));
  };
  Labels labels{gather(mine.labels.codes), reference.labels.names, reference.labels.ordered};
  const std::vector<double> confidence = gather(mine.confidence);
  const std::vector<std::uint8_t> novel = gather(mine.novel);
  const std::vector<double> distance = gather(mine.distance);
  const auto far = std::count(novel.begin(), novel.end(), std::uint8_t{1});
  log::info("labels of '{}': {} of {} cells are farther from the reference than 99 % of its own cells",
            options.reference, far, novel.size());
  if (const auto alike = ranks.is_root() ? share_alike(own, labels) : std::nullopt) {
    log::info("{:.1f} % of the cells that have a label in '{}' got the same one", 100 * *alike,
              shown(options.counts.labels));
    metrics["transfer_accuracy"] = *alike;
  }
  metrics["novel_cells"] = far;
  metrics["novel_beyond"] = mine.novel_beyond;
  log::info("obs['{}'] numbers the clusters of these cells alone; obs['{}'] has the reference's '{}'", clusters_name,
            transferred_label_name, shown(options.reference_labels));
  extras.categories = {{transferred_label_name, labels}};
  extras.flags = {{transfer_novel_name, novel}};
  extras.numbers = {{transfer_confidence_name, confidence}, {transfer_distance_name, distance}};
  return extras;
}

}  // namespace masksc

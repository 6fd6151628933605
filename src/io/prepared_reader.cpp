// A prepared file as any other input.
#include <fmt/format.h>

#include "masksc/core/text.hpp"
#include "masksc/io/prepared.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

class PreparedReader final : public CountsReader {
 public:
  PreparedReader(const std::filesystem::path& path, bool with_labels)
      : path_(path.string()),
        self_(single_rank()),
        file_(path, *self_),
        cell_names_(file_.cell_names({0, file_.cells()})) {
    if (with_labels) labels_ = file_.labels();
    batches_ = file_.batches();
  }
  [[nodiscard]] std::string path() const override { return path_; }
  [[nodiscard]] std::int64_t cells() const override { return file_.cells(); }
  [[nodiscard]] std::int64_t genes() const override { return file_.genes(); }
  [[nodiscard]] const std::vector<std::string>& cell_names() const override { return cell_names_; }
  [[nodiscard]] const std::vector<std::string>& gene_names() const override { return file_.gene_names(); }
  [[nodiscard]] std::vector<std::string> gene_ids() const override { return file_.gene_ids(); }
  [[nodiscard]] const Labels& labels() const override { return labels_; }
  [[nodiscard]] std::string label_column() const override { return labels_.empty() ? "" : file_.label_column(); }
  [[nodiscard]] std::vector<std::uint8_t> highly_variable() const override { return file_.highly_variable(); }
  [[nodiscard]] const Labels& batches() const override { return batches_; }
  [[nodiscard]] std::string batch_column() const override { return file_.batch_column(); }
  [[nodiscard]] std::string prepared_column() const { return file_.label_column(); }
  CsrMatrix read_rows(RowRange rows) override { return file_.read_rows(rows); }

 private:
  std::string path_;
  std::unique_ptr<Collectives> self_;
  PreparedFile file_;
  std::vector<std::string> cell_names_;
  Labels labels_;
  Labels batches_;
};

}  // namespace

void refuse_choices(const std::filesystem::path& path, const InputSettings& settings) {
  const auto refuse = [&](const char* option, const std::string& value) {
    throw UserError(fmt::format("--{} '{}': '{}' is a prepared file: choose the {} in masksc_prepare", option, value,
                                path.string(), option));
  };
  if (!settings.layer.empty()) refuse("layer", settings.layer);
  if (!settings.genome.empty()) refuse("genome", settings.genome);
  if (settings.feature_type != gene_expression) refuse("feature-type", settings.feature_type);
}

void check_label_column(const std::filesystem::path& path, const std::string& column, const std::string& labels) {
  if (labels.empty() || (!column.empty() && (labels == column || labels == "yes"))) return;
  throw UserError(fmt::format(
      "--labels '{}': '{}' was prepared {}: run masksc_prepare with --labels {}", shown(labels), path.string(),
      column.empty() ? std::string("without labels") : fmt::format("with the labels '{}'", shown(column)),
      labels == "yes" ? "COLUMN" : shown(labels)));
}

std::unique_ptr<CountsReader> open_prepared(const std::filesystem::path& path, const InputSettings& settings) {
  refuse_choices(path, settings);
  auto reader = std::make_unique<PreparedReader>(path, !settings.labels.empty());
  check_label_column(path, reader->prepared_column(), settings.labels);
  return reader;
}

}  // namespace masksc

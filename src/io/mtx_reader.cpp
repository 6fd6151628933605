// A 10x folder as any other input.
#include <fmt/format.h>

#include "features.hpp"
#include "masksc/core/error.hpp"
#include "mtx_folder.hpp"
#include "mtx_source.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

class MtxReader final : public CountsReader {
 public:
  MtxReader(std::string folder, const MtxFolder& files, CountsPlace place, std::vector<std::string> gene_ids)
      : folder_(std::move(folder)),
        matrix_(files.matrix),
        place_(std::move(place)),
        gene_ids_(std::move(gene_ids)),
        source_(make_mtx_source(matrix_, place_)) {}

  [[nodiscard]] std::string path() const override { return folder_; }
  [[nodiscard]] std::int64_t cells() const override { return place_.cells(); }
  [[nodiscard]] std::int64_t genes() const override { return place_.genes(); }
  [[nodiscard]] const std::vector<std::string>& cell_names() const override { return place_.cell_names; }
  [[nodiscard]] const std::vector<std::string>& gene_names() const override { return place_.gene_names; }
  [[nodiscard]] std::vector<std::string> gene_ids() const override { return gene_ids_; }
  [[nodiscard]] const Labels& labels() const override { return no_labels_; }
  [[nodiscard]] std::string label_column() const override { return {}; }
  [[nodiscard]] const Labels& batches() const override { return no_labels_; }
  [[nodiscard]] std::string batch_column() const override { return {}; }
  [[nodiscard]] std::vector<std::uint8_t> highly_variable() const override { return {}; }
  CsrMatrix read_rows(RowRange rows) override {
    ensure(rows.begin >= 0 && rows.begin <= rows.end && rows.end <= cells(), "rows that the folder has");
    if (!source_) source_ = make_mtx_source(matrix_, place_);
    return source_->read_rows(rows);
  }
  void release_rows() override { source_.reset(); }

 private:
  std::string folder_;
  std::filesystem::path matrix_;
  CountsPlace place_;
  std::vector<std::string> gene_ids_;
  Labels no_labels_;
  std::unique_ptr<CountsSource> source_;
};

}  // namespace

std::unique_ptr<CountsReader> open_mtx(const std::filesystem::path& folder, const InputSettings& settings) {
  const MtxFolder files = find_mtx(folder);
  refuse_labels_and_layers(settings, folder.string());
  const Features features = read_feature_table(files.features);
  std::vector<std::string> cells = read_barcodes(files.barcodes);
  if (cells.empty())
    throw UserError(fmt::format("'{}' holds no barcodes: there are no cells", files.barcodes.string()));
  if (features.names.empty()) throw UserError(fmt::format("'{}' holds no features", files.features.string()));
  if (features.names.size() > INT32_MAX)
    throw UserError(
        fmt::format("'{}' holds {} features, more than {}", files.features.string(), features.names.size(), INT32_MAX));
  ChosenFeatures chosen = choose_features(features, settings, folder.string());
  CountsPlace place{files.matrix.string(),    "", std::move(cells), std::move(chosen.names), settings.allow_noninteger,
                    std::move(chosen.gene_of)};
  return std::make_unique<MtxReader>(folder.string(), files, std::move(place), std::move(chosen.ids));
}

}  // namespace masksc

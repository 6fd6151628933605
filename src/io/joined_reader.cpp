#include "joined_reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "category_union.hpp"
#include "gene_join.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "unique_names.hpp"

namespace masksc {
namespace {

using Readers = std::vector<std::unique_ptr<CountsReader>>;

Labels union_of(const Readers& readers, const Labels& (CountsReader::*labels)() const) {
  CategoryUnion all;
  for (const auto& reader : readers) all.add((*reader.*labels)());
  return all.take();
}

/// One category a file.
Labels file_of_each_cell(const Readers& readers, const std::vector<std::string>& names) {
  Labels labels{{}, names};
  for (std::size_t i = 0; i < readers.size(); ++i)
    labels.codes.insert(labels.codes.end(), static_cast<std::size_t>(readers[i]->cells()),
                        static_cast<std::int32_t>(i));
  return labels;
}

/// Whether two files have cells of one name.
bool share_cell_names(const Readers& readers) {
  std::unordered_set<std::string_view> before;
  for (const auto& reader : readers) {
    const std::vector<std::string>& names = reader->cell_names();
    if (std::any_of(names.begin(), names.end(), [&](const auto& name) { return before.contains(name); })) return true;
    before.insert(names.begin(), names.end());
  }
  return false;
}

std::vector<std::string> all_cell_names(const Readers& readers, const std::vector<std::string>& names) {
  const bool suffixed = share_cell_names(readers);
  if (suffixed)
    log::info("several inputs have cells of one name: all cells are called NAME-INPUT, as {}-{}",
              shown(readers[0]->cell_names()[0]), shown(names[0]));
  std::vector<std::string> cells;
  for (std::size_t i = 0; i < readers.size(); ++i)
    for (const std::string& name : readers[i]->cell_names())
      cells.push_back(suffixed ? fmt::format("{}-{}", name, names[i]) : name);
  return cells;
}

class JoinedReader final : public CountsReader {
 public:
  JoinedReader(Readers readers, const std::vector<std::string>& names, const InputSettings& settings)
      : readers_(std::move(readers)), cell_names_(all_cell_names(readers_, names)) {
    std::vector<std::vector<std::string>> genes;
    std::vector<std::string> files;
    for (const auto& reader : readers_) {
      genes.push_back(reader->gene_names());
      make_unique_names(genes.back());
      files.push_back(reader->path());
      first_.push_back(first_.back() + reader->cells());
    }
    genes_ = join_genes(genes, settings.join, files);
    note_lost_genes(genes);
    for (const auto& columns : genes_.column) {
      std::vector<std::int32_t> kept = columns;
      std::erase(kept, -1);
      ascending_.push_back(std::is_sorted(kept.begin(), kept.end()));
    }
    if (!settings.labels.empty()) {
      labels_ = union_of(readers_, &CountsReader::labels);
      label_column_ = readers_.front()->label_column();
    }
    find_batches(names, settings.batch_key, files);
  }

  [[nodiscard]] std::string path() const override {
    return fmt::format("'{}' and {} more", readers_.front()->path(), readers_.size() - 1);
  }
  [[nodiscard]] std::int64_t cells() const override { return first_.back(); }
  [[nodiscard]] std::int64_t genes() const override { return static_cast<std::int64_t>(genes_.names.size()); }
  [[nodiscard]] const std::vector<std::string>& cell_names() const override { return cell_names_; }
  [[nodiscard]] const std::vector<std::string>& gene_names() const override { return genes_.names; }
  /// Those of the first file that has the gene.
  [[nodiscard]] std::vector<std::string> gene_ids() const override {
    std::vector<std::string> all(genes_.names.size());
    for (std::size_t i = readers_.size(); i-- > 0;) {
      const std::vector<std::string> ids = readers_[i]->gene_ids();
      for (std::size_t gene = 0; gene < ids.size(); ++gene)
        if (const std::int32_t column = genes_.column[i][gene]; column >= 0 && !ids[gene].empty())
          all[static_cast<std::size_t>(column)] = ids[gene];
    }
    if (std::all_of(all.begin(), all.end(), [](const std::string& id) { return id.empty(); })) all.clear();
    return all;
  }
  [[nodiscard]] const Labels& labels() const override { return labels_; }
  [[nodiscard]] std::string label_column() const override { return label_column_; }
  [[nodiscard]] const Labels& batches() const override { return batches_; }
  [[nodiscard]] std::string batch_column() const override { return batch_column_; }

  [[nodiscard]] std::vector<std::uint8_t> highly_variable() const override {
    std::vector<std::size_t> flagged_in(genes_.names.size());
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      const std::vector<std::uint8_t> flags = readers_[i]->highly_variable();
      if (flags.empty()) return {};
      for (std::size_t gene = 0; gene < flags.size(); ++gene)
        if (const std::int32_t column = genes_.column[i][gene]; flags[gene] != 0 && column >= 0)
          ++flagged_in[static_cast<std::size_t>(column)];
    }
    std::vector<std::uint8_t> all;
    for (const std::size_t count : flagged_in) all.push_back(count == readers_.size() ? 1 : 0);
    return all;
  }

  CsrMatrix read_rows(RowRange rows) override {
    ensure(rows.begin >= 0 && rows.begin <= rows.end && rows.end <= cells(), "rows that the inputs have");
    CsrMatrix out;
    out.rows = rows.size();
    out.columns = genes();
    for (std::size_t i = 0; i < readers_.size(); ++i) {
      const RowRange part{std::max(rows.begin, first_[i]), std::min(rows.end, first_[i + 1])};
      if (part.size() > 0) append(readers_[i]->read_rows({part.begin - first_[i], part.end - first_[i]}), i, out);
      if (rows.end >= first_[i + 1]) readers_[i]->release_rows();
    }
    return out;
  }

 private:
  /// A warning where the join leaves less than half the genes of every file.
  void note_lost_genes(const std::vector<std::vector<std::string>>& genes) const {
    const auto fewer = [](const auto& a, const auto& b) { return a.size() < b.size(); };
    const auto [least, most] = std::minmax_element(genes.begin(), genes.end(), fewer);
    if (2 * genes_.names.size() >= least->size()) return;
    log::warning("only {} genes are in all inputs, which have {} to {}; --join outer takes those that any has",
                 genes_.names.size(), least->size(), most->size());
  }
  void find_batches(const std::vector<std::string>& names, const std::string& key,
                    const std::vector<std::string>& files) {
    const auto has_key = [&](const auto& reader) { return reader->batch_column() == key; };
    const auto having = key.empty() ? 0 : std::count_if(readers_.begin(), readers_.end(), has_key);
    batch_column_ = key.empty() ? default_batch_column : key;
    if (having == static_cast<std::ptrdiff_t>(readers_.size())) {
      batches_ = union_of(readers_, &CountsReader::batches);
    } else if (having == 0) {
      batches_ = file_of_each_cell(readers_, names);
      const std::string near = suggestion(key, readers_.front()->obs_columns());
      if (!key.empty())
        log::write(near.empty() ? log::Level::info : log::Level::warning,
                   fmt::format("--batch-key '{}': no input has such a column in obs{}; each input is a batch",
                               shown(key), near));
    } else {
      const auto without = std::find_if_not(readers_.begin(), readers_.end(), has_key) - readers_.begin();
      throw UserError(
          fmt::format("--batch-key '{}': {} of {} inputs have such a column in obs, '{}' has not; name one that all "
                      "have, or none has",
                      shown(key), having, readers_.size(), files[static_cast<std::size_t>(without)]));
    }
  }

  /// Rows of file `i`, their genes where the joined ones stand.
  void append(const CsrMatrix& block, std::size_t i, CsrMatrix& out) {
    for (std::int64_t row = 0; row < block.rows; ++row) {
      const auto genes = block.row_indices(row);
      const auto counts = block.row_values(row);
      row_.clear();
      for (std::size_t k = 0; k < genes.size(); ++k)
        if (const std::int32_t column = genes_.column[i][static_cast<std::size_t>(genes[k])]; column >= 0)
          row_.emplace_back(column, counts[k]);
      if (!ascending_[i]) std::sort(row_.begin(), row_.end());
      for (const auto& [column, count] : row_) {
        out.indices.push_back(column);
        out.values.push_back(count);
      }
      out.row_start.push_back(static_cast<std::int64_t>(out.indices.size()));
    }
  }

  Readers readers_;
  std::vector<std::int64_t> first_ = {0};  // row of each file, and of the end
  std::vector<std::string> cell_names_;
  JoinedGenes genes_;
  std::vector<bool> ascending_;  // whether a file has its genes in the joined order
  Labels labels_;
  std::string label_column_;
  Labels batches_;
  std::string batch_column_;
  std::vector<std::pair<std::int32_t, float>> row_;
};

}  // namespace

std::unique_ptr<CountsReader> join_readers(Readers readers, const std::vector<std::string>& names,
                                           const InputSettings& settings) {
  return std::make_unique<JoinedReader>(std::move(readers), names, settings);
}

}  // namespace masksc

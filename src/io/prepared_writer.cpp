// Writing the prepared file, in one pass over the input.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kept_input.hpp"
#include "kept_obs.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/hash.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/log.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared.hpp"
#include "packed_entries.hpp"
#include "prepared_format.hpp"
#include "unique_names.hpp"

namespace masksc {
namespace {

constexpr std::int64_t chunk_entries = std::int64_t{1} << 20;
constexpr std::int64_t chunk_rows = std::int64_t{1} << 16;

template <typename T>
std::span<const T> view(const std::vector<T>& values) {
  return values;
}

void write_names(ArrayFile& file, const std::string& name, const std::vector<std::string>& texts) {
  std::vector<std::int64_t> start = {0};
  std::vector<std::uint8_t> bytes;
  for (const std::string& text : texts) {
    bytes.insert(bytes.end(), text.begin(), text.end());
    start.push_back(static_cast<std::int64_t>(bytes.size()));
  }
  const auto size = static_cast<std::int64_t>(bytes.size());
  file.write(name + "/start", view(start), {static_cast<std::int64_t>(start.size())}, {chunk_rows, 0});
  file.write(name + "/bytes", view(bytes), {size}, {size > 0 ? chunk_entries : 0, 0});
}

/// Streams kept cells into the file and remembers what else must be known about them.
class Writer {
 public:
  Writer(ArrayFile& file, std::int64_t genes) : file_(file), gene_used_(static_cast<std::size_t>(genes)) {
    file_.create_array("row_start", NumericType::i64, {}, {chunk_rows, 0});
    prepared::with_index_type(genes, [&]<typename Index>(Index) {
      file_.create_array("indices", numeric_type<Index>(), {}, {chunk_entries, 0});
    });
    file_.create_array("values", NumericType::u8, {}, {chunk_entries, 0});
    file_.create_array("large_start", NumericType::i64, {}, {chunk_rows, 0});
    file_.create_array("large", NumericType::f32, {}, {chunk_rows, 0});
    for (const char* starts : {"row_start", "large_start"})
      file_.append_rows(starts, std::span<const std::int64_t>(&nonzeros_, 1));
  }

  void append(const CsrMatrix& block, std::int64_t first_row) {
    std::vector<float> large;
    const std::vector<std::uint8_t> bytes = prepared::pack_counts(block.values, large);
    std::vector<std::int64_t> starts;
    std::vector<std::int64_t> large_starts;
    for (std::int64_t row = 0; row < block.rows; ++row) {
      const std::size_t size = block.row_size(row);
      if (size == 0) continue;
      nonzeros_ += static_cast<std::int64_t>(size);
      if (!large.empty())
        large_ += prepared::count_large(
            std::span(bytes).subspan(static_cast<std::size_t>(block.row_start[static_cast<std::size_t>(row)]), size));
      starts.push_back(nonzeros_);
      large_starts.push_back(large_);
      original_rows_.push_back(first_row + row);
    }
    for (const std::int32_t gene : block.indices) gene_used_[static_cast<std::size_t>(gene)] = 1;
    file_.append_rows("row_start", view(starts));
    prepared::with_index_type(std::ssize(gene_used_), [&]<typename Index>(Index) {
      const std::vector<Index> indices(block.indices.begin(), block.indices.end());
      file_.append_rows("indices", view(indices));
    });
    file_.append_rows("values", view(bytes));
    file_.append_rows("large_start", view(large_starts));
    file_.append_rows("large", view(large));
    starts_hash_.add(view(starts));
    indices_hash_.add(view(block.indices));
    values_hash_.add(view(block.values));
    for (const float value : block.values) {
      largest_ = std::max(largest_, value);
      fractions_ |= value != std::floor(value);
    }
  }

  [[nodiscard]] std::int64_t nonzeros() const { return nonzeros_; }
  [[nodiscard]] const std::vector<std::int64_t>& original_rows() const { return original_rows_; }
  [[nodiscard]] double largest_fraction() const { return fractions_ ? static_cast<double>(largest_) : 0; }
  [[nodiscard]] std::int64_t unused_genes() const { return std::count(gene_used_.begin(), gene_used_.end(), 0); }

  [[nodiscard]] std::string fingerprint(const std::vector<std::string>& cells,
                                        const std::vector<std::string>& genes) const {
    Hasher all;
    all.add(starts_hash_.hex() + indices_hash_.hex() + values_hash_.hex());
    for (const auto* names : {&cells, &genes})
      for (const std::string& name : *names) all.add(name + '\n');
    return all.hex();
  }

 private:
  ArrayFile& file_;
  std::int64_t nonzeros_ = 0;
  std::int64_t large_ = 0;
  float largest_ = 0;
  bool fractions_ = false;
  std::vector<std::int64_t> original_rows_;
  std::vector<std::uint8_t> gene_used_;
  Hasher starts_hash_;
  Hasher indices_hash_;
  Hasher values_hash_;
};

/// One of the categories of all cells of the input, for the kept `rows`.
void write_categories(ArrayFile& file, const std::string& group, const Labels& labels, const char* column_key,
                      const std::string& column, const std::vector<std::int64_t>& rows) {
  if (labels.empty()) return;
  std::vector<std::int32_t> codes;
  for (const std::int64_t row : rows) codes.push_back(labels.codes[static_cast<std::size_t>(row)]);
  file.write(group + "/codes", view(codes), {static_cast<std::int64_t>(codes.size())}, {chunk_rows, 0});
  write_names(file, group + "/names", labels.names);
  file.set_flag_attribute(group, prepared::ordered_key, labels.ordered);
  file.set_attribute("/", column_key, column);
}

std::string report_text(const PreparationReport& report) {
  return Json{{"cells", report.cells},
              {"genes", report.genes},
              {"nonzeros", report.nonzeros},
              {"empty_cells_dropped", report.empty_cells_dropped},
              {"genes_without_counts", report.genes_without_counts},
              {"cells_renamed", report.cells_renamed},
              {"genes_renamed", report.genes_renamed},
              {"largest_fraction", report.largest_fraction},
              {"not_kept", report.not_kept}}
      .dump();
}

PreparationReport parse_report(const std::string& text) {
  const Json report = parse_json(text);
  return {report.at("cells"),
          report.at("genes"),
          report.at("nonzeros"),
          report.at("empty_cells_dropped"),
          report.at("genes_without_counts"),
          report.at("cells_renamed"),
          report.at("genes_renamed"),
          report.at("largest_fraction"),
          report.at("not_kept")};
}

/// The rows of the input that the prepared file has.
std::vector<std::int64_t> kept_rows(const std::filesystem::path& prepared) {
  const auto self = single_rank();
  return PreparedFile(prepared, *self).original_rows();
}

}  // namespace

PreparationReport prepare_counts(const std::vector<std::filesystem::path>& from, const InputSettings& settings,
                                 const std::filesystem::path& to, const std::filesystem::path& keep,
                                 const std::function<void(const CountsReader&)>& check) {
  ensure(!from.empty(), "prepare_counts: an input");
  const StagedFile removed_after_a_crash(to);
  const StagedFile this_too(keep.empty() ? to : keep);
  const auto work = [&] {
    if (!keep.empty()) {
      for (const std::filesystem::path& file : from) require_h5ad(file);
    }
    const auto reader = open_inputs(from, settings);
    log::info("reading {}: {} cells x {} genes", reader->path(), reader->cells(), reader->genes());
    if (check) check(*reader);
    PreparationReport report = write_prepared(*reader, to);
    if (!keep.empty())
      report.not_kept = from.size() > 1 ? keep_obs(from, settings, kept_rows(to), keep)
                                        : keep_input(from.front(), settings, kept_rows(to), keep);
    return report_text(report);
  };
  try {
    return parse_report(run_apart(subject_of(from), work));
  } catch (...) {
    std::error_code ignored;
    if (!keep.empty()) std::filesystem::remove(to, ignored);  // both files or none
    throw;
  }
}

PreparationReport write_prepared(CountsReader& reader, const std::filesystem::path& to, std::int64_t block_bytes) {
  StagedFile staged(to);
  ArrayFile file = ArrayFile::create(staged.path());
  Writer writer(file, reader.genes());
  // A full row takes a column index and a value a gene; sparse rows take less than their share of the budget.
  const std::int64_t row_bytes = reader.genes() * static_cast<std::int64_t>(sizeof(std::int32_t) + sizeof(float));
  const std::int64_t step = std::clamp<std::int64_t>(block_bytes / row_bytes, 1, reader.cells());
  for (std::int64_t begin = 0; begin < reader.cells(); begin += step)
    writer.append(reader.read_rows({begin, std::min(reader.cells(), begin + step)}), begin);
  const std::vector<std::int64_t>& rows = writer.original_rows();
  if (rows.empty())
    throw UserError(
        fmt::format("'{}': none of the {} cells has a count: nothing to prepare", reader.path(), reader.cells()));

  std::vector<std::string> all_cells = reader.cell_names();
  std::vector<std::string> gene_names = reader.gene_names();
  const std::int64_t cells_renamed = make_unique_names(all_cells);
  const std::int64_t genes_renamed = make_unique_names(gene_names);
  std::vector<std::string> cell_names;
  for (const std::int64_t row : rows) cell_names.push_back(std::move(all_cells[static_cast<std::size_t>(row)]));
  const auto kept = static_cast<std::int64_t>(rows.size());
  file.write("original_rows", view(rows), {kept}, {chunk_rows, 0});
  write_names(file, "cell_names", cell_names);
  write_names(file, "gene_names", gene_names);
  if (const std::vector<std::string> ids = reader.gene_ids(); !ids.empty()) write_names(file, "gene_ids", ids);
  write_categories(file, "labels", reader.labels(), prepared::label_column_key, reader.label_column(), rows);
  write_categories(file, "batches", reader.batches(), prepared::batch_column_key, reader.batch_column(), rows);
  const std::vector<std::uint8_t> flags = reader.highly_variable();
  if (!flags.empty()) file.write("highly_variable", view(flags), {reader.genes()}, {});
  file.set_attribute("/", prepared::fingerprint_key, writer.fingerprint(cell_names, gene_names));
  file.set_attribute("/", prepared::version_key, std::span<const std::int64_t>(&prepared::version, 1));
  file.set_attribute("/", prepared::format_key, std::string(prepared::format_name));
  file.close();
  staged.publish();
  return {kept,
          reader.genes(),
          writer.nonzeros(),
          reader.cells() - kept,
          writer.unused_genes(),
          cells_renamed,
          genes_renamed,
          writer.largest_fraction(),
          {}};
}

std::vector<std::string> warnings_of(const PreparationReport& report) {
  std::vector<std::string> warnings;
  if (report.empty_cells_dropped > 0)
    warnings.push_back(fmt::format("{} cell{} without counts {} left out of the run and its results",
                                   report.empty_cells_dropped, report.empty_cells_dropped == 1 ? "" : "s",
                                   report.empty_cells_dropped == 1 ? "is" : "are"));
  const auto renamed = [&](std::int64_t count, const char* what) {
    if (count > 0)
      warnings.push_back(fmt::format(
          "{} {} had the name of another one and are called NAME-1, NAME-2, ... now, as anndata would", count, what));
  };
  renamed(report.cells_renamed, "cells");
  renamed(report.genes_renamed, "genes");
  constexpr double largest_logarithm = 20;  // of 5e8 counts
  if (report.largest_fraction > 0 && report.largest_fraction < largest_logarithm)
    warnings.push_back(
        fmt::format("the values, with fractions and up to {:.3g}, look like logarithms; they are scaled and their "
                    "logarithms taken as if they were counts: give counts where there are any (h5ad: --layer)",
                    report.largest_fraction));
  if (!report.not_kept.empty())
    warnings.push_back(fmt::format("--keep-input leaves out: {}", fmt::join(report.not_kept, ", ")));
  return warnings;
}

}  // namespace masksc

// Reading the prepared file: every rank its own rows. Nothing read is trusted: a damaged file must not crash a rank or
// leave the others waiting, so ranks agree on the outcome of every read.
#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/apart.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/array_file.hpp"
#include "masksc/io/prepared.hpp"
#include "packed_entries.hpp"
#include "prepared_checks.hpp"
#include "prepared_format.hpp"

namespace masksc {
namespace {

[[noreturn]] void damaged(const ArrayFile& file, const std::string& what) { prepared::damaged(file.path(), what); }

void check_format(const ArrayFile& file) {
  if (file.text_attribute("/", prepared::format_key) != std::optional<std::string>(prepared::format_name))
    throw UserError(
        fmt::format("'{}' is not a prepared file: run masksc_prepare, or give it as --input of masksc_train",
                    file.path().string()));
  const auto version = file.integers_attribute("/", prepared::version_key);
  if (version.size() != 1 || version[0] != prepared::version)
    throw UserError(
        fmt::format("'{}' is a prepared file of version {}, this mask-sc reads version {}: run "
                    "masksc_prepare again",
                    file.path().string(), version.empty() ? 0 : version[0], prepared::version));
}

/// The length of the one-dimensional array `name`, which must hold `type`.
std::int64_t length_of(const ArrayFile& file, const std::string& name, NumericType type) {
  if (!file.exists(name)) damaged(file, fmt::format("has no '{}'", name));
  const ArrayInfo info = file.info(name);
  if (!info.is_numeric() || info.shape.size() != 1 || info.type != type || info.compressed)
    damaged(file, fmt::format("has a '{}' of the wrong kind", name));
  return info.rows();
}

void expect_length(const ArrayFile& file, const std::string& name, NumericType type, std::int64_t expected) {
  const std::int64_t length = length_of(file, name, type);
  if (length != expected) damaged(file, fmt::format("has {} values in '{}' where {} belong", length, name, expected));
}

void check_starts(const ArrayFile& file, const std::string& name, const std::vector<std::int64_t>& starts,
                  std::int64_t limit) {
  prepared::check_starts(file.path(), name, starts, limit);
}

}  // namespace

struct PreparedFile::Impl {
  Impl(const std::filesystem::path& path, Collectives& all) : ranks(all), file(ArrayFile::open(path, all)) {}

  /// The places of `rows` in an array of `limit()` entries; a collective.
  template <typename Limit>
  [[nodiscard]] std::vector<std::int64_t> read_starts(const std::string& name, RowRange rows,
                                                      const Limit& limit) const {
    std::vector<std::int64_t> starts;
    together(ranks, [&] { starts = file.read_rows<std::int64_t>(name, {rows.begin, rows.end + 1}); });
    together(ranks, [&] { check_starts(file, name, starts, limit()); });
    return starts;
  }

  /// `name` of the rows' own; a collective: failures after the transfer are agreed on by the caller.
  [[nodiscard]] std::vector<std::string> read_names(const std::string& name, RowRange rows) const {
    const std::vector<std::int64_t> starts = read_starts(name + "/start", rows, [&] { return name_bytes(name); });
    std::vector<std::uint8_t> bytes;
    together(ranks, [&] { bytes = file.read_rows<std::uint8_t>(name + "/bytes", {starts.front(), starts.back()}); });
    std::vector<std::string> names;
    for (std::size_t i = 0; i + 1 < starts.size(); ++i)
      names.emplace_back(bytes.begin() + (starts[i] - starts.front()),
                         bytes.begin() + (starts[i + 1] - starts.front()));
    together(ranks, [&] {
      const auto bad = std::find_if_not(names.begin(), names.end(), is_utf8);
      if (bad != names.end())
        damaged(file, fmt::format("has a text in '{}' that is not UTF-8: '{}'", name, shown(*bad)));
    });
    return names;
  }
  [[nodiscard]] std::int64_t name_bytes(const std::string& name) const {
    return length_of(file, name + "/bytes", NumericType::u8);
  }
  [[nodiscard]] std::int64_t name_count(const std::string& name) const {
    const std::int64_t names = length_of(file, name + "/start", NumericType::i64) - 1;
    if (names < 0 || name_bytes(name) < 0) damaged(file, fmt::format("has no '{}'", name));
    return names;
  }

  /// Unpacks a piece at a time: all of them packed would take as much again as a third of the matrix. A collective.
  void read_entries(RowRange entries, std::span<const float> large, CsrMatrix& matrix) const {
    constexpr std::int64_t piece = std::int64_t{1} << 23;
    const std::int64_t pieces = ranks.all_reduce((entries.size() + piece - 1) / piece, ReduceOp::max);
    for (std::int64_t i = 0; i < pieces; ++i) {
      const RowRange part{std::min(entries.begin + i * piece, entries.end),
                          std::min(entries.begin + (i + 1) * piece, entries.end)};
      const auto first = static_cast<std::size_t>(part.begin - entries.begin);
      const auto size = static_cast<std::size_t>(part.size());
      together(ranks, [&] {
        prepared::with_index_type(genes, [&]<typename Index>(Index) {
          std::ranges::copy(file.read_rows<Index>("indices", part),
                            std::span(matrix.indices).subspan(first, size).begin());
        });
      });
      std::vector<std::uint8_t> bytes;
      together(ranks, [&] { bytes = file.read_rows<std::uint8_t>("values", part); });
      together(ranks, [&] {
        large = prepared::unpack_checked(file.path(), bytes, large, part.end == entries.end,
                                         std::span(matrix.values).subspan(first, size));
      });
    }
  }

  void check_layout() {
    check_format(file);
    cells = length_of(file, "row_start", NumericType::i64) - 1;
    genes = name_count("gene_names");
    nonzeros = length_of(file, "values", NumericType::u8);
    if (cells <= 0 || genes <= 0 || genes > INT32_MAX) damaged(file, "holds no cells or genes");
    prepared::with_index_type(
        genes, [&]<typename Index>(Index) { expect_length(file, "indices", numeric_type<Index>(), nonzeros); });
    expect_length(file, "large_start", NumericType::i64, cells + 1);
    large_counts = length_of(file, "large", NumericType::f32);
    expect_length(file, "original_rows", NumericType::i64, cells);
    if (name_count("cell_names") != cells) damaged(file, "has cell names of another number than cells");
    has_labels = has_categories("labels");
    has_batches = has_categories("batches");
    has_flags = file.exists("highly_variable");
    has_ids = file.exists("gene_ids");
    if (has_ids && name_count("gene_ids") != genes) damaged(file, "has gene_ids of another number than genes");
    if (has_flags) expect_length(file, "highly_variable", NumericType::u8, genes);
    fingerprint = file.text_attribute("/", prepared::fingerprint_key).value_or("");
    label_column = file.text_attribute("/", prepared::label_column_key).value_or("");
    batch_column = file.text_attribute("/", prepared::batch_column_key).value_or("");
    if (has_batches && batch_column.empty()) damaged(file, "has batches without the name of their column");
  }
  [[nodiscard]] bool has_categories(const std::string& group) const {
    if (!file.exists(group)) return false;
    expect_length(file, group + "/codes", NumericType::i32, cells);
    if (name_count(group + "/names") == 0) damaged(file, fmt::format("has no names of its {}", group));
    return true;
  }
  /// A collective. The lowest code is `least`.
  [[nodiscard]] Labels read_categories(const std::string& group, std::int32_t least) const {
    Labels labels;
    labels.names = read_names(group + "/names", {0, name_count(group + "/names")});
    labels.ordered = file.flag_attribute(group, prepared::ordered_key);
    together(ranks, [&] { labels.codes = file.read<std::int32_t>(group + "/codes"); });
    const auto names = static_cast<std::int32_t>(labels.names.size());
    for (const std::int32_t code : labels.codes)
      if (code < least || code >= names)
        damaged(file, fmt::format("has the code {} of {} names in '{}'", code, names, group));
    return labels;
  }

  Collectives& ranks;
  ArrayFile file;
  std::int64_t cells = 0;
  std::int64_t genes = 0;
  std::int64_t nonzeros = 0;
  std::int64_t large_counts = 0;
  bool has_labels = false;
  bool has_batches = false;
  bool has_flags = false;
  bool has_ids = false;
  std::string fingerprint;
  std::string label_column;
  std::string batch_column;
  std::vector<std::string> gene_names;
  std::vector<std::string> gene_ids;
  std::vector<std::uint8_t> highly_variable;
};

namespace {

bool has_format(const std::filesystem::path& path) {
  try {
    const ArrayFile file = ArrayFile::open(path);
    return file.text_attribute("/", prepared::format_key) == std::optional<std::string>(prepared::format_name);
  } catch (const Error&) {
    return false;
  }
}

/// Everything that PreparedFile will ask HDF5 for, but for the entries of the matrix: of them the places alone.
void rehearse(const std::filesystem::path& path) {
  const auto self = single_rank();
  const PreparedFile file(path, *self);
  static_cast<void>(file.labels());
  static_cast<void>(file.batches());
  static_cast<void>(file.original_rows());
  static_cast<void>(file.cell_names({0, file.cells()}));
  const ArrayFile arrays = ArrayFile::open(path);
  for (const char* name : {"row_start", "indices", "values", "large_start", "large"}) arrays.check_storage(name);
}

}  // namespace

bool is_prepared(const std::filesystem::path& path) {
  const std::string answer = run_apart(fmt::format("'{}'", path.string()), [&]() -> std::string {
    if (!has_format(path)) return "no";
    rehearse(path);
    return "yes";
  });
  return answer == "yes";
}

PreparedFile::PreparedFile(const std::filesystem::path& path, Collectives& ranks)
    : impl_(std::make_unique<Impl>(path, ranks)) {
  together(ranks, [&] { impl_->check_layout(); });
  impl_->gene_names = impl_->read_names("gene_names", {0, impl_->genes});
  if (impl_->has_ids) impl_->gene_ids = impl_->read_names("gene_ids", {0, impl_->genes});
  if (impl_->has_flags)
    together(ranks, [&] { impl_->highly_variable = impl_->file.read<std::uint8_t>("highly_variable"); });
}

PreparedFile::PreparedFile(PreparedFile&&) noexcept = default;
PreparedFile& PreparedFile::operator=(PreparedFile&&) noexcept = default;
PreparedFile::~PreparedFile() = default;

std::int64_t PreparedFile::cells() const { return impl_->cells; }
std::int64_t PreparedFile::genes() const { return impl_->genes; }
std::int64_t PreparedFile::nonzeros() const { return impl_->nonzeros; }
const std::vector<std::string>& PreparedFile::gene_names() const { return impl_->gene_names; }
const std::vector<std::string>& PreparedFile::gene_ids() const { return impl_->gene_ids; }
std::string PreparedFile::fingerprint() const { return impl_->fingerprint; }
std::string PreparedFile::label_column() const { return impl_->label_column; }
std::string PreparedFile::batch_column() const { return impl_->batch_column; }
const std::vector<std::uint8_t>& PreparedFile::highly_variable() const { return impl_->highly_variable; }
bool PreparedFile::reads_were_collective() const { return impl_->file.transfers_were_collective(); }

CsrMatrix PreparedFile::read_rows(RowRange rows) const {
  const ArrayFile& file = impl_->file;
  CsrMatrix matrix;
  matrix.rows = rows.size();
  matrix.columns = impl_->genes;
  matrix.row_start = impl_->read_starts("row_start", rows, [&] { return impl_->nonzeros; });
  const std::vector<std::int64_t> large_start =
      impl_->read_starts("large_start", rows, [&] { return impl_->large_counts; });
  const RowRange entries{matrix.row_start.front(), matrix.row_start.back()};
  for (std::int64_t& start : matrix.row_start) start -= entries.begin;
  std::vector<float> large;
  together(impl_->ranks, [&] { large = file.read_rows<float>("large", {large_start.front(), large_start.back()}); });
  together(impl_->ranks, [&] {
    matrix.indices = large_vector<std::int32_t>(static_cast<std::size_t>(entries.size()));
    matrix.values = large_vector<float>(static_cast<std::size_t>(entries.size()));
  });
  impl_->read_entries(entries, large, matrix);
  together(impl_->ranks, [&] { prepared::check_entries(file.path(), matrix, rows.begin); });
  return matrix;
}

std::vector<std::string> PreparedFile::cell_names(RowRange rows) const { return impl_->read_names("cell_names", rows); }

Labels PreparedFile::labels() const { return impl_->has_labels ? impl_->read_categories("labels", -1) : Labels(); }
Labels PreparedFile::batches() const { return impl_->has_batches ? impl_->read_categories("batches", 0) : Labels(); }

std::vector<std::int64_t> PreparedFile::original_rows() const {
  std::vector<std::int64_t> rows;
  together(impl_->ranks, [&] { rows = impl_->file.read<std::int64_t>("original_rows"); });
  return rows;
}

}  // namespace masksc

// Writing h5ad: the encoding of anndata's on-disk format (docs/fileformat-prose.md of anndata).
#include "masksc/io/h5ad_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <utility>

#include "columns.hpp"
#include "copy_tree.hpp"
#include "h5ad_uns.hpp"
#include "masksc/core/files.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {
namespace {

constexpr std::int64_t chunk_bytes = std::int64_t{1} << 20;

std::int64_t count(const std::vector<std::string>& names) { return static_cast<std::int64_t>(names.size()); }

}  // namespace

struct H5adWriter::Impl {
  Impl(const std::filesystem::path& path, std::vector<std::string> cell_names, std::vector<std::string> gene_names)
      : staged(path), file(ArrayFile::create(staged.path())), cells(count(cell_names)), genes(count(gene_names)) {
    tag("/", "anndata", "0.1.0");
    for (const char* group : {"obs", "var", "obsm", "varm", "obsp", "varp", "layers", "uns"}) file.create_group(group);
    for (const char* group : {"obsm", "varm", "obsp", "varp", "layers", "uns"}) tag(group, "dict", "0.1.0");
    names = {{"obs", std::move(cell_names)}, {"var", std::move(gene_names)}};
    for (const char* frame : {"obs", "var"}) write_index(frame, names.at(frame));
  }

  void tag(const std::string& name, const std::string& type, const std::string& version) {
    tag_encoding(file, name, type, version);
  }
  void write_index(const std::string& frame, const std::vector<std::string>& of_rows) {
    tag(frame, "dataframe", "0.2.0");
    index[frame] = "_index";
    file.write_text(frame + "/_index", of_rows);
    tag(frame + "/_index", "string-array", "0.2.0");
    columns[frame];
  }
  void rename_index(const std::string& frame, const std::string& name) {
    file.rename(frame + "/" + index[frame], frame + "/" + name);
    index[frame] = name;
  }
  /// Gives a data frame that was copied the names of `frame`: its own may have been those before they were made unique.
  void name_rows(const std::string& copied, const std::string& frame) {
    if (!file.info(copied).is_group() || file.text_attribute(copied, "encoding-type") != "dataframe") return;
    const std::string place = copied + "/" + file.text_attribute(copied, "_index").value_or("_index");
    if (!file.exists(place)) return;
    file.remove(place);
    file.write_text(place, names.at(frame));
    tag(place, "string-array", "0.2.0");
  }
  /// The name of a new column, remembered in order. One with '/' in it nests groups, as anndata writes it.
  std::string new_column(const std::string& frame, const std::string& name) {
    const std::string safe =
        is_nested(name, std::set(columns[frame].begin(), columns[frame].end())) ? name : safe_key(name);
    columns[frame].push_back(safe);
    return frame + "/" + safe;
  }
  void add_numbers(const std::string& frame, const std::string& name, std::span<const double> values,
                   std::int64_t expected) {
    const auto size = static_cast<std::int64_t>(values.size());
    ensure(size == expected, "h5ad: a column has as many values as its table has rows");
    const std::string column = new_column(frame, name);
    file.write(column, values, {size});
    tag(column, "array", "0.2.0");
  }
  void add_flags(const std::string& frame, const std::string& name, std::span<const std::uint8_t> flags,
                 std::int64_t expected) {
    ensure(std::ssize(flags) == expected, "h5ad: a column has as many flags as its table has rows");
    const std::string column = new_column(frame, name);
    file.write_flags(column, flags, {expected});
    tag(column, "array", "0.2.0");
  }
  void begin_X() {
    file.create_group("X");
    tag("X", "csr_matrix", "0.1.0");
    const std::vector<std::int64_t> shape = {cells, genes};
    file.set_attribute("X", "shape", std::span<const std::int64_t>(shape));
    file.create_array("X/data", NumericType::f32, {}, {chunk_bytes / 4, 0});
    // scipy and scikit-learn want indices and indptr of one type: wide for both where the last offset might need it.
    wide_offsets = genes > 0 && cells > std::numeric_limits<std::int32_t>::max() / genes;
    const NumericType offset = wide_offsets ? NumericType::i64 : NumericType::i32;
    file.create_array("X/indices", offset, {}, {chunk_bytes / 4, 0});
    file.create_array("X/indptr", offset, {}, {chunk_bytes / 4, 0});
    append_offsets("X/indptr", {0});
    rows["X"] = 0;
  }
  void append_offsets(const std::string& name, const std::vector<std::int64_t>& values) {
    if (wide_offsets)
      file.append_rows(name, std::span<const std::int64_t>(values));
    else
      file.append_rows(name, std::span<const std::int32_t>(std::vector<std::int32_t>(values.begin(), values.end())));
  }

  StagedFile staged;
  ArrayFile file;
  std::int64_t cells;
  std::int64_t genes;
  std::int64_t nonzeros = 0;
  bool wide_offsets = false;                                // X/indices and X/indptr are int64
  std::map<std::string, std::vector<std::string>> columns;  // of each data frame, in order
  std::map<std::string, std::vector<std::string>> names;    // of the rows of each data frame
  std::map<std::string, std::string> index;                 // of each data frame: the column with its rows' names
  std::map<std::string, std::int64_t> rows;                 // written so far of each streamed matrix
};

H5adWriter::H5adWriter(const std::filesystem::path& path, std::vector<std::string> cell_names,
                       std::vector<std::string> gene_names)
    : impl_(std::make_unique<Impl>(path, std::move(cell_names), std::move(gene_names))) {}
H5adWriter::~H5adWriter() = default;

void H5adWriter::keep(const std::filesystem::path& kept, const std::vector<std::string>& ours,
                      const std::vector<std::string>& columns) {
  const ArrayFile from = ArrayFile::open(kept);
  const auto among = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto is_free = [&](const std::string& name) {
    if (impl_->file.exists(name)) return false;
    for (auto slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
      if (among(ours, name.substr(0, slash))) return false;  // a column "a/b" where a is ours
    return !among(ours, name);
  };
  const auto take = [&](const std::string& name) {
    if (!is_free(name)) return false;
    copy_tree(from, name, impl_->file, name);
    return true;
  };
  for (const std::string& group : from.children("/")) {
    if (group == "raw") take(group);
    const bool frame = group == "obs" || group == "var";
    const std::string index = frame ? from.text_attribute(group, "_index").value_or("") : "";
    const std::string names = group + "/" + index;
    const bool named = frame && index == safe_key(index) && is_free(names) && !among(columns, names);
    if (named) impl_->rename_index(group, index);
    const bool frames = group == "obsm" || group == "varm";  // may be among these
    for (const std::string& child : frame            ? from.texts_attribute(group, "column-order")
                                    : group == "raw" ? std::vector<std::string>()
                                                     : from.children(group))
      if ((named && child == index) || (from.exists(group + "/" + child) && take(group + "/" + child))) {
        if (frame)
          impl_->columns[group].push_back(child);
        else if (frames)
          impl_->name_rows(group + "/" + child, group == "obsm" ? "obs" : "var");
      }
  }
}

bool H5adWriter::has(const std::string& name) const { return impl_->file.exists(name); }

void H5adWriter::add_obs(const std::string& name, const Labels& labels) {
  ensure(static_cast<std::int64_t>(labels.codes.size()) == impl_->cells, "h5ad: one label a cell");
  write_categorical(impl_->file, impl_->new_column("obs", name), labels);
}

void H5adWriter::add_obs(const std::string& name, std::span<const double> values) {
  impl_->add_numbers("obs", name, values, impl_->cells);
}

void H5adWriter::add_var(const std::string& name, std::span<const double> values) {
  impl_->add_numbers("var", name, values, impl_->genes);
}

void H5adWriter::add_obs(const std::string& name, std::span<const std::uint8_t> flags) {
  impl_->add_flags("obs", name, flags, impl_->cells);
}

void H5adWriter::add_var(const std::string& name, std::span<const std::uint8_t> flags) {
  impl_->add_flags("var", name, flags, impl_->genes);
}

void H5adWriter::add_var(const std::string& name, std::span<const std::string> texts) {
  ensure(std::ssize(texts) == impl_->genes, "h5ad: one text a gene");
  const std::string column = impl_->new_column("var", name);
  impl_->file.write_text(column, texts);
  impl_->tag(column, "string-array", "0.2.0");
}

void H5adWriter::add_obsm(const std::string& name, std::int64_t columns) {
  ensure(columns > 0, "h5ad: a matrix of obsm has columns");
  const std::string matrix = "obsm/" + safe_key(name);
  const std::int64_t chunk_rows = std::max<std::int64_t>(1, chunk_bytes / (4 * columns));
  impl_->file.create_array(matrix, NumericType::f32, {columns}, {chunk_rows, 0});
  impl_->tag(matrix, "array", "0.2.0");
  impl_->rows[matrix] = 0;
}

void H5adWriter::append_obsm(const std::string& name, const DenseMatrix& rows) {
  const std::string matrix = "obsm/" + safe_key(name);
  ensure(impl_->rows.contains(matrix), "h5ad: append_obsm without add_obsm");
  impl_->file.append_rows(matrix, std::span<const float>(rows.values));
  impl_->rows[matrix] += rows.rows;
}

void H5adWriter::append_X(const CsrMatrix& rows) {
  ensure(rows.columns == impl_->genes, "h5ad: rows of X have one column a gene");
  if (!impl_->rows.contains("X")) impl_->begin_X();
  std::vector<std::int64_t> ends;
  for (std::int64_t row = 0; row < rows.rows; ++row)
    ends.push_back(impl_->nonzeros + rows.row_start[static_cast<std::size_t>(row) + 1]);
  impl_->file.append_rows("X/data", std::span<const float>(rows.values));
  impl_->append_offsets("X/indices", {rows.indices.begin(), rows.indices.end()});
  impl_->append_offsets("X/indptr", ends);
  impl_->nonzeros += rows.nonzeros();
  impl_->rows["X"] += rows.rows;
}

void H5adWriter::set_uns(const std::string& name, const Json& value) {
  write_uns(impl_->file, "uns/" + safe_key(name), value);
}

void H5adWriter::finish() {
  for (const auto& [name, written] : impl_->rows)
    if (written != impl_->cells)
      throw InvariantError(fmt::format("h5ad: {} rows of '{}' for {} cells", written, name, impl_->cells));
  for (const auto& [frame, names] : impl_->columns) {
    impl_->file.set_attribute(frame, "_index", impl_->index[frame]);
    impl_->file.set_attribute(frame, "column-order", std::span<const std::string>(names));
  }
  impl_->file.close();
  impl_->staged.publish();
}

}  // namespace masksc

#include "cell_selection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "columns.hpp"
#include "copy_tree.hpp"
#include "counts_source.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// Entries of a sparse matrix read at a time.
constexpr std::int64_t step = std::int64_t{1} << 18;
constexpr int deepest_frame = 2;

std::string encoding_of(const ArrayFile& file, const std::string& name) {
  return file.text_attribute(name, "encoding-type").value_or("");
}

bool is_sparse(const std::string& encoding) { return encoding == "csr_matrix" || encoding == "csc_matrix"; }

/// The parts with one entry a cell, and those without, of a column that is a group.
struct ColumnParts {
  std::vector<const char*> by_cell;
  std::vector<const char*> whole;
};

std::optional<ColumnParts> parts_of(const std::string& encoding) {
  if (encoding == "categorical") return ColumnParts{{"codes"}, {"categories"}};
  if (encoding.starts_with("nullable-")) return ColumnParts{{"values", "mask"}, {}};
  return std::nullopt;
}

/// The columns of a data frame and its index.
std::vector<std::string> members_of(const ArrayFile& file, const std::string& frame) {
  std::vector<std::string> members = frame_columns(file, frame);
  members.push_back(frame_index(file, frame));
  return members;
}

/// Adds an entry, or lengthens the last range by it.
void add(std::vector<RowRange>& ranges, std::int64_t at) {
  if (!ranges.empty() && ranges.back().end == at)
    ++ranges.back().end;
  else
    ranges.push_back({at, at + 1});
}

/// Numbers in the type that `like` has in `from`.
void write_like(const ArrayFile& from, const std::string& like, ArrayFile& file, const std::string& to,
                const std::vector<std::int64_t>& values) {
  with_numeric_type(from.info(like).type, [&]<typename T>(T) {
    std::vector<T> typed;
    for (const std::int64_t value : values) typed.push_back(static_cast<T>(value));
    file.write<T>(to, typed, {static_cast<std::int64_t>(typed.size())});
  });
}

}  // namespace

CellSelection::CellSelection(std::int64_t cells, const std::vector<std::int64_t>& kept)
    : cells_(cells), kept_(static_cast<std::int64_t>(kept.size())), new_row_(static_cast<std::size_t>(cells), -1) {
  for (const std::int64_t row : kept) {
    ensure(row >= 0 && row < cells, "kept cells are cells");
    new_row_[static_cast<std::size_t>(row)] =
        ranges_.empty() ? 0 : new_row_[static_cast<std::size_t>(ranges_.back().end - 1)] + 1;
    add(ranges_, row);
  }
}

bool CellSelection::can_select(const ArrayFile& file, const std::string& name, CellAxes axes) const {
  if (!file.exists(name)) return false;
  const ArrayInfo info = file.info(name);
  if (!info.is_group()) {
    const std::size_t dimensions = axes.columns ? 2 : 1;
    return info.shape.size() >= dimensions && info.shape[0] == cells_ && (!axes.columns || info.shape[1] == cells_);
  }
  const std::string encoding = encoding_of(file, name);
  if (is_sparse(encoding)) {
    const std::vector<std::int64_t> shape = file.integers_attribute(name, "shape");
    return shape.size() == 2 && shape[0] == cells_ && (!axes.columns || shape[1] == cells_);
  }
  if (axes.columns) return false;
  if (const auto parts = parts_of(encoding)) {
    const auto there = [&](const char* part) { return file.exists(name + "/" + part); };
    return std::all_of(parts->whole.begin(), parts->whole.end(), there) &&
           std::all_of(parts->by_cell.begin(), parts->by_cell.end(), [&](const char* part) {
             const std::string inner = name + "/" + part;
             return there(part) && !file.info(inner).is_group() && can_select(file, inner);
           });
  }
  if (encoding != "dataframe" || std::count(name.begin(), name.end(), '/') > deepest_frame) return false;
  if (!file.text_attribute(name, "_index")) return false;
  const std::vector<std::string> columns = members_of(file, name);
  return std::all_of(columns.begin(), columns.end(),
                     [&](const std::string& column) { return can_select(file, name + "/" + column); });
}

void CellSelection::select(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to,
                           CellAxes axes) const {
  if (!legacy_categories(from, name).empty()) {
    Labels labels = read_labels(from, name, cells_, /*all_may_be_missing=*/true);
    std::vector<std::int32_t> codes;
    for (const RowRange& range : ranges_)
      codes.insert(codes.end(), labels.codes.begin() + range.begin, labels.codes.begin() + range.end);
    labels.codes = std::move(codes);
    return write_categorical(file, to, labels);
  }
  if (!from.info(name).is_group())
    return file.copy_rows(from, name, to, ranges_,
                          axes.columns ? std::span<const RowRange>(ranges_) : std::span<const RowRange>());
  const std::string encoding = encoding_of(from, name);
  if (is_sparse(encoding)) return select_sparse(from, name, file, to, axes);
  file.create_group(to);
  file.copy_attributes(from, name, to);
  const auto parts = parts_of(encoding);
  if (!parts) {
    for (const std::string& column : members_of(from, name)) select(from, name + "/" + column, file, to + "/" + column);
    return;
  }
  for (const char* part : parts->by_cell) file.copy_rows(from, name + "/" + part, to + "/" + part, ranges_);
  for (const char* part : parts->whole) copy_tree(from, name + "/" + part, file, to + "/" + part);
}

void CellSelection::select_sparse(const ArrayFile& from, const std::string& name, ArrayFile& file,
                                  const std::string& to, CellAxes axes) const {
  const std::vector<std::int64_t> shape = from.integers_attribute(name, "shape");
  const bool by_row = encoding_of(from, name) == "csr_matrix";
  const bool lines_are_cells = by_row ? axes.rows : axes.columns;
  const bool entries_are_cells = by_row ? axes.columns : axes.rows;
  const std::vector<std::int64_t> starts = read_offsets(from, name, by_row ? shape[0] : shape[1]);
  file.create_group(to);
  const std::vector<std::int64_t> new_shape = {axes.rows ? kept_ : shape[0], axes.columns ? kept_ : shape[1]};
  file.set_attribute(to, "shape", std::span<const std::int64_t>(new_shape));
  file.copy_attributes(from, name, to);
  std::vector<std::int64_t> new_starts = {0};
  if (entries_are_cells) {
    new_starts = select_entries(from, name, file, to, starts, lines_are_cells);
  } else {
    std::vector<RowRange> entries;
    for (const RowRange& lines : ranges_) {
      const std::int64_t first = starts[static_cast<std::size_t>(lines.begin)];
      entries.push_back({first, starts[static_cast<std::size_t>(lines.end)]});
      for (std::int64_t line = lines.begin; line < lines.end; ++line)
        new_starts.push_back(new_starts.back() + starts[static_cast<std::size_t>(line) + 1] -
                             starts[static_cast<std::size_t>(line)]);
    }
    for (const char* part : {"/data", "/indices"}) file.copy_rows(from, name + part, to + part, entries);
  }
  write_like(from, name + "/indptr", file, to + "/indptr", new_starts);
}

std::vector<std::int64_t> CellSelection::select_entries(const ArrayFile& from, const std::string& name, ArrayFile& file,
                                                        const std::string& to, const std::vector<std::int64_t>& starts,
                                                        bool lines_are_cells) const {
  const auto stream = from.stream_rows(name + "/indices");
  std::vector<RowRange> entries;
  std::vector<std::int64_t> new_starts = {0};
  std::size_t line = 0;
  std::int64_t kept = 0;
  const auto close_lines_before = [&](std::int64_t entry) {
    for (; line + 1 < starts.size() && starts[line + 1] <= entry; ++line)
      if (!lines_are_cells || new_row_[line] >= 0) new_starts.push_back(kept);
  };
  with_numeric_type(stream->info().type, [&]<typename T>(T type) {
    file.create_array(to + "/indices", numeric_type<decltype(type)>(), {}, {step, 0});
    for (std::int64_t begin = 0; begin < starts.back(); begin += step) {
      const RowRange block{begin, std::min(starts.back(), begin + step)};
      std::vector<T> renumbered;
      std::int64_t at = block.begin;
      for (const std::int64_t cell : read_entries<std::int64_t>(*stream, block)) {
        close_lines_before(at);
        if (cell < 0 || cell >= cells_)
          throw UserError(
              fmt::format("'{}/indices' in '{}' has cell index {} of {} cells; the file is damaged: write "
                          "it again",
                          shown(name), from.path().string(), cell, cells_));
        const std::int64_t row = new_row_[static_cast<std::size_t>(cell)];
        if (row >= 0 && (!lines_are_cells || new_row_[line] >= 0)) {
          renumbered.push_back(static_cast<T>(row));
          add(entries, at);
          ++kept;
        }
        ++at;
      }
      file.append_rows(to + "/indices", std::span<const T>(renumbered));
    }
  });
  close_lines_before(starts.back());
  file.copy_rows(from, name + "/data", to + "/data", entries);
  return new_starts;
}

}  // namespace masksc

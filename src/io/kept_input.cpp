#include "kept_input.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cell_selection.hpp"
#include "columns.hpp"
#include "copy_tree.hpp"
#include "kept_obs.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/result_names.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

constexpr const char* layer_of_X = "layers/X";

/// Copies the parts of one input, and notes what it leaves out.
class Keeper {
 public:
  Keeper(const ArrayFile& from, ArrayFile& to, CellSelection cells, std::string labels)
      : from_(from), to_(to), cells_(std::move(cells)), labels_(std::move(labels)) {}

  /// Columns of a data frame and their order; of its index the name alone, which may be that of a column, too.
  void frame(const std::string& name, const std::string& to, bool of_cells) {
    to_.create_group(to);
    std::vector<std::string> kept;
    for (const std::string& column : ordered_columns(from_, name)) {
      const std::string place = name + "/" + column;
      if (of_cells && is_transferred(column) && column != labels_) {
        left_out_.push_back(fmt::format("'{}' ({})", place, earlier_transfer));
        continue;
      }
      if (part(place, to + "/" + column, of_cells, {})) kept.push_back(column);
    }
    const std::string index = frame_index(from_, name);
    const std::vector<std::string> order = from_.texts_attribute(name, "column-order");
    if (const auto found = std::find(order.begin(), order.end(), index); found != order.end())
      kept.insert(kept.begin() + std::min(std::distance(order.begin(), found), std::ssize(kept)), index);
    to_.set_attribute(to, "column-order", std::span<const std::string>(kept));
    to_.set_attribute(to, "_index", index);
  }
  /// All that is in a group.
  void members(const std::string& group, bool of_cells, CellAxes axes = {}, const std::string& to = {}) {
    if (!from_.exists(group) || !from_.info(group).is_group()) return;
    to_.create_group(to.empty() ? group : to);
    for (const std::string& child : from_.children(group))
      part(group + "/" + child, (to.empty() ? group : to) + "/" + child, of_cells, axes);
  }
  /// uns but, where the result's X holds `counts`, what says that it holds logarithms.
  void uns(bool counts) {
    if (!from_.exists("uns") || !from_.info("uns").is_group()) return;
    to_.create_group("uns");
    for (const std::string& child : from_.children("uns"))
      if (counts && child == "log1p")
        left_out_.emplace_back("'uns/log1p' (X holds counts in the result)");
      else
        part("uns/" + child, "uns/" + child, false, {});
  }
  /// X of the input, where the result's is a layer of the input, becomes a layer.
  void old_X() {
    if (!from_.exists("X")) return;
    if (to_.exists(layer_of_X))
      left_out_.emplace_back("'X' (there is a layer 'X')");
    else
      part("X", layer_of_X, true, {});
  }
  void raw() {
    if (!from_.exists("raw/X") || !from_.exists("raw/var")) return;
    if (!cells_.all() && !cells_.can_select(from_, "raw/X")) return leave_out("raw");
    if (cells_.all()) return copy_tree(from_, "raw", to_, "raw");
    to_.create_group("raw");
    to_.copy_attributes(from_, "raw", "raw");
    cells_.select(from_, "raw/X", to_, "raw/X");
    for (const char* name : {"raw/var", "raw/varm"})
      if (from_.exists(name)) copy_tree(from_, name, to_, name);
  }
  /// A part of var's genes, where the result has those of raw.
  void other_genes(const std::string& name) {
    const bool empty =
        !from_.exists(name) || (name == "var" ? ordered_columns(from_, name).empty()
                                              : from_.info(name).is_group() && from_.children(name).empty());
    if (!empty) left_out_.push_back(fmt::format("'{}' (its genes are not those of raw)", shown(name)));
  }
  [[nodiscard]] std::vector<std::string> left_out() const { return left_out_; }

 private:
  /// False for a part that was left out.
  bool part(const std::string& name, const std::string& to, bool of_cells, CellAxes axes) {
    const bool whole = !of_cells || cells_.all();
    if ((!whole && !cells_.can_select(from_, name, axes)) || !from_.exists(name)) {
      leave_out(name);
      return false;
    }
    if (whole)
      copy_tree(from_, name, to_, to);
    else
      cells_.select(from_, name, to_, to, axes);
    return true;
  }
  void leave_out(const std::string& name) {
    std::string encoding;
    if (from_.exists(name)) encoding = from_.text_attribute(name, "encoding-type").value_or("");
    left_out_.push_back(encoding.empty() ? fmt::format("'{}' (not stored as anndata does)", shown(name))
                                         : fmt::format("'{}' (encoding-type '{}')", shown(name), shown(encoding)));
  }

  const ArrayFile& from_;
  ArrayFile& to_;
  CellSelection cells_;
  std::string labels_;  // the column that --labels names
  std::vector<std::string> left_out_;
};

/// Whether var and raw/var have the same genes, in the same order.
bool same_genes(const ArrayFile& input) {
  if (!input.exists("var")) return false;
  const std::int64_t count = frame_rows(input, "raw/var");
  return frame_rows(input, "var") == count &&
         read_frame_names(input, "var", count) == read_frame_names(input, "raw/var", count);
}

}  // namespace

void require_h5ad(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(path, ignored) && looks_like_h5ad(ArrayFile::open(path))) return;
  throw UserError(fmt::format(
      "--keep-input: '{}' is no h5ad file, so there is nothing to keep but counts and names: leave the option out",
      path.string()));
}

std::vector<std::string> keep_input(const std::filesystem::path& from, const InputSettings& settings,
                                    const std::vector<std::int64_t>& rows, const std::filesystem::path& to) {
  const ArrayFile input = ArrayFile::open(from);
  StagedFile staged(to);
  ArrayFile file = ArrayFile::create(staged.path());
  const bool counts_of_raw = settings.layer == "raw" && input.exists("raw/X") && input.exists("raw/var");
  const bool genes_of_raw = counts_of_raw && !same_genes(input);
  const MatrixShape shape = matrix_shape(input, counts_of_raw            ? "raw/X"
                                                : settings.layer.empty() ? "X"
                                                                         : "layers/" + settings.layer);
  Keeper keeper(input, file, CellSelection(shape.rows, rows), settings.labels);
  keeper.frame("obs", "obs", true);
  keeper.frame(genes_of_raw ? "raw/var" : "var", "var", false);
  keeper.members("obsm", true);
  keeper.members("obsp", true, {true, true});
  keeper.members(genes_of_raw ? "raw/varm" : "varm", false, {}, "varm");
  keeper.uns(!settings.layer.empty() || !settings.allow_noninteger);
  if (genes_of_raw) {
    for (const char* name : {"X", "layers", "var", "varm", "varp"}) keeper.other_genes(name);
  } else {
    keeper.members("layers", true);
    if (!settings.layer.empty()) keeper.old_X();
    keeper.members("varp", false);
    if (!counts_of_raw) keeper.raw();
  }
  file.close();
  staged.publish();
  return keeper.left_out();
}

}  // namespace masksc

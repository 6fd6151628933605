// X/Y HDF5: `X` (cells x genes, dense), optionally `Y` (one label a cell), as the scDeepCluster authors publish.
#include <fmt/format.h>

#include "columns.hpp"
#include "readers.hpp"

namespace masksc {
namespace {

Labels read_y(const ArrayFile& file, const InputSettings& settings, std::int64_t cells) {
  const std::string path = file.path().string();
  if (settings.labels != "Y" && settings.labels != "yes")
    throw UserError(fmt::format("--labels '{}': '{}' is an X/Y file, whose labels are called 'Y': give --labels Y",
                                settings.labels, path));
  if (!file.exists("Y"))
    throw UserError(fmt::format("'{}' holds no labels (no array 'Y'): leave --labels out, or add 'Y'", path));
  const ArrayInfo info = file.info("Y");
  const bool one_line = info.shape.size() == 1 || (info.shape.size() == 2 && info.shape[1] == 1);
  if (info.is_group() || !one_line)
    throw UserError(fmt::format("'Y' in '{}' is {}: give one label a cell ({} in all)", path,
                                info.is_group() ? "a group" : info.shape_text(), cells));
  return without_missing(read_labels(file, "Y", cells));
}

}  // namespace

bool looks_like_xy(const ArrayFile& file) { return file.exists("X") && !file.info("X").is_group(); }

std::unique_ptr<CountsReader> open_xy(ArrayFile file, const InputSettings& settings) {
  const std::string path = file.path().string();
  if (!settings.layer.empty())
    throw UserError(
        fmt::format("--layer '{}': '{}' is an X/Y file, which has no layers: leave --layer out", settings.layer, path));
  const MatrixShape shape = matrix_shape(file, "X");
  check_shape(file, "X", shape);
  MatrixReader::Parts parts{std::move(file), {}, {}, {}, {}};
  if (!settings.labels.empty()) {
    parts.labels = read_y(parts.file, settings, shape.rows);
    parts.label_column = "Y";
  }
  parts.place = {path, "X", numbered_names(shape.rows), numbered_names(shape.columns), settings.allow_noninteger};
  return std::make_unique<MatrixReader>(std::move(parts));
}

}  // namespace masksc

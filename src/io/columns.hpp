// Names and labels from arrays and from the columns of anndata's data frames.
#pragma once

#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {

/// "0", "1", ..., as scanpy names what has no names.
std::vector<std::string> numbered_names(std::int64_t count);

/// The labels in the array or encoded column `name`. Throws UserError unless there is one for each of `cells` cells.
Labels read_labels(const ArrayFile& file, const std::string& name, std::int64_t cells);

/// The index of the data frame `frame` ("obs", "var", "raw/var"). Throws UserError unless it has `count` entries.
std::vector<std::string> read_frame_names(const ArrayFile& file, const std::string& frame, std::int64_t count);

/// The columns of the data frame, without its index.
std::vector<std::string> frame_columns(const ArrayFile& file, const std::string& frame);

/// A column of flags, missing ones false; empty when there is none of that name or it isn't one flag each.
std::vector<std::uint8_t> read_flags(const ArrayFile& file, const std::string& name, std::int64_t count);

}  // namespace masksc

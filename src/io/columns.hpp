// Names and labels in arrays and in the columns of anndata's data frames.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "masksc/core/types.hpp"
#include "masksc/io/array_file.hpp"

namespace masksc {

/// "0", "1", ..., as scanpy names what has no names.
std::vector<std::string> numbered_names(std::int64_t count);

/// Where anndata 0.7 kept the categories of the column `name` ("obs/type"), which led there by a reference; "" unless
/// it did, and the column holds codes.
std::string legacy_categories(const ArrayFile& file, const std::string& name);

/// The labels in the array or encoded column `name`. Throws UserError unless there is one for each of `cells` cells,
/// and some that is not missing.
Labels read_labels(const ArrayFile& file, const std::string& name, std::int64_t cells, bool all_may_be_missing = false);

/// The numbers of the column `name`, NaN for a missing one and for texts.
std::vector<double> read_numbers(const ArrayFile& file, const std::string& name);

/// The texts of the array or encoded column `name`; numbers as text.
std::vector<std::string> read_texts(const ArrayFile& file, const std::string& name);

/// The index of the data frame `frame` ("obs", "var", "raw/var"). Throws UserError unless it has `count` entries.
std::vector<std::string> read_frame_names(const ArrayFile& file, const std::string& frame, std::int64_t count);

/// The name of its index. Throws UserError where it has none, or is a table of anndata older than 0.7.
std::string frame_index(const ArrayFile& file, const std::string& frame);

/// Its rows: the entries of its index.
std::int64_t frame_rows(const ArrayFile& file, const std::string& frame);

/// Whether '/' in the name of a column puts it into a group ("a/b" is b in the group a), one that is none of `columns`.
bool is_nested(const std::string& name, const std::set<std::string>& columns);

/// The columns of the data frame, without its index, sorted. One that is_nested() is among them where the
/// frame's column-order names it; the group that only holds it is not.
std::vector<std::string> frame_columns(const ArrayFile& file, const std::string& frame);

/// Those in the order that it gives.
std::vector<std::string> ordered_columns(const ArrayFile& file, const std::string& frame);

/// The name of each label; "" for a missing one.
std::vector<std::string> texts_of(const Labels& labels);

/// `labels` without the texts that astype(str) of pandas makes of missing values: '', nan, NaN, None, <NA>.
Labels without_missing(Labels labels);

/// obs[column] as `option` asks for it, without_missing. Throws UserError, with the columns there are, unless it
/// is there and labels some cell.
Labels read_obs_labels(const ArrayFile& file, const std::string& column, std::int64_t cells,
                       const char* option = "labels");

/// Writes `labels` as the categorical column `name` ("obs/type").
void write_categorical(ArrayFile& file, const std::string& name, const Labels& labels);

/// A column of flags, missing ones false; empty when there is none of that name or it isn't one flag each.
std::vector<std::uint8_t> read_flags(const ArrayFile& file, const std::string& name, std::int64_t count);

}  // namespace masksc

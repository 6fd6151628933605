// The data frames of anndata: their index, and which columns they have.
#include <fmt/format.h>

#include <set>

#include "columns.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

/// The index of a data frame, which is there.
std::string index_array(const ArrayFile& file, const std::string& frame) {
  const std::string name = frame + "/" + frame_index(file, frame);
  if (!file.exists(name))
    throw UserError(
        fmt::format("'{}' in '{}' is named as the index but is not there; the file is damaged: write it again",
                    shown(name), file.path().string()));
  return name;
}

}  // namespace

bool is_nested(const std::string& name, const std::set<std::string>& columns) {
  const std::vector<std::string_view> parts = split(name, "/");
  std::string way;
  for (const std::string_view part : parts) {
    if (part.empty() || part == "." || columns.contains(way)) return false;
    way += (way.empty() ? "" : "/") + std::string(part);
  }
  return parts.size() > 1;
}

std::vector<std::string> read_frame_names(const ArrayFile& file, const std::string& frame, std::int64_t count) {
  const std::string name = index_array(file, frame);
  const std::vector<std::string> names = read_texts(file, name);
  if (static_cast<std::int64_t>(names.size()) != count)
    throw UserError(fmt::format("'{}' in '{}' has {} names, but the matrix has {}: write the file again", shown(name),
                                file.path().string(), names.size(), count));
  return names;
}

std::string frame_index(const ArrayFile& file, const std::string& frame) {
  if (!file.info(frame).is_group())
    throw UserError(
        fmt::format("'{}' in '{}' is a table of anndata older than 0.7: open the file in anndata and write "
                    "it again",
                    frame, file.path().string()));
  if (const auto name = file.text_attribute(frame, "_index")) return *name;
  for (const char* name : {"_index", "index"})
    if (file.exists(frame + "/" + name)) return name;
  throw UserError(
      fmt::format("'{}' in '{}' has no index (attribute '_index'); expected a data frame of anndata 0.7 or "
                  "newer: open the file in anndata and write it again",
                  frame, file.path().string()));
}

std::int64_t frame_rows(const ArrayFile& file, const std::string& frame) {
  const std::string name = index_array(file, frame);
  for (const char* part : {"/codes", "/values"})
    if (file.exists(name + part)) return file.info(name + part).rows();
  return file.info(name).rows();
}

std::vector<std::string> frame_columns(const ArrayFile& file, const std::string& frame) {
  const std::string index = frame_index(file, frame);
  const std::vector<std::string> order = file.texts_attribute(frame, "column-order");
  std::set<std::string> named(order.begin(), order.end());
  named.insert(index);
  std::set<std::string> columns;
  std::set<std::string> holders;  // groups that are there for '/' in a name
  for (const std::string& name : named) {
    if (!is_nested(name, named) || !file.exists(frame + "/" + name)) continue;
    columns.insert(name);
    holders.insert(name.substr(0, name.find('/')));
  }
  for (const std::string& name : file.children(frame))
    if (name != "__categories" && !holders.contains(name)) columns.insert(name);
  columns.erase(index);
  return {columns.begin(), columns.end()};
}

std::vector<std::string> ordered_columns(const ArrayFile& file, const std::string& frame) {
  const std::vector<std::string> columns = frame_columns(file, frame);
  std::set<std::string> left(columns.begin(), columns.end());
  std::vector<std::string> ordered;
  for (std::string& column : file.texts_attribute(frame, "column-order"))
    if (left.erase(column) > 0) ordered.push_back(std::move(column));
  return ordered;
}

}  // namespace masksc

#include "copy_tree.hpp"

#include <fmt/format.h>

#include "columns.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr int deepest = 32;
constexpr std::int64_t most_objects = 1000000;

void copy(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to, int depth,
          std::int64_t& objects) {
  if (depth > deepest || ++objects > most_objects)
    throw UserError(
        fmt::format("'{}' in '{}' holds groups within groups without end; the file is damaged: write it again",
                    shown(name), from.path().string()));
  if (!from.exists(name)) return;
  const ArrayInfo info = from.info(name);
  if (!legacy_categories(from, name).empty())
    return write_categorical(file, to, read_labels(from, name, info.rows(), /*all_may_be_missing=*/true));
  if (!info.is_group()) return file.copy_array(from, name, to);
  file.create_group(to);
  file.copy_attributes(from, name, to);
  for (const std::string& child : from.children(name))
    if (child != "__categories") copy(from, name + "/" + child, file, to + "/" + child, depth + 1, objects);
}

}  // namespace

void copy_tree(const ArrayFile& from, const std::string& name, ArrayFile& file, const std::string& to) {
  std::int64_t objects = 0;
  copy(from, name, file, to, 0, objects);
}

}  // namespace masksc

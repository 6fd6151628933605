#include "mtx_folder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>

#include "foreign_formats.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"
#include "text_lines.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;

constexpr const char* expected =
    "a 10x folder holds matrix.mtx, features.tsv (or genes.tsv) and barcodes.tsv, plain or with .gz";

enum Part : std::size_t { matrix, features, barcodes, parts };
/// The files found of each part.
using Set = std::array<std::vector<fs::path>, parts>;

/// Puts `file` where it belongs, if it does: by the end of its name, what comes before it is the prefix.
void sort_in(const fs::path& file, std::map<std::string, Set>& sets) {
  struct Ending {
    const char* text;
    Part part;
  };
  constexpr std::array<Ending, 4> endings = {Ending{"matrix.mtx", matrix}, Ending{"features.tsv", features},
                                             Ending{"genes.tsv", features}, Ending{"barcodes.tsv", barcodes}};
  std::string name = file.filename().string();
  if (name.starts_with("._")) return;  // what a Mac keeps beside each file on disks of others
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  for (const Ending& ending : endings)
    if (name.ends_with(ending.text))
      sets[name.substr(0, name.size() - std::string_view(ending.text).size())][ending.part].push_back(file);
}

const fs::path& only(const fs::path& folder, const std::vector<fs::path>& files, const char* what) {
  if (files.empty()) throw UserError(fmt::format("'{}' has no {}: {}", folder.string(), what, expected));
  if (files.size() > 1)
    throw UserError(fmt::format("'{}' holds both {} and {}: move one of them elsewhere", folder.string(),
                                shown(files[0].filename().string()), shown(files[1].filename().string())));
  return files.front();
}

/// A field without the quotes that R's write.table puts around it.
std::string_view unquoted(std::string_view field) {
  const bool quoted = field.size() > 1 && field.front() == '"' && field.back() == '"';
  return quoted ? field.substr(1, field.size() - 2) : field;
}

/// Calls `work(lines, columns)` for each line of a table; blank lines are allowed at the end only. A byte-order mark at
/// its beginning is no part of it.
void for_each_line(const fs::path& path,
                   const std::function<void(const TextLines&, const std::vector<std::string_view>&)>& work) {
  TextLines lines(path);
  std::string_view line;
  bool blank = false;
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  while (lines.next(line)) {
    if (lines.number() == 1 && line.starts_with(mark)) line.remove_prefix(mark.size());
    if (line.empty()) {
      blank = true;
      continue;
    }
    if (blank) lines.refuse("comes after a blank line: give one name a line");
    std::vector<std::string_view> columns = split(line, "\t");
    std::transform(columns.begin(), columns.end(), columns.begin(), unquoted);
    work(lines, columns);
  }
}

std::string checked_name(const TextLines& lines, std::string_view name) {
  if (!is_utf8(name))
    lines.refuse(fmt::format("has a name that is not UTF-8: '{}'; write the file again in UTF-8", shown(name)));
  return std::string(name);
}

}  // namespace

MtxFolder find_mtx(const fs::path& folder) {
  std::map<std::string, Set> sets;
  std::error_code error;
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error))
    sort_in(at->path(), sets);
  if (error)
    throw UserError(
        fmt::format("cannot list '{}': {}; check the name and the permissions", folder.string(), error.message()));
  std::erase_if(sets, [](const auto& set) { return set.second[matrix].empty(); });
  if (sets.empty()) {
    refuse_foreign(folder);
    throw UserError(fmt::format("'{}' is a folder without a matrix.mtx: give a file of counts, or a 10x folder; {}",
                                folder.string(), expected));
  }
  if (sets.size() > 1) {
    std::vector<std::string> prefixes;
    for (const auto& [prefix, set] : sets) prefixes.push_back(fmt::format("'{}'", prefix));
    throw UserError(fmt::format("'{}' holds {} matrices, with the prefixes {}: put each in a folder of its own",
                                folder.string(), sets.size(), shown(prefixes)));
  }
  const auto& [prefix, found] = *sets.begin();
  return {only(folder, found[matrix], "matrix.mtx"),
          only(folder, found[features], shown(prefix + "features.tsv").c_str()),
          only(folder, found[barcodes], shown(prefix + "barcodes.tsv").c_str())};
}

Features read_feature_table(const fs::path& path) {
  Features table;
  std::size_t width = 0;
  for_each_line(path, [&](const TextLines& lines, const std::vector<std::string_view>& columns) {
    const std::size_t columns_read = std::min<std::size_t>(columns.size(), 3);
    if (width == 0) width = columns_read;
    if (columns_read != width)
      lines.refuse(fmt::format("has {} columns where the lines before have {}", columns.size(), width));
    table.names.push_back(checked_name(lines, columns[width == 1 ? 0 : 1]));
    if (width > 1) table.ids.emplace_back(columns[0]);
    if (width == 3) table.types.push_back(checked_name(lines, columns[2]));
  });
  if (!std::all_of(table.ids.begin(), table.ids.end(), is_utf8)) table.ids.clear();
  return table;
}

std::vector<std::string> read_barcodes(const fs::path& path) {
  std::vector<std::string> names;
  for_each_line(path, [&](const TextLines& lines, const std::vector<std::string_view>& columns) {
    names.push_back(checked_name(lines, columns[0]));
  });
  return names;
}

}  // namespace masksc

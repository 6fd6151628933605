// Which files the inputs are, and what tells them apart.
#include "masksc/io/inputs.hpp"

#include <fmt/format.h>

#include <set>

#include "joined_reader.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t longest_list = std::size_t{1} << 24;

std::vector<fs::path> read_list(const fs::path& list) {
  std::string text;
  try {
    text = read_file(list, longest_list);
  } catch (const UserError& e) {
    throw UserError(fmt::format("--input @LIST: {}", e.what()));
  }
  if (!is_utf8(text))
    throw UserError(fmt::format("--input @{}: the list is not UTF-8 text; it takes the name of one file a line",
                                shown(list.string())));
  std::vector<fs::path> files;
  for (std::string_view line : split(text, "\n")) {
    line = trimmed(line);
    if (line.empty() || line.front() == '#') continue;
    const fs::path file(line);
    files.push_back(file.is_absolute() ? file : list.parent_path() / file);
  }
  if (files.empty())
    throw UserError(fmt::format("--input @{}: the list names no file; it takes one a line", shown(list.string())));
  return files;
}

/// The name `level` levels up: the file without its extension, the folder it is in, ...; "" above the root.
std::string name_at(const fs::path& file, std::size_t level) {
  fs::path path = full_path(file);
  if (path.filename().empty()) path = path.parent_path();  // a folder with '/' behind it
  std::error_code ignored;
  if (level == 0) return fs::is_directory(path, ignored) ? path.filename().string() : path.stem().string();
  for (; level > 0; --level) path = path.parent_path();
  return path.filename().string();
}

}  // namespace

std::vector<fs::path> listed_inputs(std::span<const std::string> given) {
  std::vector<fs::path> files;
  for (const std::string& name : given) {
    if (name.empty()) throw UserError("--input has no value: give the file of counts");
    if (name.front() != '@') {
      files.emplace_back(name);
      continue;
    }
    const std::vector<fs::path> listed = read_list(name.substr(1));
    files.insert(files.end(), listed.begin(), listed.end());
  }
  std::set<fs::path> seen;
  for (const fs::path& file : files) {
    std::error_code ignored;
    if (!seen.insert(fs::weakly_canonical(file, ignored)).second)
      throw UserError(
          fmt::format("--input names '{}' twice: its cells would count twice; name it once", file.string()));
  }
  return files;
}

std::vector<std::string> short_names(std::span<const fs::path> files) {
  std::vector<std::string> names;
  for (std::size_t level = 0;; ++level) {
    names.clear();
    for (const fs::path& file : files) names.push_back(name_at(file, level));
    const std::set<std::string> different(names.begin(), names.end());
    if (different.size() == files.size() && !different.contains("")) return names;
    if (different.size() == 1 && different.contains("")) break;
  }
  names.clear();
  for (const fs::path& file : files) names.push_back(full_path(file).string());
  return names;
}

std::string subject_of(std::span<const fs::path> files) {
  std::string subject = fmt::format("'{}'", files.front().string());
  if (files.size() > 1) subject += fmt::format(" or one of the {} other inputs", files.size() - 1);
  return subject;
}

std::string look_at_inputs(const std::vector<fs::path>& files, const InputSettings& settings,
                           const std::function<std::string(const CountsReader&)>& look) {
  return run_apart(subject_of(files), [&] { return look(*open_inputs(files, settings)); });
}

std::unique_ptr<CountsReader> open_inputs(const std::vector<fs::path>& files, const InputSettings& settings) {
  const std::string& key = settings.batch_key;
  if (key.find('/') != std::string::npos || key.starts_with("masksc"))
    throw UserError(
        fmt::format("--batch-key '{}': names with '/' and those that begin with masksc can't be taken for "
                    "a column of the result; choose another",
                    shown(key)));
  std::vector<std::unique_ptr<CountsReader>> readers;
  for (const fs::path& file : files) readers.push_back(open_counts(file, settings));
  if (readers.size() > 1) return join_readers(std::move(readers), short_names(files), settings);
  if (!key.empty() && readers.front()->batch_column() != key) {
    const std::vector<std::string> columns = readers.front()->obs_columns();
    throw UserError(fmt::format("--batch-key '{}': '{}' has no such column in obs{}; there are: {}", shown(key),
                                files.front().string(), suggestion(key, columns),
                                columns.empty() ? "none" : shown(columns)));
  }
  return std::move(readers.front());
}

}  // namespace masksc

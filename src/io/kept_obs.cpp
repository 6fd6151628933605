#include "kept_obs.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <set>
#include <type_traits>

#include "category_union.hpp"
#include "columns.hpp"
#include "h5ad_uns.hpp"
#include "joined_reader.hpp"
#include "masksc/core/chosen.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"
#include "masksc/io/result_names.hpp"

namespace masksc {
namespace {

using Files = std::vector<ArrayFile>;

enum class Kind { text, boolean, integer, natural, floating };  // integer: int64; natural: uint64

/// A column in a file: its values and, where anndata lets some be missing, the mask of those.
struct Place {
  Kind kind = Kind::text;
  std::string values;
  std::string mask = {};
  // Of integers.
  std::int64_t least = 0;  // or 0 where none is below
  std::uint64_t most = 0;  // or 0 where none is above
};

template <typename T>
void find_range(const ArrayFile& file, Place& place) {
  for (const T value : file.read<T>(place.values)) {
    if (value < 0)
      place.least = std::min(place.least, static_cast<std::int64_t>(value));
    else
      place.most = std::max(place.most, static_cast<std::uint64_t>(value));
  }
}

/// Throws UserError for a column of an encoding that is not read.
Place place_of(const ArrayFile& file, const std::string& name) {
  if (!legacy_categories(file, name).empty() || file.exists(name + "/codes")) return {Kind::text, name};
  Place place{Kind::text, name};
  if (file.info(name).is_group()) {
    place.values += "/values";
    if (!file.exists(place.values)) throw UserError("another encoding");
    if (file.exists(name + "/mask")) place.mask = name + "/mask";
  }
  switch (file.info(place.values).kind) {
    case ArrayInfo::Kind::boolean:
      place.kind = Kind::boolean;
      break;
    case ArrayInfo::Kind::integer:
      place.kind = Kind::integer;
      if (file.info(place.values).type == NumericType::u64)
        find_range<std::uint64_t>(file, place);
      else
        find_range<std::int64_t>(file, place);
      break;
    case ArrayInfo::Kind::floating:
      place.kind = Kind::floating;
      break;
    case ArrayInfo::Kind::text:
      break;
    default:
      throw UserError("another encoding");
  }
  return place;
}

/// Whether the columns of all files are numbers or flags that one array holds without loss, and which.
Kind common_kind(const std::vector<Place>& places) {
  constexpr std::int64_t exact = std::int64_t{1} << 53;  // integers up to here are whole in float64
  const auto all = [&](auto is) { return std::all_of(places.begin(), places.end(), is); };
  if (all([](const Place& p) { return p.kind == Kind::boolean && p.mask.empty(); })) return Kind::boolean;
  if (all([](const Place& p) { return p.kind == Kind::integer && p.mask.empty(); })) {
    if (all([](const Place& p) { return p.most <= INT64_MAX; })) return Kind::integer;
    return all([](const Place& p) { return p.least == 0; }) ? Kind::natural : Kind::text;
  }
  const auto fits = [](const Place& p) { return p.least >= -exact && p.most <= std::uint64_t{exact}; };
  if (all([](const Place& p) { return p.kind == Kind::integer || p.kind == Kind::floating; }) && all(fits))
    return Kind::floating;
  return Kind::text;
}

/// The values of all files; NaN where a mask says that one is missing.
template <typename T>
std::vector<T> read_values(const Files& files, const std::vector<Place>& places) {
  std::vector<T> all;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const std::vector<T> part = files[i].read<T>(places[i].values);
    if (std::ssize(part) != frame_rows(files[i], "obs"))
      throw UserError(fmt::format("'{}' in '{}' has {} values for {} cells", shown(places[i].values),
                                  files[i].path().string(), part.size(), frame_rows(files[i], "obs")));
    all.insert(all.end(), part.begin(), part.end());
    if constexpr (std::is_floating_point_v<T>) {
      if (places[i].mask.empty()) continue;
      const std::vector<std::uint8_t> mask = files[i].read<std::uint8_t>(places[i].mask);
      for (std::size_t cell = 0; cell < std::min(mask.size(), part.size()); ++cell)
        if (mask[cell] != 0) all[all.size() - part.size() + cell] = std::numeric_limits<T>::quiet_NaN();
    }
  }
  return all;
}

Labels read_all_labels(const Files& files, const std::string& name, const std::vector<std::int64_t>& rows) {
  CategoryUnion all;
  for (const ArrayFile& file : files)
    all.add(read_labels(file, name, frame_rows(file, "obs"), /*all_may_be_missing=*/true));
  Labels labels = all.take();
  labels.codes = chosen(labels.codes, rows);
  return labels;
}

/// Writes one column of the joined cells. Throws UserError when it can't be read in some file.
void join_column(const Files& files, const std::string& name, const std::vector<std::int64_t>& rows, ArrayFile& to) {
  std::vector<Place> places;
  for (const ArrayFile& file : files) places.push_back(place_of(file, name));
  const auto count = std::ssize(rows);
  const Kind kind = common_kind(places);
  if (kind == Kind::text) {
    const Labels labels = read_all_labels(files, name, rows);
    if (2 * std::ssize(labels.names) <= count) return write_categorical(to, name, labels);
    to.write_text(name, texts_of(labels));
    return tag_encoding(to, name, "string-array", "0.2.0");
  }
  const auto write = [&]<typename T>(T) { to.write<T>(name, chosen(read_values<T>(files, places), rows), {count}); };
  if (kind == Kind::boolean)
    to.write_flags(name, chosen(read_values<std::uint8_t>(files, places), rows), {count});
  else if (kind == Kind::integer)
    write(std::int64_t{});
  else if (kind == Kind::natural)
    write(std::uint64_t{});
  else
    write(double{});
  tag_encoding(to, name, "array", "0.2.0");
}

/// Members of the files that are no counts, names or obs, with what they hold.
void note_other_parts(const Files& files, std::vector<std::string>& left_out) {
  for (const char* name : {"layers", "obsm", "obsp", "var", "varm", "varp", "uns", "raw"}) {
    const auto holds = [&](const ArrayFile& file) {
      if (!file.exists(name)) return false;
      if (std::string(name) == "var") return !ordered_columns(file, "var").empty();
      return !file.info(name).is_group() || !file.children(name).empty();
    };
    if (std::any_of(files.begin(), files.end(), holds))
      left_out.push_back(fmt::format("'{}' (of several inputs obs alone is kept)", name));
  }
}

}  // namespace

std::vector<std::string> keep_obs(const std::vector<std::filesystem::path>& from, const InputSettings& settings,
                                  const std::vector<std::int64_t>& rows, const std::filesystem::path& to) {
  Files files;
  for (const std::filesystem::path& path : from) files.push_back(ArrayFile::open(path));
  std::vector<std::string> left_out;
  StagedFile staged(to);
  ArrayFile file = ArrayFile::create(staged.path());
  file.create_group("obs");
  std::vector<std::string> kept;
  std::set<std::string> seen;
  for (const ArrayFile& each : files)
    for (const std::string& column : ordered_columns(each, "obs")) {
      const std::string name = "obs/" + column;
      if (!seen.insert(column).second) continue;
      if (is_transferred(column) && column != settings.labels) {
        left_out.push_back(fmt::format("'{}' ({})", name, earlier_transfer));
        continue;
      }
      if (!std::all_of(files.begin(), files.end(), [&](const ArrayFile& other) { return other.exists(name); })) {
        left_out.push_back(fmt::format("'{}' (not in all inputs)", shown(name)));
        continue;
      }
      if (settings.batch_key.empty() && column == default_batch_column) {
        left_out.push_back(fmt::format(
            "'{}' (the result's tells which input a cell is of; with --batch-key {} it is yours)", name, column));
        continue;
      }
      try {
        join_column(files, name, rows, file);
        kept.push_back(column);
      } catch (const UserError&) {
        left_out.push_back(fmt::format("'{}' (not stored as anndata does)", shown(name)));
      }
    }
  file.set_attribute("obs", "column-order", std::span<const std::string>(kept));
  note_other_parts(files, left_out);
  file.close();
  staged.publish();
  return left_out;
}

}  // namespace masksc

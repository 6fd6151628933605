#include "masksc/io/h5ad_copy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "columns.hpp"
#include "copy_tree.hpp"
#include "h5ad_uns.hpp"
#include "masksc/core/apart.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/text.hpp"

namespace masksc {
namespace {

constexpr const char* cluster_records = "uns/masksc_cluster";

/// A data frame but for what `to` has already.
void copy_frame(const ArrayFile& from, ArrayFile& to, const std::string& frame) {
  if (!from.exists(frame) || !from.info(frame).is_group()) return copy_tree(from, frame, to, frame);
  if (!to.exists(frame)) to.create_group(frame);
  to.copy_attributes(from, frame, frame);
  for (const std::string& column : from.children(frame)) {
    const std::string place = frame + "/" + column;
    if (!to.exists(place) && column != "__categories") copy_tree(from, place, to, place);
  }
}

/// uns: `record` under masksc_cluster/column, and all else that the input has there.
void write_uns_of(const ArrayFile& input, ArrayFile& to, const std::string& column, const Json& record) {
  const std::string records = cluster_records;
  const auto add_dict = [&](const std::string& name) {
    to.create_group(name);
    tag_encoding(to, name, "dict", "0.1.0");
  };
  add_dict("uns");
  add_dict(records);
  write_uns(to, records + "/" + column, record);
  for (const std::string& group : {std::string("uns"), records}) {
    if (!input.exists(group) || !input.info(group).is_group()) continue;
    to.copy_attributes(input, group, group);
    for (const std::string& child : input.children(group))
      if (!to.exists(group + "/" + child)) copy_tree(input, group + "/" + child, to, group + "/" + child);
  }
}

void write_copy(const ArrayFile& input, const std::filesystem::path& to, const ClusterColumn& added) {
  const auto& [column, labels, record] = added;
  ensure(frame_index(input, "obs") != column, "the names of the cells stay");
  ensure(static_cast<std::int64_t>(labels.codes.size()) == frame_rows(input, "obs"), "one label a cell");
  StagedFile staged(to);
  ArrayFile file = ArrayFile::create(staged.path());
  file.copy_attributes(input, "/", "/");
  std::vector<std::string> order = ordered_columns(input, "obs");
  std::erase(order, column);
  order.push_back(column);
  write_categorical(file, "obs/" + column, labels);
  file.set_attribute("obs", "column-order", std::span<const std::string>(order));
  write_uns_of(input, file, column, record);
  for (const std::string& child : input.children("/"))
    if (child == "uns")
      continue;
    else if (child == "obs" || child == "var")
      copy_frame(input, file, child);
    else
      copy_tree(input, child, file, child);
  file.close();
  staged.publish();
}

}  // namespace

void copy_with_clusters(const std::filesystem::path& from, const std::filesystem::path& to,
                        const ClusterColumn& added) {
  ensure(added.name == safe_key(added.name), "the name of a column is one of HDF5");
  const StagedFile removed_after_a_crash(to);
  run_apart(fmt::format("'{}'", from.string()), [&] {
    write_copy(ArrayFile::open(from), to, added);
    return std::string();
  });
}

namespace {

ClusterColumn read_added(const std::filesystem::path& path, const std::string& name) {
  const ArrayFile file = ArrayFile::open(path);
  const bool any = file.exists("uns") && file.exists(cluster_records) && file.info(cluster_records).is_group();
  const std::vector<std::string> names = any ? file.children(cluster_records) : std::vector<std::string>();
  if (names.empty())
    throw UserError(
        fmt::format("'{}' holds no clusters of masksc_cluster: give the file that it wrote", path.string()));
  if (name.empty() && names.size() > 1)
    throw UserError(fmt::format("'{}' holds several clusterings: choose one with --column; there are: {}",
                                path.string(), shown(names)));
  const std::string column = name.empty() ? names.front() : name;
  if (std::find(names.begin(), names.end(), column) == names.end())
    throw UserError(fmt::format("--column '{}': '{}' holds no clusters of that name{}; there are: {}", shown(column),
                                path.string(), suggestion(column, names), shown(names)));
  ClusterColumn found{.name = column, .labels = read_obs_labels(file, column, frame_rows(file, "obs"), "column")};
  const std::string metrics = std::string(cluster_records) + "/" + column + "/metrics";
  for (const std::string& key : file.exists(metrics) ? file.children(metrics) : std::vector<std::string>()) {
    const ArrayInfo info = file.info(metrics + "/" + key);
    if (info.is_group() || info.size() != 1) continue;
    if (info.kind == ArrayInfo::Kind::integer)
      found.record[key] = file.read<std::int64_t>(metrics + "/" + key).front();
    else if (info.is_numeric())
      found.record[key] = file.read<double>(metrics + "/" + key).front();
    else
      found.record[key] = file.read_text(metrics + "/" + key).front();
  }
  const std::string features = std::string(cluster_records) + "/" + column + "/options/features";
  if (file.exists(features) && file.info(features).kind == ArrayInfo::Kind::text && file.info(features).size() == 1)
    found.record["features_of"] = file.read_text(features).front();
  return found;
}

}  // namespace

ClusterColumn read_added_clusters(const std::filesystem::path& path, const std::string& name) {
  run_apart(fmt::format("'{}'", path.string()), [&] {  // a rehearsal
    static_cast<void>(read_added(path, name));
    return std::string();
  });
  return read_added(path, name);
}

}  // namespace masksc

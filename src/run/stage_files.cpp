#include "stage_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/io/sealed_file.hpp"

namespace masksc {
namespace {

constexpr const char* embedding_kind = "embedding";
constexpr const char* clusters_kind = "clustering";
constexpr std::array<const char*, 4> guidance_names = {"auto", "sequence", "components", "both"};

/// The file on rank 0, if it is there, good and of this identity. A collective.
std::optional<Seal> open_own(const std::filesystem::path& path, const char* kind, const Json& identity,
                             Collectives& ranks) {
  std::optional<Seal> seal;
  on_root(ranks, [&] {
    if (!std::filesystem::exists(path)) return;
    try {
      seal = open_sealed(path, kind);
      if (!seal->header.contains("identity") || seal->header.at("identity") != identity) seal.reset();
    } catch (const UserError& e) {
      log::warning("{}; it is made again", e.what());
    }
  });
  return seal;
}

/// Where consecutive rows of the embedding stand in the file.
struct StoredRows {
  RowRange rows;
  SealedArray array;
};

/// The place of row ranges on every rank, as rank 0's `seal` has them.
std::vector<StoredRows> share_places(const std::optional<Seal>& seal, Collectives& ranks) {
  const auto numbers = of_root(ranks, [&] {
    std::vector<std::int64_t> own;
    if (!seal) return own;
    for (const SealedArray& array : seal->arrays) {
      const std::int64_t first = std::stoll(array.name.substr(array.name.rfind('/') + 1));
      own.insert(own.end(), {first, first + array.shape.at(0), array.offset, array.bytes});
    }
    return own;
  });
  std::vector<StoredRows> stored;
  for (std::size_t i = 0; i < numbers.size(); i += 4)
    stored.push_back({{numbers[i], numbers[i + 1]}, {"", {}, numbers[i + 2], numbers[i + 3], ""}});
  return stored;
}

}  // namespace

void save_embedding(const std::filesystem::path& path, const Json& identity, const EmbeddingProgress& progress,
                    RowRange rows, Collectives& ranks) {
  const DenseMatrix& values = progress.values;
  std::vector<ArraySource> arrays;
  for (std::int64_t row = 0; row < values.rows;) {
    std::int64_t end = row;
    while (end < values.rows && progress.done[static_cast<std::size_t>(end)] != 0) ++end;
    if (end > row)
      arrays.push_back({fmt::format("rows/{:012}", rows.begin + row),
                        {end - row, values.columns},
                        std::span(values.values)
                            .subspan(static_cast<std::size_t>(row * values.columns),
                                     static_cast<std::size_t>((end - row) * values.columns)),
                        nullptr});
    row = std::max(end, row + 1);
  }
  SealedWrite(path, embedding_kind, {{"identity", identity}}, std::move(arrays), ranks).finish();
}

void load_embedding(const std::filesystem::path& path, const Json& identity, EmbeddingProgress& progress, RowRange rows,
                    Collectives& ranks) {
  const std::optional<Seal> seal = open_own(path, embedding_kind, identity, ranks);
  const std::vector<StoredRows> stored = share_places(seal, ranks);
  const Seal places{path, {}, {}, 0};
  DenseMatrix& values = progress.values;
  together(ranks, [&] {
    for (const StoredRows& part : stored) {
      const RowRange wanted = {std::max(part.rows.begin, rows.begin), std::min(part.rows.end, rows.end)};
      if (wanted.size() <= 0) continue;
      read_array(places, part.array,
                 std::span(values.values)
                     .subspan(static_cast<std::size_t>((wanted.begin - rows.begin) * values.columns),
                              static_cast<std::size_t>(wanted.size() * values.columns)),
                 (wanted.begin - part.rows.begin) * values.columns);
      std::fill_n(progress.done.begin() + (wanted.begin - rows.begin), wanted.size(), std::uint8_t{1});
    }
  });
}

void save_guidance(const std::filesystem::path& path, const Json& identity, GuidanceTarget target) {
  const Json saved = {{"identity", identity}, {"guidance_target", guidance_names.at(static_cast<std::size_t>(target))}};
  write_file(path, saved.dump(2) + "\n");
}

GuidanceTarget load_guidance(const std::filesystem::path& path, const Json& identity, Collectives& ranks) {
  return of_root(ranks, [&] {
    const Json saved = std::filesystem::exists(path) ? json_or_null(read_file(path)) : Json();
    if (!saved.is_object() || saved.value("identity", Json()) != identity) return GuidanceTarget::automatic;
    const auto name = std::ranges::find(guidance_names, saved.value("guidance_target", Json()));
    return name == guidance_names.end() ? GuidanceTarget::automatic
                                        : static_cast<GuidanceTarget>(name - guidance_names.begin());
  });
}

void save_clusters(const std::filesystem::path& path, const Json& identity, const ClusterProgress& progress,
                   Collectives& ranks) {
  on_root(ranks, [&] {
    const KMeansProgress& k = progress.kmeans;
    const Json header = {{"identity", identity},   {"clusters", progress.clusters}, {"by", progress.clusters_by},
                         {"restarts", k.restarts}, {"inertia", k.inertia},          {"iterations", k.iterations},
                         {"empty", k.empty}};
    std::vector<ArraySource> arrays;
    if (!k.centres.empty())
      arrays.push_back({"centres",
                        {progress.clusters, static_cast<std::int64_t>(k.centres.size()) / progress.clusters},
                        std::span(k.centres),
                        nullptr});
    write_sealed(path, clusters_kind, header, std::move(arrays));
  });
}

ClusterProgress load_clusters(const std::filesystem::path& path, const Json& identity, Collectives& ranks) {
  ClusterProgress progress;
  const std::optional<Seal> seal = open_own(path, clusters_kind, identity, ranks);
  const std::string header = of_root(ranks, [&] { return seal ? seal->header.dump() : std::string(); });
  if (header.empty()) return progress;
  std::vector<float> centres = of_root(ranks, [&] {
    std::vector<float> values;
    if (const SealedArray* const array = seal->find("centres")) {
      values.resize(static_cast<std::size_t>(array->bytes) / sizeof(float));
      read_array(*seal, *array, values);
    }
    return values;
  });
  const Json h = parse_json(header);
  progress.clusters = h.at("clusters").get<std::int64_t>();
  progress.clusters_by = h.at("by").get<std::string>();
  progress.kmeans = {h.at("restarts").get<std::int64_t>(), std::move(centres), h.at("inertia").get<double>(),
                     h.at("iterations").get<std::int64_t>(), h.at("empty").get<std::int64_t>()};
  return progress;
}

}  // namespace masksc

// Stage 3: embedding and clustering.
#include <fmt/format.h>

#include <algorithm>

#include "masksc/core/log.hpp"
#include "masksc/core/progress.hpp"
#include "masksc/data/densifier.hpp"
#include "masksc/embed/embed.hpp"
#include "masksc/model/threads.hpp"
#include "masksc/run/stages.hpp"
#include "model_files.hpp"
#include "stage_files.hpp"
#include "stage_saves.hpp"

namespace masksc {

DenseMatrix embed_stage(const RunUnderWay& run, const MaskedAutoencoder& model) {
  const Expression& expression = run.input.expression;
  TrainContext& context = run.context;
  Collectives& ranks = context.ranks;
  const std::filesystem::path file = run.folder.path("checkpoints") / "embedding.h5";
  Json file_identity = {
      {"data", run.identity.data}, {"genes", run.identity.genes}, {"weights", model.parameters().hash()}};
  if (model.shape().predicted_features) file_identity["features"] = features_from(model.shape());
  EmbeddingProgress embedding(expression.rows.size(), model.shape().cell_features());
  load_embedding(file, file_identity, embedding, expression.rows, ranks);
  const auto rows_done = [&] {
    return ranks.all_reduce(std::int64_t{std::count(embedding.done.begin(), embedding.done.end(), std::uint8_t{1})});
  };
  const std::int64_t found = rows_done();
  if (found > 0) {
    context.log.event("embed", "resumed", found);
    log::info("embedding: {} of {} cells were done", found, expression.cells);
  }
  const Densifier densifier(expression);
  Progress progress("embedding: cell", expression.rows.size(), context.show_progress);
  StageSaves saves("embed", "embedding", context,
                   [&] { save_embedding(file, file_identity, embedding, expression.rows, ranks); });
  const OneThreadEach each(context.shards > 0);
  const auto threads = ranks.all_reduce(std::int32_t{context.tile_threads(each.threads())}, ReduceOp::min);
  embed_cells(
      model, expression, densifier, context.device, embedding, ranks.size(),
      [&](std::int64_t done) {
        progress.update(done, "this rank's cells");
        saves.poll(done);
      },
      threads);
  if (found < expression.cells) saves.save();
  return std::move(embedding.values);
}

ClusterOutcome cluster_stage(const RunUnderWay& run, const DenseMatrix& embedding, bool predicts_components,
                             const std::string& embedding_hash) {
  const RunOptions& options = run.options;
  const RunInput& input = run.input;
  TrainContext& context = run.context;
  Collectives& ranks = context.ranks;
  const std::filesystem::path file = run.folder.path("checkpoints") / "clusters.h5";
  const Json identity = clustering_identity(options, embedding_hash, input.label_categories);
  ClusterProgress progress = load_clusters(file, identity, ranks);
  StageSaves saves("cluster", "clustering", context, [&] { save_clusters(file, identity, progress, ranks); });
  const auto poll = [&] { saves.poll(progress.kmeans.restarts); };
  const CellFeatures features{embedding,    input.components.scores, input.expression.rows, input.expression.cells,
                              input.labels, predicts_components};
  const auto seed = static_cast<std::uint64_t>(options.train.seed);
  if (progress.clusters > 0) {
    context.log.event("cluster", "resumed", progress.kmeans.restarts);
    log::info("clustering: {} of {} restarts of K-means were done", progress.kmeans.restarts, options.cluster.restarts);
  } else {
    const ClusterCount count = count_clusters(options.cluster, features, input.label_categories, seed, ranks, poll);
    progress.clusters = count.clusters;
    progress.clusters_by = count.source;
    if (count.source == "auto") saves.save();
  }
  return cluster_into({progress.clusters, progress.clusters_by}, options.cluster, features, seed, compute_threads(),
                      ranks, poll, &progress.kmeans);
}

}  // namespace masksc

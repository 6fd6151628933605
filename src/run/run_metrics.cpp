#include "run_metrics.hpp"

#include <vector>

#include "masksc/core/memory.hpp"
#include "masksc/core/version.hpp"
#include "masksc/dist/gpu_name.hpp"
#include "masksc/model/device.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/run/labels.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/train/engine.hpp"
#include "model_files.hpp"
#include "standardization.hpp"

namespace masksc {
namespace {

Json training_metrics(const TrainOutcome& trained, const RunOptions& options, const MatrixLayout& layout,
                      at::Device device, int ranks) {
  Json report = describe(trained.seconds_by_part);
  report["hidden_communication"] = trained.hidden ? Json(*trained.hidden) : Json();
  const double seconds = trained.seconds_by_part.sum();
  const double cells_of_a_rank = static_cast<double>(trained.cells) / ranks;
  const double flops = seconds > 0 ? formula_step_flop(planned_model(options, layout)) * cells_of_a_rank / seconds : 0;
  report["tflops"] = flops / 1e12;
  report["device"] = report["fraction_of_peak"] = nullptr;
  if (!device.is_cuda()) return report;
  const std::string name = gpu_name(device.index());
  if (name.empty()) return report;
  report["device"] = name;
  const std::string preset = device_preset_of(name);
  if (preset.empty()) return report;
  const DeviceNumbers numbers = device_preset(preset);
  const bool half = working_type(options.train.precision, device.type()) != at::kFloat;
  report["fraction_of_peak"] = flops / (half ? numbers.half_flops : numbers.fp32_flops);
  return report;
}

std::vector<std::int64_t> of_each_rank(std::int64_t bytes, Collectives& ranks) {
  return ranks.gather_varied(std::span<const std::int64_t>(&bytes, 1));
}

}  // namespace

Json common_metrics(const RunInput& input, const ClusterOutcome& clusters, const AutoencoderShape& shape,
                    const std::string& weights_hash, const std::string& embedding_hash, const Collectives& ranks) {
  Json metrics = score_json(clusters);
  metrics.update({{"cells", input.expression.cells},
                  {"ranks", ranks.size()},
                  {"batch", input.file->batch_column()},
                  {"batch_nmi", batch_nmi(input.batches, input.file->batch_column(), clusters.all, ranks)},
                  {"features_from", features_from(shape)},
                  {"weights_hash", weights_hash},
                  {"embedding_hash", embedding_hash},
                  {"version", version_and_commit()}});
  return metrics;
}

Json run_metrics(const RunOptions& options, const RunParts& parts, const TrainContext& context) {
  Collectives& ranks = context.ranks;
  const Expression& expression = parts.input.expression;
  const TrainOutcome& trained = parts.trained;
  const std::vector<std::int64_t> memories = of_each_rank(peak_memory(), ranks);
  const std::vector<std::int64_t> gpu_memories = of_each_rank(peak_gpu_memory(context.device).value_or(0), ranks);
  Json metrics = common_metrics(parts.input, parts.clusters, parts.model.shape(), parts.model.parameters().hash(),
                                parts.embedding_hash, ranks);
  metrics.update(
      {{"genes", expression.genes.size()},
       {"standardize", standardized_as(options, expression)},
       {"guided_by", parts.targets.guided_by()},
       {"seed", options.train.seed},
       {"epochs", options.train.epochs},
       {"max_steps", options.train.max_steps},
       {"steps", trained.steps},
       {"loss", trained.loss},
       {"seconds", parts.seconds},
       {"cells_per_second", trained.cells > 0 ? Json(static_cast<double>(trained.cells) / trained.seconds) : Json()},
       {"training", training_metrics(trained, options, expression.layout, context.device, ranks.size())},
       {"data",
        {{"streamed", expression.streams()},
         {"on_device", context.resident != nullptr},
         {"shuffle_block", context.shuffle.block},
         {"shuffle_buffer", context.shuffle.buffer}}},
       {"peak_memory_bytes", memories},
       {"peak_gpu_memory_bytes", context.device.is_cuda() ? Json(gpu_memories) : Json()}});
  return metrics;
}

}  // namespace masksc

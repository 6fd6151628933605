#include "run_metrics.hpp"

#include <vector>

#include "masksc/core/memory.hpp"
#include "masksc/core/version.hpp"
#include "masksc/dist/gpu_name.hpp"
#include "masksc/model/device.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/run/labels.hpp"
#include "masksc/run/model_files.hpp"
#include "masksc/run/plan_input.hpp"
#include "masksc/run/standardization.hpp"
#include "masksc/train/engine.hpp"

namespace masksc {
namespace {

Json training_metrics(const TrainOutcome& trained, const RunOptions& options, const MatrixLayout& layout,
                      at::Device device, int ranks) {
  Json report = describe(trained.parts);
  report["hidden_communication"] = trained.hidden ? Json(*trained.hidden) : Json();
  const double seconds = trained.parts.sum();
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

Json run_metrics(const RunOptions& options, const RunParts& parts, const TrainContext& context) {
  Collectives& ranks = context.ranks;
  const Expression& expression = parts.input.expression;
  const TrainOutcome& trained = parts.trained;
  const std::vector<std::int64_t> memories = of_each_rank(peak_memory(), ranks);
  const std::vector<std::int64_t> gpu_memories = of_each_rank(peak_gpu_memory(context.device).value_or(0), ranks);
  Json metrics = score_json(parts.clusters);
  metrics.update(
      {{"cells", expression.cells},
       {"genes", expression.genes.size()},
       {"ranks", ranks.size()},
       {"batch", parts.input.file->batch_column()},
       {"batch_nmi", batch_nmi(parts.input.batches, parts.input.file->batch_column(), parts.clusters.all, ranks)},
       {"standardize", standardized_as(options, expression)},
       {"guided_by", parts.targets.guided_by()},
       {"features_from", features_from(parts.model.shape())},
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
       {"peak_gpu_memory_bytes", context.device.is_cuda() ? Json(gpu_memories) : Json()},
       {"weights_hash", parts.model.parameters().hash()},
       {"embedding_hash", parts.embedding_hash},
       {"version", version_and_commit()}});
  return metrics;
}

}  // namespace masksc

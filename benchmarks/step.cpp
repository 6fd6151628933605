// The training step alone, on synthetic cells and targets in memory: what benchmarks/step.py times beside PyTorch.
// Arguments and output are those of ../shared/bench/torch_peer.py. Prints one JSON line.
//   benchmark_step [--dim N] [--enc N] ... [--micro-batch N] [--checkpointing none|blocks|every=N] [--shard yes|no]
//                  [--decoder full|cross] [--cuda-graph yes|no]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "masksc/core/json.hpp"
#include "masksc/core/memory.hpp"
#include "masksc/dist/nccl.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/model/device.hpp"
#include "masksc/model/device_random.hpp"
#include "masksc/model/host_memory.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/train/context.hpp"
#include "masksc/train/trace.hpp"
#include "masksc/train/trainer.hpp"

namespace masksc {
namespace {

struct Setup {
  std::int64_t side = 64, patch = 4, dim = 192, enc = 4, dec = 2, heads = 6, dec_heads = 6, target = 60, batch = 64,
               steps = 12, warmup = 3, threads = 0, micro_batch = 0;
  double mask = 0.75;
  std::string amp = "no", device = "cpu", checkpointing = "none", reduce_precision = "fp32", trace;
  bool shard = false, workers = true, cuda_graph = false;
  double bucket_mib = 0;
  Decoder decoder = Decoder::full;
};

OptionTable describe(Setup& s) {
  OptionTable table;
  table.begin_group("Benchmark");
  for (auto& [name, field] :
       std::initializer_list<std::pair<const char*, std::int64_t&>>{{"side", s.side},
                                                                    {"patch", s.patch},
                                                                    {"dim", s.dim},
                                                                    {"enc", s.enc},
                                                                    {"dec", s.dec},
                                                                    {"heads", s.heads},
                                                                    {"dec-heads", s.dec_heads},
                                                                    {"target", s.target},
                                                                    {"batch", s.batch},
                                                                    {"steps", s.steps},
                                                                    {"warmup", s.warmup},
                                                                    {"threads", s.threads},
                                                                    {"micro-batch", s.micro_batch}})
    table.add(name, field, "");
  table.add_choice("decoder", s.decoder, {{"full", Decoder::full}, {"cross", Decoder::cross}}, "");
  table.add("mask", s.mask, "");
  table.add("bucket-mib", s.bucket_mib, "");
  table.add("amp", s.amp, "");
  table.add("device", s.device, "");
  table.add("checkpointing", s.checkpointing, "");
  table.add("reduce-precision", s.reduce_precision, "");
  table.add("trace", s.trace, "");
  table.add("shard", s.shard, "");
  table.add("workers", s.workers, "");
  table.add("cuda-graph", s.cuda_graph, "");
  return table;
}

AutoencoderShape shape_of(const Setup& s) {
  AutoencoderShape shape;
  const std::int64_t across = s.side / s.patch;
  shape.patch_genes = s.patch * s.patch;
  for (std::int64_t t = 0; t < across * across; ++t) shape.token_places.emplace_back(t / across, t % across);
  shape.target_features = s.target;
  shape.model = {.dim = s.dim,
                 .encoder_depth = s.enc,
                 .encoder_heads = s.heads,
                 .decoder_depth = s.dec,
                 .decoder_heads = s.dec_heads,
                 .decoder = s.decoder,
                 .mask_ratio = s.mask};
  return shape;
}

/// By the plan's formula, which is the peer's.
double flop_per_cell(const AutoencoderShape& shape) {
  PlanInput plan;
  plan.patch_genes = shape.patch_genes;
  plan.tokens = shape.tokens();
  plan.visible = visible_tokens(shape.tokens(), shape.model.mask_ratio);
  plan.target_features = shape.target_features;
  plan.dim = shape.model.dim;
  plan.encoder = {.depth = shape.model.encoder_depth, .heads = shape.model.encoder_heads};
  plan.decoder = {.depth = shape.model.decoder_depth, .heads = shape.model.decoder_heads};
  plan.cross_decoder = shape.model.decoder == Decoder::cross;
  return formula_step_flop(plan);
}

/// Of the process, or of the tensors on a GPU: what the peer tells.
double peak_gib(at::Device device) {
  return static_cast<double>(peak_gpu_memory(device).value_or(peak_memory())) / 0x1p30;
}

ExitCode run(Runtime& runtime, int argc, char** argv) {
  Setup s;
  OptionTable table = describe(s);
  for (int i = 1; i + 1 < argc; i += 2)
    table.set(std::string_view(argv[i]).substr(2), argv[i + 1], "on the command line");
  Collectives& ranks = runtime.world();
  const int threads = s.threads > 0 ? static_cast<int>(s.threads) : runtime.cores_per_rank();
  const at::Device device = choose_device(s.device, runtime.local_rank());
  at::set_num_threads(s.workers && device.is_cpu() ? 1 : threads);
  use_training_allocator();
  const AutoencoderShape shape = shape_of(s);
  MaskedAutoencoder model(shape, 0, device);
  TrainSettings train;
  train.learning_rate = 1e-4;
  train.precision = s.amp == "no" ? "fp32" : s.amp;
  train.reduce_precision = s.reduce_precision;
  EngineSettings settings;
  settings.bucket_mib = s.bucket_mib;
  settings.micro_batch = s.micro_batch;
  settings.gradient_checkpointing = s.checkpointing;
  settings.shard_optimizer = s.shard;
  model.set_recompute(recompute_of(settings));
  std::unique_ptr<NcclCollectives> nccl;
  if (device.is_cuda() && ranks.size() > 1)
    nccl = std::make_unique<NcclCollectives>(load_nccl_api(), ranks, NcclOptions{.device = device.index()});
  TrainingEngine engine(model.parameters(), train, settings, ranks, s.workers ? threads : 1, nccl.get(),
                        s.cuda_graph ? cuda_recorder(device) : nullptr);

  at::manual_seed(1 + static_cast<std::uint64_t>(ranks.rank()));
  const std::int64_t tokens = shape.tokens();
  const std::int64_t visible = visible_tokens(tokens, s.mask);
  const at::Tensor patches = at::randn({s.batch, tokens, shape.patch_genes}, at::TensorOptions(device));
  const at::Tensor target = at::randn({s.batch, tokens, s.target}, at::TensorOptions(device));
  const at::Tensor cells = at::arange(s.batch, at::TensorOptions(at::kLong).device(device)) + ranks.rank() * s.batch;
  const std::int64_t pass_rows =
      std::min(micro_batch_of(settings, s.batch, tokens, s.dim, device.is_cpu(), s.workers ? threads : 1), s.batch);
  const std::int64_t passes = (s.batch + pass_rows - 1) / pass_rows;
  std::vector<double> times;
  std::vector<double> losses;
  StepSeconds parts;
  StepTrace trace(s.trace.empty() ? "none" : "3:3", s.trace, ranks);
  for (std::int64_t step = 0; step < s.warmup + s.steps; ++step) {
    ranks.barrier();
    trace.step(step + 1, true);
    const auto start = std::chrono::steady_clock::now();
    const DeviceMasks masks = draw_masks_of(0, static_cast<std::uint32_t>(step), cells, tokens, visible);
    const double all_patches = static_cast<double>(s.batch * ranks.size() * masks.masked.size(1));
    const auto inputs = [&](std::int64_t pass) {
      std::vector<at::Tensor> rows;
      for (const at::Tensor& all : {patches, target, masks.visible, masks.masked})
        rows.push_back(all.narrow(0, pass * pass_rows, std::min(pass_rows, s.batch - pass * pass_rows)));
      return rows;
    };
    const auto loss = [&](const std::vector<at::Tensor>& in) {
      const auto output = model.forward(in[0], in[2], in[3]);
      const at::Tensor wanted = at::gather(in[1], 1, in[3].unsqueeze(-1).expand({-1, -1, s.target}));
      return LossShares{(output.predictions - wanted).square().mean(-1).sum() / all_patches, {}};
    };
    const StepReport report = engine.step({.count = passes, .inputs = inputs, .loss = loss}, 0, 1e-4, {});
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    losses.push_back(report.loss);
    trace.step(step + 1, false);
    if (step < s.warmup) continue;
    parts += report.seconds;
  }
  std::sort(times.begin() + s.warmup, times.end());
  const double median = times[static_cast<std::size_t>(s.warmup + s.steps / 2)];
  const auto all_cells = static_cast<double>(s.batch * ranks.size());
  const double ms_a_step = 1e3 / static_cast<double>(s.steps);
  if (ranks.is_root()) {
    const Json line = {{"program", "mask-sc"},
                       {"cells_per_s", all_cells / median},
                       {"ms_per_step", 1e3 * median},
                       {"gflop_per_cell", flop_per_cell(shape) / 1e9},
                       {"tflops", flop_per_cell(shape) * all_cells / median / 1e12},
                       {"first_loss", losses.front()},
                       {"last_loss", losses.back()},
                       {"peak_gib", peak_gib(device)},
                       {"parameters", model.parameters().count()},
                       {"ranks", ranks.size()},
                       {"threads", threads},
                       {"micro_batch", pass_rows},
                       {"hidden", engine.exchange().mean_hidden().value_or(0)},
                       {"exchange_alone_ms", 1e3 * engine.exchange().alone_seconds()},
                       {"ms",
                        {{"forward", ms_a_step * parts.forward},
                         {"backward", ms_a_step * parts.backward},
                         {"exposed", ms_a_step * parts.exposed},
                         {"update", ms_a_step * parts.update}}}};
    fmt::print("{}\n", line.dump());
  }
  return ExitCode::done;
}

}  // namespace
}  // namespace masksc

int main(int argc, char** argv) {
  return masksc::run_program(
      argc, argv, [](bool) { return false; },
      [&](masksc::Runtime& runtime) { return masksc::run(runtime, argc, argv); });
}

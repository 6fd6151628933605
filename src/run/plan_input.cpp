#include "masksc/run/plan_input.hpp"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "masksc/core/json.hpp"
#include "masksc/data/epoch_order.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared.hpp"
#include "masksc/model/attention.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/model/sequence_encoder.hpp"
#include "masksc/model/targets.hpp"
#include "masksc/plan/cost.hpp"
#include "masksc/preprocess/layout.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/run/prepared_input.hpp"
#include "masksc/train/engine.hpp"
#include "masksc/train/resident.hpp"

namespace masksc {
namespace {

constexpr std::int64_t usual_genes = 2000;  // what users keep of a data set, when --matrix auto has none to count

/// The matrix of the data that --plan-cells and --plan-genes stand for.
MatrixLayout planned_layout(const RunOptions& o) {
  const bool any = o.plan.genes == 0;
  std::int64_t genes = any ? usual_genes : o.plan.genes;
  if (any && o.preparation.matrix != "auto") {
    const PatchedShape full = choose_shape(o.preparation.matrix, o.preparation.patch, INT32_MAX, o.preparation.tokens);
    genes = full.rows * full.columns;
  }
  const PatchedShape shape = choose_shape(o.preparation.matrix, o.preparation.patch, genes, o.preparation.tokens);
  return lay_out(shape, std::min(genes, shape.rows * shape.columns));
}

std::int64_t planned_cells(const RunOptions& o) { return o.plan.cells > 0 ? o.plan.cells : kUsualCells; }

/// Counts that are not 0, of so many genes.
std::int64_t nonzeros_of(const RunOptions& o, std::int64_t genes) {
  return static_cast<std::int64_t>(o.plan.density * static_cast<double>(genes) * static_cast<double>(planned_cells(o)));
}

/// What decides about memory and speed of the training step.
void fill_engine(const RunOptions& o, PlanInput& input) {
  const bool on_cpu = o.plan.device == "cpu";
  const Recompute recompute = recompute_of(o.engine);
  input.encoder.recompute_every = recompute.encoder_blocks;
  input.decoder.recompute_every = recompute.decoder_blocks;
  input.last_queries = input.masked() + 1;  // with the global token
  const int parts = o.train.parts(static_cast<int>(input.ranks));
  const std::int64_t rows = BatchPlan(input.cells, input.batch).padded_rows(parts);
  input.deterministic = o.train.deterministic;
  input.gradient_copies = o.train.deterministic ? parts / input.ranks : 1;
  if (on_cpu || o.engine.micro_batch > 0)  // else a rank's whole batch, on any number of ranks
    input.micro_batch = micro_batch_of(o.engine, rows, input.tokens, input.dim, on_cpu, 1);
  input.async_checkpoint = o.run.cadence.background;
  input.shard_optimizer = o.engine.shard_optimizer;
  if (o.engine.cuda_graph) {
    if (on_cpu) throw UserError("--cuda-graph needs a GPU: leave it out, or choose another --plan-device");
    input.device.operation = 0;  // the host starts a pass as a whole
  }
  const auto parameters = static_cast<std::int64_t>(parameter_count(input));
  input.bucket_bytes = (1 << 20) * bucket_mib_of(o.engine, parameters);
  input.reduce_bytes = o.train.reduce_precision == "bf16" ? 2 : 4;
  const auto type = working_type(o.train.precision, on_cpu ? at::kCPU : at::kCUDA);
  input.precision = type == at::kFloat ? PlanPrecision::fp32 : PlanPrecision::half;
  input.attention_weights = on_cpu && keeps_attention_weights(type);
}

void fill_machine(const RunOptions& o, PlanInput& input) {
  input.ranks = o.plan.ranks;
  input.gpus_per_node = o.plan.gpus_per_node;
  input.device_name = o.plan.device;
  input.network_name = o.plan.network;
  input.device = device_numbers(o.plan);
  input.network = network_numbers(o.plan);
  input.utilization = o.plan.utilization;
  input.overlap = o.plan.overlap;
}

}  // namespace

PlanInput planned_model(const RunOptions& o, const MatrixLayout& layout) {
  const SequenceShape sequence;
  PlanInput input;
  input.patch_genes = layout.patch_genes();
  input.tokens = layout.tokens_with_genes();
  input.visible = visible_tokens(input.tokens, o.model.mask_ratio);
  input.target_features = o.target.target == Target::raw ? input.patch_genes : sequence.outputs;
  if (o.target.guidance > 0) {
    const GuidanceTarget by = o.target.guidance_target;  // auto: planned as sequence, the dearer
    if (by == GuidanceTarget::components || by == GuidanceTarget::both)
      input.teacher_components = std::min(kGuidanceComponents, input.tokens * input.patch_genes);
    if (by != GuidanceTarget::components) input.teacher_features = sequence.outputs;
    input.teacher_features += input.teacher_components;
  }
  input.dim = o.model.dim;
  input.encoder = {.depth = o.model.encoder_depth, .heads = o.model.encoder_heads};
  input.decoder = {.depth = o.model.decoder_depth, .heads = o.model.decoder_heads};
  input.cross_decoder = o.model.decoder == Decoder::cross;
  input.learned_positions = o.model.positions == Positions::learned;
  input.dropout = o.model.dropout > 0;
  input.sequence_targets = o.target.target != Target::raw;
  input.sequence = {sequence.hidden1, sequence.hidden2, sequence.outputs};
  return input;
}

RunOptions sized_as_input(RunOptions o) {
  if (o.inputs.empty() || (o.plan.cells > 0 && o.plan.genes > 0)) return o;
  o.counts.labels.clear();
  const std::unique_ptr<Collectives> alone = single_rank();
  const auto size_of = [&](std::int64_t cells, std::span<const std::string> genes,
                           std::span<const std::uint8_t> flags) {
    return std::pair(cells, std::ssize(admitted_genes(genes, flags, o.preparation, *alone)));
  };
  const std::vector<std::filesystem::path> files = listed_inputs(o.inputs);
  std::pair<std::int64_t, std::int64_t> size;
  if (const auto prepared = given_prepared(files, o.counts, false)) {
    const PreparedFile file(*prepared, *alone);
    size = size_of(file.cells(), file.gene_names(), file.highly_variable());
  } else {
    const std::string text = look_at_inputs(files, o.counts, [&](const CountsReader& reader) {
      return Json(size_of(reader.cells(), reader.gene_names(), reader.highly_variable())).dump();
    });
    size = parse_json(text).get<std::pair<std::int64_t, std::int64_t>>();
  }
  if (o.plan.cells == 0) o.plan.cells = size.first;
  if (o.plan.genes == 0) o.plan.genes = size.second;
  return o;
}

PlanInput plan_input(const RunOptions& o) {
  validate(o);
  validate_deterministic(o.train, o.engine, o.plan.ranks);
  PlanInput input = planned_model(o, planned_layout(o));
  input.cells = planned_cells(o);
  const std::int64_t places = input.tokens * input.patch_genes;
  const std::int64_t genes = o.plan.genes > 0 ? o.plan.genes : places;
  input.nonzeros = nonzeros_of(o, genes);
  input.shuffle = choose_shuffle(o.data, input.nonzeros);
  input.host_budget = o.data.memory_gib * 1024 * 1024 * 1024;
  input.epochs = o.train.epochs;
  input.max_steps = o.train.max_steps;
  input.batch = o.train.batch_size;
  fill_machine(o, input);
  fill_engine(o, input);
  const std::int64_t kept = nonzeros_of(o, std::min(genes, places));
  if (stays_on_device(o.engine.data_on_device, kept, o.plan.device != "cpu", input.device.memory))
    input.resident_bytes = ResidentCells::bytes(kept);
  validate(input);
  return input;
}

}  // namespace masksc

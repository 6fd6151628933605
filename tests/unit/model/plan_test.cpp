// The plan's parameters, FLOP and memory against the real model, operation by operation.
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>

#include "masksc/model/attention.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/model/masked_autoencoder.hpp"
#include "masksc/plan/cost.hpp"
#include "patch_grid.hpp"

namespace masksc {
namespace {

/// FLOP of the products that ATen ran, by operator. The plan counts a backward product as two forward ones; fused
/// attention computes Q K^T again there, which is not counted.
struct Counter {
  static inline std::map<std::string, double> flop;
  static inline std::mutex mutex;

  static double product(const at::Tensor& left, std::int64_t columns) {
    return 2 * static_cast<double>(left.numel()) * static_cast<double>(columns);
  }
  static std::unique_ptr<at::ObserverContext> count(const at::RecordFunction& record) {
    const std::string name = record.name();
    const auto inputs = record.inputs();
    const auto tensor = [&](std::size_t i) { return inputs[i].toTensor(); };
    double done = 0;
    if (name == "aten::linear" || name == "mkldnn::_linear_pointwise")
      done = product(tensor(0), tensor(1).size(0));
    else if (name == "aten::mm")
      done = product(tensor(0), tensor(1).size(1));
    else if (name == "aten::scaled_dot_product_attention" || name == "masksc::attention")  // [B, H, T, D / H]
      done = 2 * product(tensor(0), tensor(1).size(2));
    else if (name == "aten::_scaled_dot_product_flash_attention_for_cpu_backward" ||
             name == "masksc::attention_backward")
      done = 4 * product(tensor(1), tensor(2).size(2));
    const std::lock_guard lock(mutex);
    if (done > 0) flop[name] += done;
    return nullptr;
  }
};

struct Counting {
  at::CallbackHandle handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&Counter::count).needsInputs(true).scopes({at::RecordScope::FUNCTION}));
  Counting() { Counter::flop.clear(); }
  Counting(const Counting&) = delete;
  Counting& operator=(const Counting&) = delete;
  ~Counting() { at::removeCallback(handle); }
};

/// Follows the bytes that tensors of this thread hold.
struct Bytes : c10::MemoryReportingInfoBase {
  double now = 0;
  double peak = 0;
  void reportMemoryUsage(void* /*at*/, std::int64_t change, std::size_t /*total*/, std::size_t /*reserved*/,
                         c10::Device /*device*/) override {
    now += static_cast<double>(change);
    peak = std::max(peak, now);
  }
  [[nodiscard]] bool memoryProfilingEnabled() const override { return true; }
};

constexpr std::int64_t cells = 3;

AutoencoderShape small_shape(Positions positions) {
  AutoencoderShape shape;
  shape.patch_genes = 9;
  shape.token_places = token_grid(4, 5);
  shape.target_features = 7;
  shape.teacher_features = 11;
  shape.model = {.dim = 32,
                 .encoder_depth = 3,
                 .encoder_heads = 4,
                 .decoder_depth = 2,
                 .decoder_heads = 2,
                 .mask_ratio = 0.7,
                 .positions = positions};
  return shape;
}

PlanInput plan_of(const AutoencoderShape& shape) {
  PlanInput input;
  input.patch_genes = shape.patch_genes;
  input.tokens = shape.tokens();
  input.visible = visible_tokens(shape.tokens(), shape.model.mask_ratio);
  input.target_features = shape.target_features;
  input.teacher_features = shape.teacher_features;
  input.dim = shape.model.dim;
  input.encoder = {.depth = shape.model.encoder_depth, .heads = shape.model.encoder_heads};
  input.decoder = {.depth = shape.model.decoder_depth, .heads = shape.model.decoder_heads};
  input.last_queries = input.masked() + 1;
  input.cross_decoder = shape.model.decoder == Decoder::cross;
  input.learned_positions = shape.model.positions == Positions::learned;
  input.sequence_targets = false;
  return input;
}

TEST(Plan, ParametersAreTheModels) {
  for (const Positions positions : {Positions::learned, Positions::sincos}) {
    const AutoencoderShape shape = small_shape(positions);
    EXPECT_EQ(parameter_count(plan_of(shape)),
              static_cast<double>(MaskedAutoencoder(shape, 0, at::kCPU).parameters().count()));
  }
}

void check_flop(Decoder decoder) {
  AutoencoderShape shape = small_shape(Positions::learned);
  shape.model.decoder = decoder;
  const PlanInput plan = plan_of(shape);
  const ForwardFlop forward = done_flop(plan);
  const MaskedAutoencoder model(shape, 0, at::kCPU);
  const std::vector<std::int64_t> ids = {0, 1, 2};
  const Masks masks = draw_masks(0, 0, ids, shape.tokens(), plan.visible);
  const at::Tensor keep = at::tensor(masks.visible).view({cells, plan.visible});
  const at::Tensor masked = at::tensor(masks.masked).view({cells, plan.masked()});
  const at::Tensor patches = at::randn({cells, shape.tokens(), shape.patch_genes});

  at::Tensor loss;
  {
    const Counting counting;
    const MaskedAutoencoder::Output output = model.forward(patches, keep, masked);
    loss = output.predictions.sum() + model.predict_teacher(output, GuidanceToken::mean).sum();
  }
  EXPECT_EQ(Counter::flop.count("aten::mm"), 0U);
  const double counted = Counter::flop["aten::linear"] + Counter::flop["mkldnn::_linear_pointwise"] +
                         Counter::flop["aten::scaled_dot_product_attention"] + Counter::flop["masksc::attention"];
  EXPECT_DOUBLE_EQ(counted, cells * (forward.model() + forward.guidance));
  {
    const Counting counting;
    loss.backward();
  }
  double backward = 0;
  for (const auto& [name, flop] : Counter::flop) backward += flop;
  const double teacher = forward.targets;  // planned with guidance, not run here
  EXPECT_DOUBLE_EQ(counted + backward, cells * (done_step_flop(plan) - teacher));
}

TEST(Plan, FlopAreThoseOfTheOperationsDone) { check_flop(Decoder::full); }

TEST(Plan, FlopOfTheCrossDecoderAreThoseOfTheOperationsDone) { check_flop(Decoder::cross); }

/// One step of a model of 64 tokens: bytes kept after the forward pass, and the peak.
std::pair<double, double> measured_bytes(const AutoencoderShape& shape, const PlanInput& plan, std::int64_t rows,
                                         at::ScalarType type) {
  MaskedAutoencoder model(shape, 0, at::kCPU);
  model.parameters().set_working_type(type);
  model.set_recompute({plan.encoder.recompute_every, plan.decoder.recompute_every});
  std::vector<std::int64_t> ids(static_cast<std::size_t>(rows));
  std::iota(ids.begin(), ids.end(), 0);
  const Masks masks = draw_masks(0, 0, ids, shape.tokens(), plan.visible);
  const at::Tensor keep = at::tensor(masks.visible).view({rows, plan.visible});
  const at::Tensor masked = at::tensor(masks.masked).view({rows, plan.masked()});
  const at::Tensor patches = at::randn({rows, shape.tokens(), shape.patch_genes});
  const at::Tensor wanted = at::randn({rows, plan.masked(), shape.target_features});
  const auto bytes = std::make_shared<Bytes>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, bytes);
  const at::Tensor loss = (model.forward(patches, keep, masked).predictions - wanted).square().mean();
  const double kept = bytes->now;
  loss.backward();
  return {kept, bytes->peak};
}

void check_memory(Decoder kind, Recompute recompute, at::ScalarType type = at::kFloat) {
  AutoencoderShape shape = small_shape(Positions::learned);
  shape.token_places = token_grid(8, 8);
  shape.patch_genes = 16;
  shape.target_features = 60;
  shape.teacher_features = 0;
  for (const auto& [encoder, decoder] : {std::pair<std::int64_t, std::int64_t>{4, 2}, {6, 1}}) {
    shape.model = {.dim = 96,
                   .encoder_depth = encoder,
                   .encoder_heads = 4,
                   .decoder_depth = decoder,
                   .decoder_heads = 6,
                   .decoder = kind,
                   .mask_ratio = 0.75};
    constexpr std::int64_t rows = 8;
    PlanInput plan = plan_of(shape);
    plan.cells = plan.batch = rows;
    plan.encoder.recompute_every = recompute.encoder_blocks;
    plan.decoder.recompute_every = recompute.decoder_blocks;
    plan.precision = type == at::kFloat ? PlanPrecision::fp32 : PlanPrecision::half;
    plan.attention_weights = keeps_attention_weights(type);
    const auto [kept, peak] = measured_bytes(shape, plan, rows, type);
    const PlanMemory memory = memory_of(plan);
    if (recompute.decoder_blocks == 0) {
      EXPECT_NEAR(memory.activations / kept, 1, 0.005) << encoder;
    }
    EXPECT_NEAR((memory.activations + memory.buffers) / peak, 1, 0.08) << encoder;
  }
}

TEST(Plan, MemoryIsWhatTheStepHolds) { check_memory(Decoder::full, {}); }

TEST(Plan, MemoryOfAStepInBf16IsWhatItHolds) { check_memory(Decoder::full, {}, at::kBFloat16); }

TEST(Plan, MemoryOfTheCrossDecoderIsWhatTheStepHolds) {
  check_memory(Decoder::cross, {});
  check_memory(Decoder::cross, {0, 1});
}

}  // namespace
}  // namespace masksc

// What a GPU computes is what the CPU computes. Every test fails where there is no GPU: ask for them by ctest -L gpu.
#include <gtest/gtest.h>

#include "courses.hpp"
#include "masksc/dist/nccl.hpp"
#include "masksc/model/block.hpp"
#include "masksc/model/device.hpp"
#include "masksc/model/device_random.hpp"
#include "masksc/model/mask.hpp"
#include "masksc/preprocess/prepare.hpp"
#include "masksc/preprocess/scaling.hpp"
#include "masksc/train/sequence_trainer.hpp"
#include "masksc/train/timestamp.hpp"
#include "masksc/train/transport.hpp"

namespace masksc {
namespace {

at::Device gpu() {
  static const at::Device device = [] {
    ::setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // for IsDeterministicWhenAsked: cuBLAS reads it once
    return choose_device("cuda", 0);
  }();
  return device;
}

std::vector<std::int64_t> some_cells() { return {0, 7, -1, (std::int64_t{1} << 32) + 5, 123456789}; }

TEST(Gpu, DrawsTheHostsMasks) {
  const at::Tensor cells_there = at::tensor(some_cells(), at::kLong).to(gpu());
  for (const auto& [tokens, visible] : {std::pair{9, 2}, std::pair{256, 64}}) {
    const Masks wanted = draw_masks(5, 3, some_cells(), tokens, visible);
    const DeviceMasks drawn = draw_masks_there(5, 3, cells_there, tokens, visible);
    EXPECT_TRUE(at::equal(drawn.visible.cpu(), at::tensor(wanted.visible, at::kLong).view({-1, visible})));
    EXPECT_TRUE(at::equal(drawn.masked.cpu(), at::tensor(wanted.masked, at::kLong).view({-1, tokens - visible})));
  }
}

TEST(Gpu, DropsWhatTheHostDrops) {
  const at::Tensor cells_here = at::tensor(some_cells(), at::kLong);
  const at::Tensor x = at::randn({5, 7, 33});
  const at::Tensor here = keyed_dropout(x, 0.3, {1, 2, 3, cells_here});
  EXPECT_TRUE(at::equal(keyed_dropout(x.to(gpu()), 0.3, {1, 2, 3, cells_here.to(gpu())}).cpu(), here));
}

TEST(Gpu, ResidentRowsAreTheHosts) {
  const auto ranks = single_rank();
  Expression expression = small_expression(cells, side, patch, *ranks);
  expression.scaling = residual_scaling(expression, *ranks);
  const std::vector<std::int64_t> asked = {49, -1, 0, 17};
  EXPECT_TRUE(at::equal(ResidentCells(expression, gpu(), *ranks).rows(asked).cpu(),
                        ResidentCells(expression, at::kCPU, *ranks).rows(asked)));
}

/// Losses on the GPU, each within `share` of the CPU's in fp32.
void expect_course(CourseOptions options, double share) {
  CourseOptions here = options;
  here.device = at::kCPU;
  here.train.precision = "fp32";
  here.resident = false;
  options.device = gpu();
  const Course wanted = course(1, here);
  const Course found = course(1, options);
  ASSERT_EQ(found.losses.size(), wanted.losses.size());
  for (std::size_t i = 0; i < wanted.losses.size(); ++i)
    EXPECT_NEAR(found.losses[i] / wanted.losses[i], 1, share) << "step " << i + 1;
}

CourseOptions course_in(const std::string& precision) {
  CourseOptions options;
  options.train = short_training();
  options.train.precision = precision;
  return options;
}

TEST(Gpu, TrainsAsTheCpuInFp32) {
  for (const bool resident : {false, true})
    for (const Decoder decoder : {Decoder::full, Decoder::cross}) {
      CourseOptions options = course_in("fp32");
      options.dropout = 0.1;
      options.decoder = decoder;
      options.resident = resident;
      expect_course(options, 1e-3);
    }
}

TEST(Gpu, LearnsPositionsAsTheCpu) {
  for (const auto& [precision, share] : {std::pair{"fp32", 1e-3}, std::pair{"bf16", 0.02}}) {
    CourseOptions options = course_in(precision);
    options.positions = Positions::learned;
    expect_course(options, share);
  }
}

/// Few and many indices take different kernels.
TEST(Gpu, PlacesGetTheGradientsOfTheHost) {
  static_cast<void>(gpu());  // first: LibTorch must know of the GPU before a backward pass
  const auto gradient = [](const at::Tensor& places, const at::Tensor& index) {
    const at::Tensor leaf = places.detach().requires_grad_();
    const at::Tensor taken = take_places(leaf, index);
    (taken * at::arange(taken.numel(), taken.options().dtype(at::kFloat)).view(taken.sizes()).remainder(7))
        .sum()
        .backward();
    return leaf.grad().to(at::kCPU, at::kFloat);
  };
  at::manual_seed(1);
  const at::Tensor places = at::randn({1, 96, 24});
  for (const std::int64_t rows : {4, 100}) {
    const at::Tensor index = at::randint(96, {rows, 48}, at::kLong);
    const at::Tensor wanted = gradient(places, index);
    EXPECT_TRUE(at::allclose(gradient(places.to(gpu()), index.to(gpu())), wanted, 1e-5, 1e-4)) << rows;
    const at::Tensor half = places.to(at::TensorOptions(gpu()).dtype(at::kBFloat16));
    EXPECT_TRUE(at::allclose(gradient(half, index.to(gpu())), wanted, 0.02, 1)) << rows;
  }
}

TEST(Gpu, IsDeterministicWhenAsked) {
  static_cast<void>(gpu());
  struct Deterministic {
    at::Device device = choose_device("cuda", 0, /*deterministic=*/true);
    Deterministic() = default;
    Deterministic(const Deterministic&) = delete;
    Deterministic& operator=(const Deterministic&) = delete;
    ~Deterministic() { at::globalContext().setDeterministicAlgorithms(false, false); }
  } const asked;
  CourseOptions options = course_in("fp32");
  options.device = asked.device;
  options.train.deterministic = true;
  options.positions = Positions::learned;
  EXPECT_TRUE(at::equal(course(1, options).weights, course(1, options).weights));
}

TEST(Gpu, MemoryThatRunsOutIsNoBug) {
  Failure failure;
  try {
    static_cast<void>(at::empty({std::int64_t{1} << 42}, at::TensorOptions(at::kFloat).device(gpu())));
  } catch (...) {
    failure = describe_failure(std::current_exception());
  }
  EXPECT_EQ(failure.code, ExitCode::environment);
  EXPECT_NE(failure.message.find("--micro-batch"), std::string::npos) << failure.message;
}

TEST(Gpu, RecomputesInSegmentsAndPasses) {
  CourseOptions options = course_in("fp32");
  options.dropout = 0.1;
  options.recompute = {.encoder_blocks = 1, .decoder_blocks = 1};
  options.engine.micro_batch = 5;
  expect_course(options, 1e-3);
}

TEST(Gpu, HalfPrecisionStaysNear) {
  expect_course(course_in("bf16"), 0.02);
  const Course half = course(1, [] {
    CourseOptions options = course_in("fp16");
    options.device = gpu();
    return options;
  }());
  EXPECT_LT(half.losses.back(), half.losses.front());
}

TEST(Gpu, GoesOnAfterACheckpoint) {
  CourseOptions options = course_in("fp32");
  options.device = gpu();
  const Course whole = course(1, options);
  const TemporaryFolder folder;
  options.checkpoints = folder / "checkpoints";
  options.every = 5;
  course(1, options);
  std::filesystem::remove(folder / "checkpoints" / "step-00000012.h5");
  const Course resumed = course(1, options);
  ASSERT_EQ(resumed.losses.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_NEAR(resumed.losses[i] / whole.losses[i + 10], 1, 1e-3);
}

TEST(Gpu, TrainsTheSequenceEncoderAsTheCpu) {
  const auto answers = [](at::Device device) {
    const auto ranks = single_rank();
    const Expression expression = small_expression(cells, side, patch, *ranks);
    SequenceEncoder encoder({.groups = 1, .inputs = side * side}, 2, 1, device);
    RunLog log;
    TrainContext context{*ranks, log, device};
    SequenceSettings settings;
    settings.epochs = 2;
    settings.batch_size = 20;
    settings.dropout = 0.3;
    settings.temperature = 0.5;
    train_sequence_encoder(encoder, {.expression = expression, .settings = settings, .seed = 6}, context);
    // Without the biases before batch norm: their gradients are 0 but for rounding, which Adam makes steps of.
    std::vector<at::Tensor> parts;
    for (const char* name : {"linear1.weight", "norm1.weight", "norm1.bias", "linear2.weight", "norm2.weight",
                             "norm2.bias", "linear3.weight", "linear3.bias"})
      parts.push_back(encoder.parameters().at(name).detach().cpu().flatten());
    return at::cat(parts);
  };
  const at::Tensor there = answers(gpu());  // first: LibTorch must know of the GPU before a backward pass
  EXPECT_TRUE(at::allclose(there, answers(at::kCPU), 1e-3, 1e-3));
}

TEST(Gpu, MomentsAreThoseOfTheStreamAndMemoryIsCounted) {
  const at::Tensor x = at::rand({4096, 4096}, gpu());
  const Timestamp start(at::kCPU);
  const Timestamp begin(gpu());
  at::Tensor y = x;
  for (int i = 0; i < 10; ++i) y = at::matmul(x, y);
  const Timestamp end(gpu());
  const double seconds = end.since(begin);
  EXPECT_GT(seconds, 10 * 2 * std::pow(4096, 3) / 1e15);  // no GPU does more than 1 PFLOP/s in fp32
  EXPECT_LT(seconds, Timestamp(at::kCPU).since(start) + 1e-3);
  EXPECT_GE(peak_gpu_memory(gpu()).value_or(0), 2 * 4096 * 4096 * 4);
}

TEST(Gpu, EmbedsAsTheCpu) {
  const auto embedded = [](at::Device device) {
    const auto ranks = single_rank();
    const Expression expression = small_expression(cells, side, patch, *ranks);
    const MaskedAutoencoder model(small_shape(), 4, device);
    EmbeddingProgress progress(cells, 16);
    embed_cells(model, expression, Densifier(expression), device, progress, 1);
    return progress.values.values;
  };
  const auto there = embedded(gpu());
  const auto here = embedded(at::kCPU);
  ASSERT_EQ(there.size(), here.size());
  for (std::size_t i = 0; i < here.size(); ++i) EXPECT_NEAR(there[i], here[i], 1e-4);
}

// Recordings come last: one that fails may leave the allocator in a state that fails what follows.

/// As after another loss scale: nothing recorded is left but what cuBLAS keeps for the stream.
TEST(Gpu, RecordsAgainWhenAllRecordsAreGone) {
  const std::unique_ptr<Recorder> recorder = cuda_recorder(gpu());
  const at::Tensor x = at::arange(64, at::TensorOptions(at::kFloat).device(gpu())).view({8, 8});
  const at::Tensor wanted = at::matmul(x, x).cpu();
  for (int i = 1; i <= 3; ++i) {
    at::Tensor product;
    const Recording recording(*recorder, [&](Recording& /*pieces*/) { product = at::matmul(x, x) * i; });
    recording.launch();
    EXPECT_TRUE(at::equal(product.cpu(), wanted * i)) << i;
  }
}

TEST(Gpu, LaunchesRecordedPassesAsItAsksForThem) {
  for (const char* precision : {"fp32", "bf16", "fp16"})
    for (const std::int64_t recomputed : {0, 1}) {
      CourseOptions options = course_in(precision);
      options.device = gpu();
      options.recompute = {recomputed, recomputed};
      options.engine.micro_batch = recomputed == 1 ? 5 : 0;
      const Course asked = course(1, options);
      options.recorder = [] { return cuda_recorder(gpu()); };
      const Course launched = course(1, options);
      ASSERT_EQ(launched.losses.size(), asked.losses.size());
      for (std::size_t i = 0; i < asked.losses.size(); ++i)
        EXPECT_NEAR(launched.losses[i] / asked.losses[i], 1, 1e-3) << precision << ", step " << i + 1;
    }
}

TEST(Gpu, PrincipalComponentsAreThoseOfTheHost) {
  const auto alone = single_rank();
  const Expression expression = small_expression(cells, side, patch, *alone);
  const Densifier densifier(expression);
  const auto axes_on = [&](at::Device device) {
    const auto tiles = [&](const TileWork& work) { for_each_tile(expression, densifier, patch * patch, device, work); };
    return component_axes(tiles, side * side, kGuidanceComponents, *alone, device);
  };
  const ComponentAxes here = axes_on(at::kCPU);
  const ComponentAxes there = axes_on(gpu());
  EXPECT_TRUE(at::allclose(there.mean.cpu(), here.mean, 1e-5, 1e-6));
  EXPECT_TRUE(at::allclose(there.loadings.cpu(), here.loadings, 1e-4, 1e-5));
}

/// What one rank can see of NCCL: that it starts beside LibTorch, waits for the stream that computes and changes
/// nothing.
TEST(Gpu, NcclTakesAndGivesBackWhatTheStreamComputes) {
  const auto ranks = single_rank();
  const at::Device device = gpu();  // before NCCL is looked for, which LibTorch brings
  NcclCollectives nccl(load_nccl_api(), *ranks, {.device = device.index()});
  for (const auto& [type, element] :
       {std::pair(at::kFloat, DeviceElement::f32), std::pair(at::kBFloat16, DeviceElement::bf16)}) {
    const at::Tensor wanted = at::randn({1 << 20}, at::TensorOptions(type).device(gpu())) * 3;
    const at::Tensor values = wanted.clone();
    const at::Tensor gathered = at::empty_like(values);
    const at::Tensor scattered = at::empty_like(values);
    void* const stream = current_cuda_stream(gpu());
    const auto count = static_cast<std::size_t>(values.numel());
    nccl.all_reduce(values.data_ptr(), count, element, stream)->wait(stream);
    nccl.broadcast(values.data_ptr(), count, element, 0, stream)->wait(stream);
    nccl.reduce_scatter(values.data_ptr(), scattered.data_ptr(), count, element, stream)->wait(stream);
    nccl.all_gather(scattered.data_ptr(), gathered.data_ptr(), count, element, stream)->wait(stream);
    EXPECT_TRUE(at::equal(gathered, wanted));
  }
}

}  // namespace
}  // namespace masksc

// Recorded passes do what the passes do that are asked for operation by operation. The recorder is host memory's.
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "courses.hpp"
#include "host_recorder.hpp"
#include "masksc/core/error.hpp"
#include "message_of.hpp"

namespace masksc {
namespace {

TEST(Recording, IsDoneAtEveryLaunchAndNotBefore) {
  HostRecorder recorder;
  const at::Tensor x = at::full({3}, 2.0);
  const at::Tensor sum = at::zeros({3});
  at::Tensor product;
  std::vector<std::string> done;
  const Recording recording(recorder, [&](Recording& pieces) {
    product = x * 10;
    pieces.cut([&] { done.push_back("between, " + std::to_string(static_cast<int>(sum[0].item<double>()))); });
    at::Tensor(sum).add_(product);
  });
  EXPECT_TRUE(at::equal(sum, at::zeros({3})));
  EXPECT_TRUE(done.empty());
  recording.launch();
  EXPECT_TRUE(at::equal(sum, at::full({3}, 20.0)));
  at::Tensor(x).fill_(3);
  recording.launch();
  EXPECT_TRUE(at::equal(product, at::full({3}, 30.0)));
  EXPECT_TRUE(at::equal(sum, at::full({3}, 50.0)));
  EXPECT_THAT(done, testing::ElementsAre("between, 0", "between, 20"));
}

TEST(Recording, HappensTheSecondTimeThatAKindComes) {
  RecordedPasses passes(std::make_unique<HostRecorder>());
  int recorded = 0;
  const auto find = [&](const RecordedPasses::Kind& kind) {
    return passes.find(kind, [&](Recorder& /*recorder*/) {
      ++recorded;
      return RecordedPass{};
    });
  };
  EXPECT_EQ(find({1, 2}), nullptr);
  EXPECT_EQ(find({1, 3}), nullptr);
  const RecordedPass* const pass = find({1, 2});
  EXPECT_NE(pass, nullptr);
  EXPECT_EQ(find({1, 2}), pass);
  EXPECT_EQ(recorded, 1);
  passes.forget();
  EXPECT_EQ(find({1, 2}), nullptr);
}

/// A recorder that counts its runs, here: two for a pass.
std::function<std::unique_ptr<Recorder>()> counting(std::atomic<int>& runs) {
  struct Counting final : Recorder {
    explicit Counting(std::atomic<int>& r) : runs(r) {}
    void run(const std::function<void()>& work) override {
      ++runs;
      host.run(work);
    }
    void begin() override { host.begin(); }
    std::unique_ptr<RecordedWork> end() override { return host.end(); }
    std::atomic<int>& runs;
    HostRecorder host;
  };
  return [&runs] { return std::make_unique<Counting>(runs); };
}

/// The bits of a training with recorded passes, of which `kinds` are recorded, are those without.
void expect_same_course(int size, CourseOptions options, int kinds) {
  const Course asked = course(size, options);
  std::atomic<int> runs = 0;
  options.recorder = counting(runs);
  const Course launched = course(size, options);
  EXPECT_EQ(runs, 2 * kinds * size);
  EXPECT_EQ(launched.losses, asked.losses);
  EXPECT_TRUE(at::equal(launched.weights, asked.weights));
}

// 50 cells in batches of 13, 13, 12 and 12, three times over.
TEST(Recording, APassHasTheBitsOfOneThatIsAskedFor) {
  for (const char* precision : {"fp32", "bf16", "fp16"})
    for (const Decoder decoder : {Decoder::full, Decoder::cross}) {
      CourseOptions options;
      options.train.precision = precision;
      options.decoder = decoder;
      expect_same_course(1, options, 2);
    }
}

TEST(Recording, SegmentsThatAreComputedAgainHaveTheBits) {
  CourseOptions options;
  options.recompute = {1, 1};
  expect_same_course(1, options, 2);
}

TEST(Recording, MicroBatchesHaveTheBits) {
  CourseOptions options;
  options.engine.micro_batch = 5;
  expect_same_course(1, options, 4);  // 5 cells and the rest, of either batch
}

TEST(Recording, BucketsTravelBetweenThePieces) {
  for (const bool shard : {false, true})
    for (const char* reduced : {"fp32", "bf16"}) {
      CourseOptions options;
      options.train.reduce_precision = reduced;
      options.engine = {.bucket_mib = 0.005, .shard_optimizer = shard};
      expect_same_course(2, options, 2);
      options.engine.micro_batch = 1;  // the last pass of a step differs from the others by that alone
      expect_same_course(2, options, 4);
    }
}

TEST(Recording, VirtualShardsHaveTheBits) {
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  CourseOptions options;
  options.train.deterministic = true;
  options.train.virtual_shards = 4;
  expect_same_course(2, options, 4);  // each shard's, in both batches
  at::set_num_threads(threads);
}

/// Steps on sum(parameters) * input / constant, of six parameters.
struct Toy {
  explicit Toy(const char* precision)
      : parameters({{"matrix", {3, 2}, Initial::ones(), true}}, 0, 0, at::kCPU),
        engine(parameters, settings(precision), {}, *alone, 1, nullptr, counting(runs)()) {}
  static TrainSettings settings(const char* precision) {
    TrainSettings made;
    made.precision = precision;
    return made;
  }
  StepReport step(double input, double constant = 1) {
    const auto inputs = [&](std::int64_t /*pass*/) { return std::vector{at::full({}, input, at::kFloat)}; };
    const auto loss = [&](const std::vector<at::Tensor>& in) {
      return LossShares{parameters.at("matrix").sum().to(at::kFloat) * in[0] / constant, {}};
    };
    return engine.step({.inputs = inputs, .loss = loss, .constants = {constant}}, 0, 0.1, {});
  }
  std::unique_ptr<Collectives> alone = single_rank();
  FlatParameters parameters;
  std::atomic<int> runs = 0;
  TrainingEngine engine;
};

TEST(Recording, BeginsAnewWithAnotherLossScale) {
  Toy toy("fp16");
  const double scale = toy.engine.loss_scale().scale;
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(toy.step(1e-3).gradient_norm, 1e-3 * std::sqrt(6.0), 1e-5);
  EXPECT_EQ(toy.runs, 2);
  EXPECT_TRUE(toy.step(10).skipped);
  EXPECT_EQ(toy.engine.loss_scale().scale, scale / 2);
  for (int i = 0; i < 3; ++i) EXPECT_NEAR(toy.step(2e-3).gradient_norm, 2e-3 * std::sqrt(6.0), 1e-5);
  EXPECT_EQ(toy.runs, 4);
}

TEST(Recording, TellsPassesOfOtherConstantsApart) {
  Toy toy("fp32");
  for (int i = 0; i < 3; ++i)
    for (const double constant : {1.0, 2.0, 4.0})
      EXPECT_NEAR(toy.step(i + 1, constant).gradient_norm, (i + 1) / constant * std::sqrt(6.0), 1e-5);
  EXPECT_EQ(toy.runs, 6);
}

TEST(Recording, NeedsAGpu) {
  EXPECT_THAT(message_of([] { cuda_recorder(at::kCPU); }), testing::HasSubstr("--cuda-graph needs a GPU"));
}

/// Where it was built, everything that libmasksc_cuda asks of libtorch_cuda is there.
TEST(Recording, TheLibraryForGpusLoads) {
  if (std::string(MASKSC_TEST_CUDA_LIBRARY).empty()) GTEST_SKIP() << "built without CUDA's headers";
  ASSERT_NE(dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL), nullptr) << dlerror();
  void* const library = dlopen(MASKSC_TEST_CUDA_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  EXPECT_NE(dlsym(library, "masksc_cuda_recorder"), nullptr);
}

}  // namespace
}  // namespace masksc

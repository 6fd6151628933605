// Buckets of gradients: when they travel, in which order, and by which transport.
#include "masksc/train/exchange.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "host_rank.hpp"
#include "host_recorder.hpp"

namespace masksc {
namespace {

/// A peer that always brings the same numbers, and notes what is asked of it.
class EchoPeer final : public Collectives {
 public:
  EchoPeer() : Collectives(0, 2) {}
  std::vector<std::string> calls;
  std::atomic<int> tests = 0;
  void barrier() override {}
  std::unique_ptr<Collectives> split(int /*color*/) override { throw InvariantError("not asked for"); }

 protected:
  struct Noted : Request {
    Noted(std::vector<std::string>& c, std::atomic<int>& t) : calls(c), tests(t) {}
    bool test() override {
      ++tests;
      return false;
    }
    void wait() override { calls.emplace_back("wait"); }
    std::vector<std::string>& calls;
    std::atomic<int>& tests;
  };
  void all_reduce_raw(void* values, std::size_t count, ElementType type, ReduceOp /*op*/) override {
    if (type == ElementType::f64)
      for (std::size_t i = 0; i < count; ++i) static_cast<double*>(values)[i] *= 2;
  }
  std::unique_ptr<Request> all_reduce_async_raw(void* values, std::size_t count, ElementType /*type*/,
                                                ReduceOp /*op*/) override {
    for (std::size_t i = 0; i < count; ++i) static_cast<float*>(values)[i] *= 2;
    calls.push_back("send " + std::to_string(count));
    return std::make_unique<Noted>(calls, tests);
  }
  std::unique_ptr<Request> reduce_scatter_async_raw(const void* /*input*/, void* /*output*/, std::size_t /*count*/,
                                                    ElementType /*type*/) override {
    throw InvariantError("not asked for");
  }
  void all_gather_raw(const void* /*local*/, void* /*all*/, std::size_t /*count*/, ElementType /*type*/) override {}
  void all_gather_varied_raw(const void* /*local*/, std::size_t /*count*/, void* /*all*/,
                             const std::vector<std::int64_t>& /*counts*/, ElementType /*type*/) override {}
  void gather_varied_raw(const void* /*local*/, std::size_t /*count*/, void* /*all*/,
                         const std::vector<std::int64_t>& /*counts*/, int /*root*/, ElementType /*type*/) override {}
  void broadcast_raw(void* /*values*/, std::size_t /*bytes*/, int /*root*/) override {}
  void all_to_all_raw(const void* /*send*/, const std::vector<std::int64_t>& /*send_counts*/, void* /*received*/,
                      const std::vector<std::int64_t>& /*received_counts*/, ElementType /*type*/) override {}
};

TEST(Exchange, BucketsTravelDuringTheLastBackwardPassInReverseOrderOfUse) {
  EchoPeer peer;
  FlatParameters parameters({{"first", {100}, Initial::ones(), true},
                             {"second", {50}, Initial::ones(), true},
                             {"bias", {7}, Initial::ones(), false}},
                            0, 0, at::kCPU);
  GradientExchange exchange(parameters, {.bucket_mib = 64 * 4 / 1048576.0}, peer, host_transport(peer));
  const auto backward = [&] {
    // second is used last, so its gradient arrives first
    at::Tensor x = parameters.at("first").sum() * 2;
    x = x + 0 * parameters.at("bias").sum();
    (parameters.at("second").sum() * x.detach() + x).backward();
  };
  const auto whole_step = [&] {
    parameters.zero_gradients();
    exchange.begin(1);
    peer.calls.clear();
    backward();
    peer.calls.emplace_back("pass");
    exchange.last_pass(0);
    backward();
    peer.calls.emplace_back("pass");
    exchange.finish();
    EXPECT_GE(exchange.exposed_seconds(), 0);
  };
  for (int step = 0; step < 3; ++step) {  // which measure: nothing travels before their end
    whole_step();
    EXPECT_THAT(peer.calls, testing::ElementsAre("pass", "pass", "send 64", "send 64", "send 22", "send 7", "wait",
                                                 "wait", "wait", "wait"));
  }
  whole_step();
  EXPECT_THAT(peer.calls, testing::ElementsAre("pass", "send 64", "send 64", "send 22", "send 7", "pass", "wait",
                                               "wait", "wait", "wait"));
  // two passes, two peers
  EXPECT_TRUE(at::equal(parameters.part(parameters.gradients(), 0), at::full({100}, 8.0F)));
  EXPECT_TRUE(at::equal(parameters.part(parameters.gradients(), 1), at::full({50}, 800.0F)));
}

TEST(Exchange, ARecordedPassSendsItsBucketsAtEveryLaunch) {
  EchoPeer peer;
  FlatParameters parameters({{"first", {100}, Initial::ones(), true}, {"second", {60}, Initial::ones(), true}}, 0, 0,
                            at::kCPU);
  GradientExchange exchange(parameters, {.bucket_mib = 50 * 4 / 1048576.0}, peer, host_transport(peer));
  const auto backward = [&] { (parameters.at("second").sum() + parameters.at("first").sum() * 2).backward(); };
  const auto step = [&](const std::function<void()>& pass) {
    parameters.zero_gradients();
    exchange.begin(1);
    peer.calls.clear();
    pass();
    peer.calls.emplace_back("pass");
    exchange.finish();
    EXPECT_GE(exchange.exposed_seconds(), 0);
    EXPECT_TRUE(at::equal(parameters.part(parameters.gradients(), 0), at::full({100}, 4.0F)));
    EXPECT_TRUE(at::equal(parameters.part(parameters.gradients(), 1), at::full({60}, 2.0F)));
  };
  step(backward);
  HostRecorder recorder;
  std::optional<Recording> recording;
  step([&] {
    recording.emplace(recorder, [&](Recording& pieces) {
      exchange.last_pass(0, [&](std::size_t buckets) { pieces.cut([&, buckets] { exchange.start_full(buckets); }); });
      backward();
    });
    EXPECT_TRUE(peer.calls.empty());
    recording->launch();
  });
  step([&] { recording->launch(); });
  EXPECT_EQ(peer.calls.front(), "pass") << "until the third step, which is recorded by then, nothing travels early";
  for (int launches = 0; launches < 2; ++launches) {
    step([&] { recording->launch(); });
    // The second parameter fills a bucket; the first, which fills the others, ends the pass.
    EXPECT_THAT(peer.calls, testing::ElementsAre("send 50", "pass", "send 50", "send 50", "send 10", "wait", "wait",
                                                 "wait", "wait"));
  }
}

TEST(Exchange, IsDrivenWhileTheBackwardPassGoesOn) {
  EchoPeer peer;
  FlatParameters parameters({{"weight", {100}, Initial::ones(), true}}, 0, 0, at::kCPU);
  GradientExchange exchange(parameters, {.bucket_mib = 1}, peer, host_transport(peer));
  for (const bool overlaps : {false, false, false, true}) {
    parameters.zero_gradients();
    exchange.begin(1);
    exchange.last_pass(0);
    parameters.at("weight").sum().backward();
    const int before = peer.tests;
    for (int i = 0; overlaps && i < 1000 && peer.tests < before + 3; ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    EXPECT_EQ(peer.tests >= before + 3, overlaps);
    exchange.finish();
    EXPECT_GE(exchange.exposed_seconds(), 0);
    const int after = peer.tests;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(peer.tests, after) << "nobody asks once it has ended";
  }
  parameters.zero_gradients();
  exchange.begin(1);
  exchange.last_pass(0);
  parameters.at("weight").sum().backward();  // and is given up in the middle
}

/// What a step's exchange takes, and how much of it a pass hides, with a transport that needs 30 ms (the first time
/// 300).
class SlowTransport final : public Transport {
 public:
  std::unique_ptr<Pending> all_reduce(const at::Tensor& /*values*/) override {
    const auto takes = std::chrono::milliseconds(connected_ ? 30 : 300);
    connected_ = true;
    return std::make_unique<Slow>(std::chrono::steady_clock::now() + takes);
  }
  void tree_all_reduce(const at::Tensor& /*values*/) override {}
  std::unique_ptr<Pending> reduce_scatter(const at::Tensor& /*input*/, const at::Tensor& /*output*/) override {
    return nullptr;
  }
  std::unique_ptr<Pending> all_gather(const at::Tensor& /*own*/, const at::Tensor& /*all*/) override { return nullptr; }
  [[nodiscard]] bool needs_driving() const override { return false; }

 private:
  struct Slow final : Pending {
    explicit Slow(std::chrono::steady_clock::time_point when) : arrives(when) {}
    bool test() override { return std::chrono::steady_clock::now() >= arrives; }
    void finish() override { std::this_thread::sleep_until(arrives); }
    std::chrono::steady_clock::time_point arrives;
  };
  bool connected_ = false;
};

TEST(Exchange, ToldIsWhatTheBackwardPassHides) {
  EchoPeer peer;
  const auto hidden = [&](std::chrono::milliseconds pass) {
    FlatParameters parameters({{"weight", {8}, Initial::ones(), true}}, 0, 0, at::kCPU);
    GradientExchange exchange(parameters, {.bucket_mib = 1}, peer, std::make_unique<SlowTransport>());
    for (int step = 0; step < 6; ++step) {
      parameters.zero_gradients();
      exchange.begin(1);
      exchange.last_pass(0);
      parameters.at("weight").sum().backward();
      std::this_thread::sleep_for(pass);  // the rest of the pass
      exchange.finish();
      EXPECT_GE(exchange.exposed_seconds(), 0);
    }
    EXPECT_GE(exchange.alone_seconds(), 0.03);
    EXPECT_LT(exchange.alone_seconds(), 0.3) << "connecting is no part of it";
    return exchange.mean_hidden().value();
  };
  EXPECT_GT(hidden(std::chrono::milliseconds(60)), 0.5);
  EXPECT_LT(hidden(std::chrono::milliseconds(0)), 0.5);
}

TEST(Exchange, OverNcclEqualsHostMemory) {
  for (const bool shard : {false, true})
    for (const bool bf16 : {false, true}) {
      const ExchangeSettings settings{.bucket_mib = 40 * 4 / 1048576.0, .bf16 = bf16, .shard = shard};
      HostNccl host(3);
      run_as_threads(3, [&](Collectives& ranks) {
        HostRank device(host, ranks);
        const auto summed = [&](std::unique_ptr<Transport> transport) {
          FlatParameters parameters({{"first", {100}, Initial::normal(1), true}, {"bias", {7}, Initial::ones(), false}},
                                    0, 0, at::kCPU);
          GradientExchange exchange(parameters, settings, ranks, std::move(transport));
          for (int step = 0; step < 5; ++step) {
            parameters.zero_gradients();
            exchange.begin(1);
            exchange.last_pass(0);
            ((parameters.at("first") * (0.5 + ranks.rank())).sum() + parameters.at("bias").sum()).backward();
            exchange.finish();
            EXPECT_GE(exchange.exposed_seconds(), 0);
            for (const FlatSlice& slice : exchange.owned())
              parameters.padded_values().narrow(0, slice.begin, slice.length) -=
                  0.125 * parameters.padded_gradients().narrow(0, slice.begin, slice.length);
            exchange.share_values();
          }
          return parameters.values().clone();
        };
        const at::Tensor by_host = summed(host_transport(ranks));
        const at::Tensor by_nccl = summed(device_transport(device.nccl, [&] { return &device.compute; }));
        EXPECT_TRUE(at::equal(by_nccl, by_host));
        EXPECT_GT(host.count(ranks.rank(), shard ? "ncclReduceScatter" : "ncclAllReduce"), 6);
      });
    }
}

}  // namespace
}  // namespace masksc

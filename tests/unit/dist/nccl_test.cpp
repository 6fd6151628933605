// NCCL collectives on ranks as threads, with a stand-in in host memory: results, order of calls, asynchrony.
#include "masksc/dist/nccl.hpp"

#include <gmock/gmock.h>

#include "host_rank.hpp"
#include "masksc/dist/gpu_place.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using namespace std::chrono_literals;

class OnGpus : public ::testing::TestWithParam<int> {};

TEST_P(OnGpus, EveryOperationOfEveryType) {
  const int size = GetParam();
  HostNccl host(size);
  const std::pair<DeviceElement, int> types[] = {
      {DeviceElement::i32, nccl::int32},     {DeviceElement::i64, nccl::int64},   {DeviceElement::f16, nccl::float16},
      {DeviceElement::bf16, nccl::bfloat16}, {DeviceElement::f32, nccl::float32}, {DeviceElement::f64, nccl::float64}};
  run_as_threads(size, [&](Collectives& world) {
    HostRank mine(host, world);
    const int rank = world.rank();
    for (const auto& [type, code] : types) {
      const auto slots = static_cast<std::size_t>(2 * size);
      std::vector<std::byte> in(slots * size_of(type));
      std::vector<std::byte> out(slots * size_of(type));
      const auto fill = [&, code = code] {
        for (std::size_t i = 0; i < slots; ++i) write_element(in.data(), i, code, rank + static_cast<double>(i));
      };
      const auto expect = [&, code = code](std::unique_ptr<DeviceRequest> request, const std::vector<std::byte>& data,
                                           const std::vector<double>& expected) {
        request->wait(&mine.compute);
        mine.compute.synchronize();
        EXPECT_TRUE(request->test());
        for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(read_element(data.data(), i, code), expected[i]);
      };
      const double ranks = size * (size - 1) / 2.0;  // sum of all ranks
      fill();
      expect(mine.nccl.all_reduce(in.data(), 2, type, &mine.compute), in, {ranks, ranks + size});
      fill();
      expect(mine.nccl.all_reduce(in.data(), 2, type, &mine.compute, ReduceOp::max), in, {size - 1.0, size + 0.0});
      fill();
      expect(mine.nccl.all_reduce(in.data(), 2, type, &mine.compute, ReduceOp::min), in, {0, 1});
      fill();
      expect(mine.nccl.reduce_scatter(in.data(), out.data(), 2, type, &mine.compute), out,
             {ranks + 2 * rank * size, ranks + (2 * rank + 1) * size});
      expect(mine.nccl.broadcast(in.data(), 2, type, size - 1, &mine.compute), in, {size - 1.0, size + 0.0});
      fill();
      std::vector<double> all;
      for (int r = 0; r < size; ++r) all.insert(all.end(), {r + 0.0, r + 1.0});
      expect(mine.nccl.all_gather(in.data(), out.data(), 2, type, &mine.compute), out, all);
    }
    EXPECT_EQ(mine.nccl.version(), "2.28.9");
  });
  for (int rank = 0; rank < size; ++rank) {
    EXPECT_EQ(host.count(rank, "ncclGetUniqueId"), rank == 0 ? 1 : 0);
    EXPECT_EQ(host.count(rank, "ncclCommDestroy"), 1);
    EXPECT_EQ(host.count(rank, "ncclCommAbort"), 0);
    EXPECT_EQ(host.count(rank, "ncclAllReduce"), 18);
    EXPECT_EQ(host.count(rank, "cudaEventCreate"), host.count(rank, "cudaEventDestroy"));
    EXPECT_EQ(host.count(rank, "cudaStreamDestroy"), 1);
  }
  EXPECT_EQ(host.misuses(), 0);
}

INSTANTIATE_TEST_SUITE_P(Sizes, OnGpus, ::testing::Values(1, 2, 3, 5));

TEST(Nccl, ReadsAfterTheProducerAndWritesBeforeTheConsumer) {
  HostNccl host(2);
  run_as_threads(2, [&](Collectives& world) {
    float value = 0;
    float seen = 0;
    HostRank mine(host, world, 400ms);  // less than the producers need: their time does not count
    HostStream consumer;
    std::promise<void> gate;  // opens for the streams in any case
    mine.compute.push([&, opened = gate.get_future().share()] {
      opened.wait();
      value = 3;
    });
    const auto request = mine.nccl.all_reduce(&value, 1, DeviceElement::f32, &mine.compute);
    request->wait(&consumer);
    consumer.push([&] { seen = value; });
    std::this_thread::sleep_for(800ms);  // the host is free
    EXPECT_FALSE(request->test());
    world.barrier();
    gate.set_value();
    consumer.synchronize();
    EXPECT_EQ(seen, 6);
    EXPECT_TRUE(request->test());
  });
  EXPECT_THAT(host.calls(0), ElementsAre("cudaEventRecord", "cudaStreamWaitEvent", "ncclAllReduce", "cudaEventRecord",
                                         "cudaStreamWaitEvent"));
  EXPECT_EQ(host.count(0, "ncclCommAbort"), 0);
}

TEST(Nccl, EventsAreUsedAgain) {
  HostNccl host(1);
  HostRank mine(host, *single_rank());
  float value = 1;
  for (int i = 0; i < 60; ++i) {
    mine.nccl.all_reduce(&value, 1, DeviceElement::f32, &mine.compute);
    std::this_thread::sleep_for(2ms);
  }
  EXPECT_LT(host.count(0, "cudaEventCreate"), 60);  // of 120
}

TEST(Nccl, AGroupStartsTogether) {
  HostNccl host(2);
  run_as_threads(2, [&](Collectives& world) {
    HostRank mine(host, world);
    double a = 1;
    std::int64_t b = world.rank();
    std::vector<std::unique_ptr<DeviceRequest>> requests;
    mine.nccl.group([&] {
      requests.push_back(mine.nccl.all_reduce(&a, 1, DeviceElement::f64, &mine.compute));
      requests.push_back(mine.nccl.broadcast(&b, 1, DeviceElement::i64, 1, &mine.compute));
      EXPECT_THROW(requests[0]->test(), InvariantError);
      EXPECT_THROW(mine.nccl.group([] {}), InvariantError);
    });
    for (const auto& request : requests) request->wait(&mine.compute);
    mine.compute.synchronize();
    EXPECT_EQ(a, 2);
    EXPECT_EQ(b, 1);
    EXPECT_THROW(mine.nccl.group([] { throw UserError("no"); }), UserError);
    mine.nccl.all_reduce(&a, 1, DeviceElement::f64, &mine.compute)->wait(&mine.compute);  // the group was closed
    mine.compute.synchronize();
    EXPECT_EQ(a, 4);
  });
  auto calls = host.calls(1);
  calls.resize(9);
  EXPECT_THAT(
      calls, ElementsAre("ncclGroupStart", "cudaEventRecord", "cudaStreamWaitEvent", "ncclAllReduce", "cudaEventRecord",
                         "cudaStreamWaitEvent", "ncclBroadcast", "ncclGroupEnd", "cudaEventRecord"));
}

TEST(Nccl, RanksThatShareAGpuAreRefusedOnAllRanks) {
  HostNccl host(3);
  host.put_on_gpu(2, 0);
  run_as_threads(3, [&](Collectives& world) {
    try {
      HostRank mine(host, world);
      ADD_FAILURE() << "accepted";
    } catch (const UserError& e) {
      EXPECT_THAT(e.what(),
                  MatchesRegex("ranks 0 and 2 share GPU 0 .0000:00:00.0. of node .*: NCCL needs one GPU a rank; "
                               "start at most 2 ranks a node, or use --collectives mpi"));
    }
  });
  std::vector<GpuPlace> places(2);
  places[0].host = {'a'};
  places[1].host = {'b'};
  EXPECT_EQ(describe_shared_gpu(places), "");
  places[1].host = places[0].host;
  EXPECT_NE(describe_shared_gpu(places), "");
  places[1].boot = {'1'};
  EXPECT_EQ(describe_shared_gpu(places), "");
}

}  // namespace
}  // namespace masksc

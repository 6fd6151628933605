// How NCCL collectives fail: each way ends in one message that names rank, operation and step, and in an abort.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "host_rank.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using namespace std::chrono_literals;

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const EnvironmentError& e) {
    return e.what();
  }
  return "no EnvironmentError";
}

/// Waits for the watch's message; some text if none comes.
std::string failure_of(HostRank& rank) {
  auto message = rank.failure.get_future();
  return message.wait_for(20s) == std::future_status::ready ? message.get() : "no failure";
}

TEST(NcclFailure, AnAsynchronousErrorAborts) {
  HostNccl host(2);
  run_as_threads(2, [&](Collectives& world) {
    HostRank mine(host, world);
    std::vector<std::uint16_t> values(7);
    mine.nccl.set_step(41);
    world.barrier();
    if (world.rank() == 1) return mine.compute.synchronize();  // never joins, and goes in peace
    const auto request = mine.nccl.all_reduce(values.data(), 7, DeviceElement::bf16, &mine.compute);
    host.raise_async_error(0, 6);
    const std::string message = failure_of(mine);
    EXPECT_THAT(message, AllOf(StartsWith("rank 0 of 2: during all-reduce of 7 bf16 elements (operation 1, training "
                                          "step 41): NCCL: remote process exited"),
                               HasSubstr("start again to resume")));
    // From then on nothing works, and says why.
    EXPECT_EQ(error_of([&] { mine.nccl.all_reduce(values.data(), 7, DeviceElement::bf16, &mine.compute); }), message);
    EXPECT_EQ(error_of([&] { mine.nccl.group([] {}); }), message);
    EXPECT_EQ(error_of([&] { request->wait(&mine.compute); }), message);
    EXPECT_EQ(error_of([&] { request->test(); }), message);
  });
  EXPECT_EQ(host.count(0, "ncclCommAbort"), 1);
  EXPECT_EQ(host.count(0, "ncclCommDestroy"), 0);
  EXPECT_EQ(host.count(0, "ncclAllReduce"), 1);
  EXPECT_EQ(host.count(1, "ncclCommDestroy"), 1);
  EXPECT_EQ(host.misuses(), 0);
}

TEST(NcclFailure, AnErrorBetweenOperationsNamesTheLastOne) {
  HostNccl host(1);
  run_as_threads(1, [&](Collectives& world) {
    HostRank mine(host, world);
    double value = 1;
    mine.nccl.broadcast(&value, 1, DeviceElement::f64, 0, &mine.compute)->wait(&mine.compute);
    mine.compute.synchronize();
    host.raise_async_error(0, 2);
    EXPECT_THAT(failure_of(mine), StartsWith("rank 0 of 1: after broadcast of 1 f64 elements (operation 1, before the "
                                             "first training step): NCCL: unhandled system error"));
  });
}

TEST(NcclFailure, APeerThatNeverJoinsRunsIntoTheTimeout) {
  const auto start = std::chrono::steady_clock::now();
  HostNccl host(3);
  run_as_threads(3, [&](Collectives& world) {
    HostRank mine(host, world, 300ms);
    std::int32_t value = 1;
    mine.nccl.set_step(5);
    mine.nccl.all_reduce(&value, 1, DeviceElement::i32, &mine.compute)->wait(&mine.compute);
    if (world.rank() < 2) {
      mine.nccl.all_gather(&value, nullptr, 1, DeviceElement::i32, &mine.compute);
      EXPECT_THAT(failure_of(mine),
                  AllOf(StartsWith(fmt::format("rank {} of 3: all-gather of 1 i32 elements (operation 2, training step "
                                               "5) did not end within 0.3 s",
                                               world.rank())),
                        HasSubstr("--collective-timeout")));
    }
    world.barrier();
  });
  EXPECT_EQ(host.count(0, "ncclCommAbort") + host.count(1, "ncclCommAbort"), 2);
  EXPECT_EQ(host.count(2, "ncclCommAbort"), 0);  // nothing under way: ended by MPI, outside this test
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

TEST(NcclFailure, TheAbortOfOneRankEndsAll) {
  HostNccl host(3);
  host.abort_reaches_peers();
  run_as_threads(3, [&](Collectives& world) {
    HostRank mine(host, world, world.rank() == 0 ? 100ms : 60s);
    double values[3] = {};
    if (world.rank() != 1) mine.nccl.reduce_scatter(values, values, 1, DeviceElement::f64, &mine.compute);
    EXPECT_THAT(failure_of(mine), HasSubstr(world.rank() == 0 ? "did not end within 0.1 s" : "remote process exited"));
  });
  for (int rank = 0; rank < 3; ++rank) EXPECT_EQ(host.count(rank, "ncclCommAbort"), 1);
  EXPECT_EQ(host.misuses(), 0);
}

TEST(NcclFailure, ACallThatKeepsTheHostRunsIntoTheTimeout) {
  HostNccl host(1);
  for (const std::string function : {"ncclCommInitRank", "ncclAllReduce"})
    run_as_threads(1, [&](Collectives& world) {
      host.hang(0, function);
      const NcclOptions options = {
          .timeout = 50ms, .poll = 1ms, .on_failure = [&](const std::string& message) {
            EXPECT_THAT(message, HasSubstr(function == "ncclAllReduce"
                                               ? "rank 0 of 1: all-reduce of 1 f32 elements (operation 1"
                                               : "rank 0 of 1: the start of the NCCL communicator did not end"));
            host.let_go(0);
          }};
      HostStream compute;
      float value = 0;
      EXPECT_THAT(error_of([&] {
                    NcclCollectives nccl(host.api(0), world, options);
                    nccl.all_reduce(&value, 1, DeviceElement::f32, &compute);
                    nccl.all_reduce(&value, 1, DeviceElement::f32, &compute);
                  }),
                  HasSubstr("did not end within 0.05 s"));
    });
  EXPECT_EQ(host.count(0, "ncclCommAbort"), 2);
  EXPECT_EQ(host.count(0, "ncclCommDestroy"), 0);
}

TEST(NcclFailure, AFailedCallThrowsWithRankAndOperation) {
  for (const std::string function :
       {"ncclAllReduce", "cudaEventCreate", "cudaEventRecord", "cudaStreamWaitEvent", "ncclGroupEnd"}) {
    HostNccl host(1);
    run_as_threads(1, [&](Collectives& world) {
      HostRank mine(host, world);
      mine.nccl.set_step(9);
      float value = 1;
      host.fail(0, function, 2);
      const std::string message = error_of(
          [&] { mine.nccl.group([&] { mine.nccl.all_reduce(&value, 1, DeviceElement::f32, &mine.compute); }); });
      EXPECT_THAT(message, AllOf(StartsWith("rank 0 of 1: a"), HasSubstr("operation 1, training step 9) failed: "),
                                 HasSubstr(function[0] == 'n' ? "unhandled system error" : "illegal memory access")));
      host.fail(0, function, 0);
      EXPECT_EQ(error_of([&] { mine.nccl.all_reduce(&value, 1, DeviceElement::f32, &mine.compute); }), message);
    });
    EXPECT_EQ(host.count(0, "ncclCommAbort"), 1) << function;
    EXPECT_EQ(host.count(0, "ncclGroupEnd"), 1) << function;
  }
}

TEST(NcclFailure, AGpuThatFailsIsSeenByTheWatch) {
  HostNccl host(1);
  run_as_threads(1, [&](Collectives& world) {
    HostRank mine(host, world);
    float value = 1;
    host.fail(0, "cudaEventQuery", 700);
    mine.nccl.all_reduce(&value, 1, DeviceElement::f32, &mine.compute);
    EXPECT_THAT(failure_of(mine), AllOf(HasSubstr("all-reduce of 1 f32"), HasSubstr("illegal memory access")));
  });
}

TEST(NcclFailure, TheStartFailsOnAllRanksOrThrowsOnOne) {
  HostNccl host(3);
  host.fail(0, "ncclGetUniqueId", 2);
  run_as_threads(3, [&](Collectives& world) {
    EXPECT_THAT(error_of([&] { HostRank mine(host, world); }), HasSubstr("NCCL cannot start: unhandled system error"));
  });
  host.fail(0, "ncclGetUniqueId", 0);
  host.fail(1, "cudaSetDevice", 101);
  run_as_threads(3, [&](Collectives& world) {
    EXPECT_THAT(error_of([&] { HostRank mine(host, world); }), StartsWith("GPU 1: cudaSetDevice failed"));
  });
  host.fail(1, "cudaSetDevice", 0);
  host.fail(2, "ncclCommInitRank", 3);
  run_as_threads(3, [&](Collectives& world) {
    EXPECT_THAT(error_of([&] { HostRank mine(host, world); }),
                world.rank() == 2 ? HasSubstr("rank 2 of 3: the start of the NCCL communicator failed: internal error")
                                  : HasSubstr("no EnvironmentError"));
  });
}

TEST(NcclFailure, APassingExceptionAborts) {
  HostNccl host(1);
  EXPECT_THROW(run_as_threads(1,
                              [&](Collectives& world) {
                                HostRank mine(host, world);
                                throw UserError("gone");
                              }),
               UserError);
  EXPECT_EQ(host.count(0, "ncclCommAbort"), 1);
  EXPECT_EQ(host.count(0, "ncclCommDestroy"), 0);
}

TEST(NcclFailureDeathTest, EndsTheProcessUnlessTold) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        HostNccl host(1);
        const auto world = single_rank();
        const NcclCollectives nccl(host.api(0), *world, {.poll = 1ms});
        host.raise_async_error(0, 6);
        std::this_thread::sleep_for(20s);
      },
      ::testing::ExitedWithCode(3),
      "rank 0 of 1: after the start of the NCCL communicator: NCCL: remote process exited");
}

}  // namespace
}  // namespace masksc

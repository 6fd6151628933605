#include "masksc/dist/root_work.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <string>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

TEST(OnRootAlone, TheOthersGoOnWhenRankZeroIsDone) {
  std::atomic<int> done = 0;
  run_as_threads(3, [&](Collectives& ranks) {
    on_root_alone(ranks, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      ++done;
    });
    EXPECT_EQ(done, 1);
  });
}

TEST(OnRootAlone, AnErrorReachesAllRanks) {
  std::atomic<int> errors = 0;
  run_as_threads(3, [&](Collectives& ranks) {
    try {
      on_root_alone(ranks, [] { throw UserError("no such thing"); });
    } catch (const UserError& e) {
      if (std::string(e.what()).find("no such thing") != std::string::npos) ++errors;
    }
  });
  EXPECT_EQ(errors, 3);
}

TEST(RanksOnNode, AreAllOfOneProcess) {
  run_as_threads(3, [](Collectives& ranks) { EXPECT_EQ(ranks_on_node(ranks), 3); });
}

}  // namespace
}  // namespace masksc

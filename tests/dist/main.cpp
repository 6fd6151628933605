// Runs all tests on all ranks; fails everywhere when any rank fails. Only rank 0 prints what passes.
#include <gtest/gtest.h>

#include <cstdio>

#include "masksc/dist/runtime.hpp"
#include "world.hpp"

namespace masksc {
namespace {

Collectives* world = nullptr;

/// Prints failures with their rank, and nothing else.
class FailurePrinter final : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (result.failed())
      std::fprintf(stderr, "rank %d: %s:%d: %s\n", world->rank(),
                   result.file_name() != nullptr ? result.file_name() : "?", result.line_number(), result.message());
  }
};

}  // namespace

Collectives& test_world() { return *world; }

}  // namespace masksc

int main(int argc, char** argv) {
  masksc::Runtime runtime(argc, argv);
  masksc::world = &runtime.world();
  ::testing::InitGoogleTest(&argc, argv);
  if (!runtime.world().is_root()) {
    auto& listeners = ::testing::UnitTest::GetInstance()->listeners();
    delete listeners.Release(listeners.default_result_printer());
    listeners.Append(new masksc::FailurePrinter);
  }
  const std::int32_t failed = RUN_ALL_TESTS() != 0 ? 1 : 0;
  return runtime.world().all_reduce(failed, masksc::ReduceOp::max);
}

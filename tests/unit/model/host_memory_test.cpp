// The training allocator: blocks never overlap, and tensors of all sizes share the same pages.
#include "masksc/model/host_memory.hpp"

#include <c10/core/CPUAllocator.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <thread>
#include <vector>

#include "masksc/model/torch.hpp"

namespace masksc {
namespace {

constexpr std::int64_t mib = std::int64_t{1} << 20;

/// A tensor of `bytes`, every byte of which is written.
at::Tensor written(std::int64_t bytes, int value = 1) { return at::full({bytes}, value, at::kByte); }

/// Memory of this process that is in RAM, bytes.
std::int64_t resident() {
  std::int64_t all = 0;
  std::int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> all >> pages;
  return pages * ::sysconf(_SC_PAGESIZE);
}

struct HostMemory : testing::Test {
  static void SetUpTestSuite() { use_training_allocator(); }
  static void TearDownTestSuite() { c10::SetCPUAllocator(c10::GetDefaultCPUAllocator(), /*priority=*/100); }
};

TEST_F(HostMemory, BlocksOfAllSizesKeepTheirContents) {
  const auto come_and_go = [](unsigned seed) {
    std::mt19937 random(seed);
    std::vector<at::Tensor> live;
    for (int i = 0; i < 1500; ++i) {
      const std::int64_t bytes = std::int64_t{1} << std::uniform_int_distribution(4, 21)(random);
      live.push_back(written(bytes + std::uniform_int_distribution(0, 5000)(random), i % 251));
      if (live.size() < 40) continue;
      const std::size_t leaving = std::uniform_int_distribution<std::size_t>(0, live.size() - 1)(random);
      const at::Tensor& block = live[leaving];
      ASSERT_TRUE((block == block[0]).all().item<bool>()) << "step " << i;
      ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block.const_data_ptr()) % 64, 0);
      live.erase(live.begin() + static_cast<std::ptrdiff_t>(leaving));
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned seed = 0; seed < 3; ++seed) threads.emplace_back(come_and_go, seed);
}

TEST_F(HostMemory, LargeTensorsTakeThePagesOfSmallOnes) {
  std::vector<at::Tensor> small;
  for (int i = 0; i < 128; ++i) small.push_back(written(mib));
  const std::int64_t before = resident();
  small.clear();
  const at::Tensor large = written(120 * mib);
  EXPECT_LT(resident() - before, 16 * mib);
}

TEST_F(HostMemory, KeptPagesGoBackToTheSystemWhenAsked) {
  release_kept_memory();
  const std::int64_t before = resident();
  at::Tensor some = written(200 * mib);
  const at::Tensor stays = written(mib, 3);
  some.reset();
  EXPECT_GT(resident() - before, 190 * mib);  // kept for the next tensor
  release_kept_memory();
  EXPECT_LT(resident() - before, 20 * mib);
  EXPECT_TRUE((stays == 3).all().item<bool>());
  EXPECT_TRUE((written(200 * mib, 5) == 5).all().item<bool>());
}

TEST_F(HostMemory, OneTensorMayBeLargerThanAMapping) {
  const at::Tensor huge = at::empty({3 * 1024 * mib}, at::kByte);  // written at its ends only
  huge[0] = 1;
  huge[-1] = 2;
  EXPECT_EQ(huge[0].item<int>() + huge[-1].item<int>(), 3);
}

}  // namespace
}  // namespace masksc

// The libraries' functions: found, or clearly missed.
#include "masksc/dist/nccl_api.hpp"

#include <gmock/gmock.h>

#include <filesystem>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

std::string error_of(const NcclLibraries& libraries) {
  try {
    load_nccl_api(libraries);
  } catch (const EnvironmentError& e) {
    return e.what();
  }
  return "";
}

TEST(NcclApi, NamesWhatIsMissing) {
  EXPECT_THAT(error_of({.nccl = {"libno_nccl.so.2"}, .cuda_runtime = {}}),
              ::testing::AllOf(::testing::HasSubstr("NCCL cannot be loaded (tried libno_nccl.so.2)"),
                               ::testing::HasSubstr("--collectives mpi")));
  EXPECT_THAT(error_of({.nccl = {"libm.so.6"}, .cuda_runtime = {}}),
              ::testing::HasSubstr("libm.so.6 has no function ncclGetVersion"));
}

TEST(NcclApi, LoadsTheLibrariesBesideLibTorch) {
  const std::filesystem::path folder = MASKSC_TEST_NVIDIA;
  const NcclLibraries libraries = {.nccl = {folder / "nccl/lib/libnccl.so.2"},
                                   .cuda_runtime = {folder / "cu13/lib/libcudart.so.13"}};
  if (!std::filesystem::exists(libraries.nccl[0])) GTEST_SKIP() << "this LibTorch has no NCCL beside it";
  const NcclApi api = load_nccl_api(libraries);
  int version = 0;
  EXPECT_EQ(api.get_version(&version), nccl::success);
  EXPECT_GE(version, 22000);
  EXPECT_STREQ(api.get_error_string(nccl::success), "no error");
  EXPECT_THAT(api.cuda_get_error_string(cuda::not_ready), ::testing::HasSubstr("not ready"));
  EXPECT_THAT(error_of({.nccl = libraries.nccl, .cuda_runtime = {"libno_cudart.so"}}),
              ::testing::HasSubstr("the CUDA runtime cannot be loaded"));
  EXPECT_NO_THROW(
      load_nccl_api({.nccl = {"libnccl.so.2"}, .cuda_runtime = {"libcudart.so.13"}}));  // by name, once loaded
}

}  // namespace
}  // namespace masksc

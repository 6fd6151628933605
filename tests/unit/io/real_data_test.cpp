// The real data files beside the checkout are read to their known shapes and totals, in little memory.
#include <fstream>

#include "counts_files.hpp"
#include "masksc/io/prepared.hpp"

namespace masksc {
namespace {

struct RealFile {
  const char* name;
  std::int64_t cells;
  std::int64_t genes;
  std::int64_t nonzeros;
  double total;
  std::int64_t unused_genes;
  std::vector<std::int64_t> label_counts;
};

std::vector<std::int64_t> count_labels(const Labels& labels) {
  std::vector<std::int64_t> counts(labels.names.size());
  for (const std::int32_t code : labels.codes) ++counts.at(static_cast<std::size_t>(code));
  return counts;
}

/// Peak resident memory of this process, KiB.
[[maybe_unused]] std::int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  std::string word;
  while (status >> word)
    if (word == "VmHWM:") {
      std::int64_t kib = 0;
      status >> kib;
      return kib;
    }
  return 0;
}

class RealData : public ::testing::TestWithParam<RealFile> {};

TEST_P(RealData, IsPreparedWhole) {
  const RealFile& expected = GetParam();
  const std::filesystem::path path = std::filesystem::path(MASKSC_TEST_DATA) / expected.name;
  ASSERT_TRUE(std::filesystem::exists(path)) << path << " is absent: the data folder belongs beside the checkout";
  const TemporaryFolder folder;
  const auto reader = open_counts(path, {"", "Y"});
  EXPECT_EQ(reader->cells(), expected.cells);
  EXPECT_EQ(count_labels(reader->labels()), expected.label_counts);
  EXPECT_EQ(reader->labels().names.front(), "1");

  const PreparationReport report = write_prepared(*reader, folder / "prepared.h5");
  EXPECT_EQ(report.cells, expected.cells);
  EXPECT_EQ(report.genes, expected.genes);
  EXPECT_EQ(report.nonzeros, expected.nonzeros);
  EXPECT_EQ(report.genes_without_counts, expected.unused_genes);

  const auto self = single_rank();
  const PreparedFile file(folder / "prepared.h5", *self);
  double total = 0;
  for (const float count : file.read_rows({0, file.cells()}).values) total += static_cast<double>(count);
  EXPECT_EQ(total, expected.total);
#ifndef MASKSC_SANITIZED
  EXPECT_LT(peak_memory(), 400 << 10) << "KiB; worm alone is 431 MiB when inflated";
#endif
}

INSTANTIATE_TEST_SUITE_P(
    Files, RealData,
    ::testing::Values(
        RealFile{"10X_PBMC_top2000.h5", 4271, 2000, 870065, 4547560, 0, {1292, 702, 606, 459, 450, 332, 295, 135}},
        RealFile{
            "worm_neuron_cell.h5", 4186, 13488, 780212, 1376141, 0, {842, 334, 1015, 443, 400, 314, 305, 224, 239, 70}},
        RealFile{"mouse_bladder_cell.h5",
                 2100,
                 20670,
                 2214875,
                 4528297,
                 1591,
                 {550, 299, 268, 229, 184, 158, 102, 60, 53, 45, 30, 33, 33, 27, 21, 8}}),
    [](const auto& given) { return std::string(given.param.name, 4); });

}  // namespace
}  // namespace masksc

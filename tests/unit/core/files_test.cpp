#include "masksc/core/files.hpp"

#include <gtest/gtest.h>

#include <fstream>

#include "masksc/core/error.hpp"
#include "masksc/core/exact_sum.hpp"
#include "masksc/core/run_log.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

TEST(WriteFile, ReplacesWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const auto path = folder / "a.txt";
  write_file(path, "one");
  write_file(path, "two");
  EXPECT_EQ(read_file(path), "two");
  EXPECT_FALSE(std::filesystem::exists(staging_path(path)));
  EXPECT_THROW(write_file(folder / "missing" / "a.txt", "x"), EnvironmentError);
  EXPECT_THROW(read_file(folder / "none.txt"), UserError);
}

TEST(ReadFile, LeavesOutAByteOrderMark) {
  const TemporaryFolder folder;
  write_file(folder / "marked.txt", "\xEF\xBB\xBFGene7\n");
  EXPECT_EQ(read_file(folder / "marked.txt"), "Gene7\n");
}

TEST(RunLog, RepairsATornLastLine) {
  const TemporaryFolder folder;
  const auto path = folder / "log.jsonl";
  std::ofstream(path) << "{\"step\":1}\n{\"step\":2,\"lo";
  { RunLog(path).write({{"step", 2}}); }
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n");
  std::ofstream(path, std::ios::trunc) << std::string(200000, 'x');  // torn, without any whole line
  { RunLog(path).write({{"step", 1}}); }
  EXPECT_EQ(read_file(path), "{\"step\":1}\n");
}

TEST(ExactSums, DoNotDependOnTheOrder) {
  std::vector<double> terms;
  for (int i = 0; i < 1000; ++i) terms.push_back(std::sin(i) * std::pow(10.0, i % 9 - 4));
  ExactSums forward(1);
  ExactSums backward(1);
  for (std::size_t i = 0; i < terms.size(); ++i) {
    forward.add(0, terms[i]);
    backward.add(0, terms[terms.size() - 1 - i]);
  }
  EXPECT_EQ(forward.value(0), backward.value(0));
  long double sum = 0;
  for (const double term : terms) sum += term;
  EXPECT_NEAR(forward.value(0), static_cast<double>(sum), 1e-9);
  EXPECT_THROW(forward.add(0, std::nan("")), InvariantError);
  EXPECT_THROW(forward.add(0, 1e300), InvariantError);
}

}  // namespace
}  // namespace masksc

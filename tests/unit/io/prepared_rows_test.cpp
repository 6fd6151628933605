// Rows read by pread are those that HDF5 reads, and damage is found as there.
#include "masksc/io/prepared_rows.hpp"

#include <random>
#include <thread>

#include "counts_files.hpp"
#include "masksc/io/prepared.hpp"

namespace masksc {
namespace {

using ::testing::HasSubstr;

class PreparedRowsTest : public ::testing::Test {
 protected:
  /// More entries than a chunk of indices and values holds, in two of them.
  PreparedRowsTest() {
    Counts counts{900, 1300, {}};
    std::mt19937 random(7);
    for (std::int64_t i = 0; i < counts.cells * counts.genes; ++i)
      counts.values.push_back(random() % 20 == 0 ? 0.0 : static_cast<double>(1 + random() % 300));
    write_xy(folder_ / "source.h5", counts, {});
    write_prepared(*open_counts(folder_ / "source.h5", {}), path());
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "prepared.h5"; }
  TemporaryFolder folder_;
};

TEST_F(PreparedRowsTest, AreThoseOfTheFile) {
  const auto self = single_rank();
  const PreparedFile file(path(), *self);
  const PreparedRows rows(path());
  ASSERT_GT(file.nonzeros(), 1 << 20) << "two chunks";
  EXPECT_EQ(rows.cells(), file.cells());
  EXPECT_EQ(rows.genes(), file.genes());
  EXPECT_EQ(rows.nonzeros(), file.nonzeros());
  for (const RowRange range : {RowRange{0, 900}, RowRange{0, 0}, RowRange{900, 900}, RowRange{13, 14},
                               RowRange{700, 890}, RowRange{840, 860}}) {
    const CsrMatrix got = rows.read(range);
    const CsrMatrix want = file.read_rows(range);
    EXPECT_EQ(got.rows, range.size());
    EXPECT_EQ(got.row_start, want.row_start);
    EXPECT_EQ(got.indices, want.indices);
    EXPECT_EQ(got.values, want.values);
  }
}

TEST_F(PreparedRowsTest, ManyThreadsRead) {
  const PreparedRows rows(path());
  const CsrMatrix whole = rows.read({0, 900});
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 4; ++thread)
    threads.emplace_back([&, thread] {
      for (std::int64_t row = thread; row < 900; row += 7) {
        const CsrMatrix one = rows.read({row, row + 1});
        EXPECT_TRUE(std::ranges::equal(one.values, whole.row_values(row)));
      }
    });
}

TEST_F(PreparedRowsTest, DamageIsAUserError) {
  const PreparedRows rows(path());
  std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 2);
  EXPECT_THAT(user_error([&] { static_cast<void>(rows.read({0, 900})); }), HasSubstr("became shorter"));
  EXPECT_THAT(user_error([&] { PreparedRows(folder_ / "none.h5"); }), HasSubstr("none.h5"));
}

}  // namespace
}  // namespace masksc

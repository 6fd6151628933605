// The prepared file over MPI: each rank reads its own rows, and HDF5 says that the transfers were collective.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "masksc/io/array_file.hpp"
#include "masksc/io/prepared.hpp"
#include "world.hpp"

namespace masksc {
namespace {

using ::testing::HasSubstr;

double count_at(std::int64_t cell, std::int64_t gene) {
  const std::int64_t mixed = (cell * 7919 + gene * 104729 + cell * gene) % 17;
  return mixed < 4 || gene == 0 ? static_cast<double>(mixed + 1) : 0.0;
}

/// A folder that all ranks see, gone afterwards.
class PreparedOverMpi : public ::testing::Test {
 protected:
  PreparedOverMpi() {
    const auto id = test_world().is_root() ? static_cast<std::int64_t>(::getpid()) : std::int64_t{0};
    folder_ = std::filesystem::temp_directory_path() / ("masksc-mpi-" + std::to_string(test_world().all_reduce(id)));
    on_root(test_world(), [&] { std::filesystem::create_directories(folder_); });
  }
  ~PreparedOverMpi() override {
    test_world().barrier();
    std::error_code ignored;
    if (test_world().is_root()) std::filesystem::remove_all(folder_, ignored);
  }

  void prepare(std::int64_t cells, std::int64_t genes) {
    on_root(test_world(), [&] {
      std::vector<double> values;
      for (std::int64_t cell = 0; cell < cells; ++cell)
        for (std::int64_t gene = 0; gene < genes; ++gene) values.push_back(count_at(cell, gene));
      std::vector<std::int32_t> labels;
      for (std::int64_t cell = 0; cell < cells; ++cell) labels.push_back(static_cast<std::int32_t>(cell % 3 + 1));
      ArrayFile file = ArrayFile::create(folder_ / "source.h5");
      file.write("X", std::span<const double>(values), {cells, genes});
      file.write("Y", std::span<const std::int32_t>(labels), {cells});
      file.close();
      write_prepared(*open_counts(folder_ / "source.h5", {"", "Y"}), path());
    });
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "prepared.h5"; }

  std::filesystem::path folder_;
};

void expect_rows(const CsrMatrix& rows, std::int64_t first) {
  for (std::int64_t row = 0; row < rows.rows; ++row) {
    std::vector<double> dense(static_cast<std::size_t>(rows.columns));
    for (std::size_t i = 0; i < rows.row_size(row); ++i)
      dense[static_cast<std::size_t>(rows.row_indices(row)[i])] = static_cast<double>(rows.row_values(row)[i]);
    for (std::int64_t gene = 0; gene < rows.columns; ++gene)
      ASSERT_EQ(dense[static_cast<std::size_t>(gene)], count_at(first + row, gene)) << first + row << ", " << gene;
  }
}

TEST_F(PreparedOverMpi, ReadsItsOwnRowsCollectively) {
  prepare(101, 40);
  const PreparedFile file(path(), test_world());
  ASSERT_EQ(file.cells(), 101);
  ASSERT_EQ(file.genes(), 40);
  const RowRange mine = rows_of_rank(file.cells(), test_world().rank(), test_world().size());
  expect_rows(file.read_rows(mine), mine.begin);
  EXPECT_TRUE(file.reads_were_collective());
  EXPECT_EQ(file.cell_names(mine).front(), std::to_string(mine.begin));
  EXPECT_EQ(file.labels().codes[100], 100 % 3);
  EXPECT_EQ(file.original_rows().back(), 100);
  EXPECT_EQ(file.gene_names().back(), "39");
  EXPECT_TRUE(file.reads_were_collective()) << "names, labels and rows too";
}

TEST_F(PreparedOverMpi, RanksWithoutRowsTakePart) {
  prepare(2, 5);
  const PreparedFile file(path(), test_world());
  const RowRange mine = rows_of_rank(file.cells(), test_world().rank(), test_world().size());
  const CsrMatrix rows = file.read_rows(mine);
  EXPECT_EQ(rows.rows, mine.size());
  expect_rows(rows, mine.begin);
  const bool last = test_world().rank() == test_world().size() - 1;
  expect_rows(file.read_rows(last ? RowRange{0, 2} : RowRange{0, 0}), 0);
  EXPECT_TRUE(file.reads_were_collective());
}

TEST_F(PreparedOverMpi, BadFilesAreRefusedByAllRanks) {
  const auto message = [&](const std::filesystem::path& file) -> std::string {
    try {
      const PreparedFile opened(file, test_world());
    } catch (const UserError& error) {
      return error.what();
    }
    return "";
  };
  prepare(20, 10);
  EXPECT_THAT(message(folder_ / "absent.h5"), HasSubstr("No such file"));
  EXPECT_THAT(message(folder_), HasSubstr("is a folder"));
  EXPECT_THAT(message(folder_ / "source.h5"), HasSubstr("not a prepared file"));
  on_root(test_world(), [&] { std::filesystem::resize_file(path(), std::filesystem::file_size(path()) / 2); });
  EXPECT_NE(message(path()), "");
}

/// What is wrong with the rows of one rank is thrown by all of them.
TEST_F(PreparedOverMpi, DamageInOneRanksRowsIsMetByAll) {
  prepare(40, 10);
  on_root(test_world(), [&] {
    const auto indices = ArrayFile::open(path()).read<std::uint16_t>("indices");
    std::ifstream in(path(), std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const std::string stored(reinterpret_cast<const char*>(indices.data()), indices.size() * 2);
    const std::size_t at = bytes.find(stored);
    if (at == std::string::npos) throw InvariantError("indices not found");
    bytes[at + stored.size() - 1] = 77;
    std::ofstream(path(), std::ios::binary) << bytes;
  });
  const PreparedFile file(path(), test_world());
  const RowRange mine = rows_of_rank(file.cells(), test_world().rank(), test_world().size());
  EXPECT_THROW(static_cast<void>(file.read_rows(mine)), UserError);
}

}  // namespace
}  // namespace masksc

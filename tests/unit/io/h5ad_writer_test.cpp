// What is written as h5ad is read back; an unfinished file leaves nothing behind, nor does a full disk.
#include "masksc/io/h5ad_writer.hpp"

#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "counts_files.hpp"
#include "masksc/io/prepared.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> files_in(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

CsrMatrix rows_of(const Counts& counts, std::int64_t begin, std::int64_t end) {
  CsrMatrix rows;
  rows.rows = end - begin;
  rows.columns = counts.genes;
  for (std::int64_t row = begin; row < end; ++row) {
    for (std::int64_t gene = 0; gene < counts.genes; ++gene) {
      const double value = counts.values[static_cast<std::size_t>(row * counts.genes + gene)];
      if (value == 0) continue;
      rows.indices.push_back(static_cast<std::int32_t>(gene));
      rows.values.push_back(static_cast<float>(value));
    }
    rows.row_start.push_back(static_cast<std::int64_t>(rows.indices.size()));
  }
  return rows;
}

const std::vector<std::string> cell_names = {"a", "b", "c", "d", "e"};
const std::vector<std::string> gene_names = {"g0", "g1", "g2", "g3", "g4", "g4"};

TEST(H5adWriter, IsReadBack) {
  const TemporaryFolder folder;
  const Counts counts;
  {
    H5adWriter writer(folder / "r.h5ad", cell_names, gene_names);
    writer.add_obs("masksc", Labels{{0, 1, -1, 1, 0}, {"0", "1"}});
    writer.add_obs("stage", Labels{{0, 1, 1, 1, 0}, {"late", "early"}, true});
    writer.add_obs("total", std::vector<double>{1, 2, 3, 4, 5});
    writer.add_obs("far", std::vector<std::uint8_t>{1, 0, 0, 0, 1});
    writer.add_var("used", std::vector<std::uint8_t>{1, 0, 1, 0, 0, 1});
    writer.add_var("gene_ids", std::vector<std::string>{"E0", "E1", "", "E3", "E4", "E5"});
    writer.add_obsm("X_masksc", 2);
    for (const RowRange block : {RowRange{0, 2}, {2, 2}, {2, 5}}) {
      writer.append_X(rows_of(counts, block.begin, block.end));
      DenseMatrix features(block.size(), 2);
      for (std::int64_t i = 0; i < block.size(); ++i) features.row(i)[1] = static_cast<float>(block.begin + i);
      writer.append_obsm("X_masksc", features);
    }
    writer.set_uns("masksc", Json{{"seed", 3},
                                  {"metrics", {{"ari", 0.5}, {"silhouette", nullptr}}},
                                  {"files", {"a/b", "c"}},
                                  {"a/b", true},
                                  {"mixed", {1, "x"}}});
    EXPECT_THAT(files_in(folder.path()), ElementsAre(".r.h5ad.partial"));
    writer.finish();
  }
  EXPECT_THAT(files_in(folder.path()), ElementsAre("r.h5ad"));
  const auto reader = open_counts(folder / "r.h5ad", {"", "masksc"});
  EXPECT_EQ(dense(reader->read_rows({0, 5})), counts.values);
  EXPECT_EQ(reader->cell_names(), cell_names);
  EXPECT_EQ(reader->gene_names(), gene_names);
  EXPECT_THAT(reader->labels().codes, ElementsAre(0, 1, -1, 1, 0));

  const ArrayFile file = ArrayFile::open(folder / "r.h5ad");
  EXPECT_EQ(file.text_attribute("/", "encoding-type"), "anndata");
  EXPECT_THAT(file.texts_attribute("obs", "column-order"), ElementsAre("masksc", "stage", "total", "far"));
  EXPECT_TRUE(file.flag_attribute("obs/stage", "ordered"));
  EXPECT_FALSE(file.flag_attribute("obs/masksc", "ordered"));
  EXPECT_FALSE(file.flag_attribute("obs/masksc", "encoding-type")) << "a text";
  EXPECT_EQ(file.info("obs/far").kind, ArrayInfo::Kind::boolean);
  EXPECT_THAT(file.read_text("var/gene_ids"), ElementsAre("E0", "E1", "", "E3", "E4", "E5"));
  EXPECT_THAT(reader->gene_ids(), ElementsAre("E0", "E1", "", "E3", "E4", "E5"));
  EXPECT_EQ(file.info("X/indptr").type, file.info("X/indices").type) << "scipy wants them alike";
  EXPECT_THAT(file.info("obsm/X_masksc").shape, ElementsAre(5, 2));
  EXPECT_EQ(file.read<float>("obsm/X_masksc")[9], 4);
  EXPECT_EQ(file.read<std::int64_t>("uns/masksc/seed")[0], 3);
  EXPECT_EQ(file.read<double>("uns/masksc/metrics/ari")[0], 0.5);
  EXPECT_FALSE(file.exists("uns/masksc/metrics/silhouette"));
  EXPECT_THAT(file.read_text("uns/masksc/files"), ElementsAre("a/b", "c"));
  EXPECT_THAT(file.read_text("uns/masksc/mixed"), ElementsAre(R"([1,"x"])"));
  EXPECT_EQ(file.info("uns/masksc/a_b").kind, ArrayInfo::Kind::boolean);
}

/// As many as 50000 x 50000 counts need offsets beyond 32 bits.
TEST(H5adWriter, OffsetsAreWideWhereTheyMightNeedIt) {
  const TemporaryFolder folder;
  constexpr std::int64_t size = 50000;
  H5adWriter writer(folder / "r.h5ad", std::vector<std::string>(size, "c"), std::vector<std::string>(size, "g"));
  CsrMatrix rows;
  rows.rows = rows.columns = size;
  rows.row_start.assign(size, 0);
  rows.row_start.push_back(1);
  rows.indices = {size - 1};
  rows.values = {3};
  writer.append_X(rows);
  writer.finish();
  const ArrayFile file = ArrayFile::open(folder / "r.h5ad");
  EXPECT_EQ(file.info("X/indptr").type, NumericType::i64);
  EXPECT_EQ(file.info("X/indices").type, NumericType::i64);
  EXPECT_THAT(open_counts(folder / "r.h5ad", {})->read_rows({size - 1, size}).indices, ElementsAre(size - 1));
}

TEST(H5adWriter, UnfinishedLeavesNothingAndKeepsTheOldFile) {
  const TemporaryFolder folder;
  std::ofstream(folder / "r.h5ad") << "old";
  {
    H5adWriter writer(folder / "r.h5ad", cell_names, gene_names);
    writer.append_X(rows_of(Counts{}, 0, 2));
    EXPECT_THROW(writer.finish(), InvariantError) << "two of five rows";
  }
  EXPECT_THAT(files_in(folder.path()), ElementsAre("r.h5ad"));
  EXPECT_EQ(std::filesystem::file_size(folder / "r.h5ad"), 3U);
}

TEST(H5adWriter, NeedsAFolderToWriteTo) {
  const TemporaryFolder folder;
  try {
    const H5adWriter writer(folder / "absent/r.h5ad", cell_names, gene_names);
    FAIL();
  } catch (const EnvironmentError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("absent"), HasSubstr("No such file")));
  }
}

/// In a process of its own: files may not grow beyond `limit` bytes, as on a full disk. Exits with what `work` met.
template <typename Work>
void with_little_space(rlim_t limit, const Work& work) {
  std::signal(SIGXFSZ, SIG_IGN);
  const rlimit space{limit, limit};
  ::setrlimit(RLIMIT_FSIZE, &space);
  int code = 0;
  try {
    work();
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    code = static_cast<int>(error.code());
  }
  std::exit(code);  // HDF5's own clean-up at exit is part of the test
}

Counts many_counts() {
  Counts counts{3000, 100, std::vector<double>(300000, 1.0)};
  for (std::size_t i = 0; i < counts.values.size(); ++i) counts.values[i] = static_cast<double>(i % 90);
  return counts;
}

TEST(FullDiskDeathTest, H5adIsAnEnvironmentErrorAndLeavesNothing) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const TemporaryFolder folder;
  const Counts counts = many_counts();
  for (const rlim_t limit : {rlim_t{1000}, rlim_t{4000}, rlim_t{60000}, rlim_t{700000}, rlim_t{2300000}}) {
    const auto work = [&] {
      std::vector<std::string> names(3000, "cell");
      H5adWriter writer(folder / "r.h5ad", names, std::vector<std::string>(100, "gene"));
      writer.add_obs("total", std::vector<double>(3000, 2.0));
      for (std::int64_t row = 0; row < 3000; row += 500) writer.append_X(rows_of(counts, row, row + 500));
      writer.finish();
    };
    EXPECT_EXIT(with_little_space(limit, work), ::testing::ExitedWithCode(3), "File too large.*free space") << limit;
    EXPECT_THAT(files_in(folder.path()), IsEmpty()) << limit;
  }
}

TEST(FullDiskDeathTest, PreparedFileIsAnEnvironmentErrorAndLeavesNothing) {
  ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
  const TemporaryFolder source;
  const TemporaryFolder folder;
  write_xy(source / "x.h5", many_counts(), {});
  for (const rlim_t limit : {rlim_t{1000}, rlim_t{60000}, rlim_t{2300000}}) {
    const auto work = [&] { write_prepared(*open_counts(source / "x.h5", {}), folder / "p.h5", 1 << 16); };
    EXPECT_EXIT(with_little_space(limit, work), ::testing::ExitedWithCode(3), "File too large.*free space") << limit;
    EXPECT_THAT(files_in(folder.path()), IsEmpty()) << limit;
  }
}

}  // namespace
}  // namespace masksc

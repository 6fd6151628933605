// Every layout of counts is read to the same matrix; names and labels come along.
#include "masksc/io/counts_reader.hpp"

#include <fstream>

#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::ElementsAre;

class CountsReaderTest : public ::testing::Test {
 protected:
  void write(const std::function<void(ArrayFile&)>& fill) { write_h5ad(path(), counts_, fill); }
  void write_matrix(ArrayFile& file) { file.write("X", view(counts_.values), {counts_.cells, counts_.genes}); }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "counts.h5"; }
  [[nodiscard]] Labels labels(const std::string& column) const { return open_counts(path(), {"", column})->labels(); }

  TemporaryFolder folder_;
  Counts counts_;
};

TEST_F(CountsReaderTest, ReadsXYWithNumericLabels) {
  write_xy(path(), counts_, {10, 9, 9, 2, 10});
  const auto reader = open_counts(path(), {"", "Y"});
  EXPECT_EQ(dense(reader->read_rows({0, 5})), counts_.values);
  EXPECT_EQ(dense(reader->read_rows({3, 4})), std::vector<double>({5, 0, 0, 6, 0, 0}));
  EXPECT_THAT(reader->cell_names(), ElementsAre("0", "1", "2", "3", "4"));
  EXPECT_EQ(reader->gene_names().back(), "5");
  EXPECT_THAT(reader->labels().names, ElementsAre("2", "9", "10"));
  EXPECT_THAT(reader->labels().codes, ElementsAre(2, 1, 1, 0, 2));
  EXPECT_EQ(reader->label_column(), "Y");
  EXPECT_TRUE(open_counts(path(), {})->labels().empty());
}

TEST_F(CountsReaderTest, ReadsDenseOfEveryNumericType) {
  for (int type = 0; type < 10; ++type) {
    with_numeric_type(static_cast<NumericType>(type), [&]<typename T>(T) {
      const std::vector<T> values(counts_.values.begin(), counts_.values.end());
      ArrayFile file = ArrayFile::create(path());
      file.write("X", view(values), {counts_.cells, counts_.genes});
      file.close();
    });
    EXPECT_EQ(read_all(path()), counts_.values) << type;
  }
}

TEST_F(CountsReaderTest, ReadsWideRowsWithRunsOfZeros) {
  counts_.cells = 3;
  counts_.genes = 1003;
  counts_.values.assign(3009, 0);
  for (const std::size_t at : {0U, 15U, 16U, 500U, 1002U, 1003U, 2000U, 3008U})
    counts_.values[at] = 1.0 + static_cast<double>(at);
  write_xy(path(), counts_, {});
  EXPECT_EQ(read_all(path()), counts_.values);
}

TEST_F(CountsReaderTest, ReadsCsrCscDenseLayersAndRaw) {
  Counts raw = counts_;
  raw.values[0] = 9;
  Counts layer = counts_;
  layer.values[1] = 11;
  write([&](ArrayFile& file) {
    write_sparse(file, "X", compress(counts_, false), "csr_matrix", 5, 6);
    write_sparse(file, "layers/counts", compress(layer, true), "csc_matrix", 5, 6);
    file.write("raw/X", view(raw.values), {5, 6});
    write_frame(file, "raw/var", "rawgene", 6);
    file.write_flags("var/highly_variable", std::vector<std::uint8_t>{0, 1, 0, 0, 1, 0}, {6});
  });
  EXPECT_EQ(read_all(path()), counts_.values);
  EXPECT_EQ(read_all(path(), {"counts", ""}), layer.values);
  EXPECT_EQ(read_all(path(), {"raw", ""}), raw.values);
  const auto reader = open_counts(path(), {"counts", ""});
  EXPECT_EQ(dense(reader->read_rows({4, 5})), std::vector<double>({0, 0, 7, 0, 0, 80}));
  EXPECT_EQ(dense(reader->read_rows({0, 2})), std::vector<double>({1, 11, 2, 0, 0, 3, 0, 4, 0, 0, 0, 0}));
  EXPECT_EQ(reader->cell_names()[4], "cell4");
  EXPECT_EQ(open_counts(path(), {"raw", ""})->gene_names()[0], "rawgene0");
  EXPECT_THAT(open_counts(path(), {})->highly_variable(), ElementsAre(0, 1, 0, 0, 1, 0));
}

TEST_F(CountsReaderTest, SortsRowsSumsDuplicatesAndDropsStoredZeros) {
  const Sparse messy{{3, 1, 2, 4, 0}, {5, 0, 2, 2, 1}, {0, 3, 4, 4, 5, 5}};
  write([&](ArrayFile& file) { write_sparse(file, "X", messy, "csr_matrix", 5, 6); });
  const CsrMatrix block = open_counts(path(), {})->read_rows({0, 5});
  EXPECT_THAT(block.indices, ElementsAre(0, 2, 5, 2));
  EXPECT_THAT(block.values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(block.row_start, ElementsAre(0, 3, 4, 4, 4, 4));

  const Sparse twice{{3, 1, 2, 4}, {5, 5, 5, 0}, {0, 3, 4, 4, 4, 4}};
  write([&](ArrayFile& file) { write_sparse(file, "X", twice, "csr_matrix", 5, 6); });
  EXPECT_THAT(open_counts(path(), {})->read_rows({0, 1}).values, ElementsAre(6));
  const Sparse columns{{3, 1, 2, 4}, {4, 4, 0, 4}, {0, 2, 4, 4, 4, 4, 4}};
  write([&](ArrayFile& file) { write_sparse(file, "X", columns, "csc_matrix", 5, 6); });
  const CsrMatrix last = open_counts(path(), {})->read_rows({4, 5});
  EXPECT_THAT(last.indices, ElementsAre(0, 1));
  EXPECT_THAT(last.values, ElementsAre(4, 4));
}

TEST_F(CountsReaderTest, RepeatedEntriesAddUpAlikeInEveryOrderOfStorage) {
  const auto sum = [&](const char* encoding, std::vector<float> data) {
    const bool by_row = encoding == std::string("csr_matrix");
    std::vector<std::int64_t> starts(by_row ? 6 : 7, std::ssize(data));
    starts[0] = 0;
    const Sparse repeated{data, std::vector<std::int32_t>(data.size(), 0), starts};
    write([&](ArrayFile& file) { write_sparse(file, "X", repeated, encoding, 5, 6); });
    return open_counts(path(), {})->read_rows({0, 1}).values;
  };
  for (const char* encoding : {"csr_matrix", "csc_matrix"}) {
    EXPECT_THAT(sum(encoding, {16777216, 1, 1}), ElementsAre(16777218)) << encoding;
    EXPECT_THAT(user_error([&] {
                  sum(encoding, {3e38F, 3e38F});
                }),
                testing::AllOf(testing::HasSubstr("count 6.0000000109955115e+38 of cell 0 ('cell0'), gene 0 ('gene0')"),
                               testing::HasSubstr("(X, its entries added up) is infinite or beyond float32")));
  }
}

TEST_F(CountsReaderTest, BlocksTakenAsTheyLieAreCheckedAllTheSame) {
  Sparse good{{3, 16777218, 2, 3e38F, 1}, {0, 1, 5, 2, 5}, {0, 3, 3, 3, 5, 5}};
  const auto read = [&](const Sparse& sparse, RowRange rows) {
    write([&](ArrayFile& file) { write_sparse(file, "X", sparse, "csr_matrix", 5, 6); });
    return open_counts(path(), {})->read_rows(rows);
  };
  const CsrMatrix later = read(good, {2, 5});
  EXPECT_THAT(later.indices, ElementsAre(2, 5));
  EXPECT_THAT(later.values, ElementsAre(3e38F, 1));
  EXPECT_THAT(later.row_start, ElementsAre(0, 0, 2, 2));
  EXPECT_THAT(read(good, {0, 5}).values, testing::ElementsAreArray(good.data));
  for (const float bad : {0.5F, 8388607.5F, -1.0F, NAN, INFINITY}) {
    good.data[3] = bad;
    EXPECT_THROW(read(good, {0, 5}), UserError) << bad;
  }
  good.data[3] = 1;
  for (const std::int32_t bad : {-1, 6}) {
    good.indices[3] = bad;
    EXPECT_THROW(read(good, {0, 5}), UserError) << bad;
  }
}

TEST_F(CountsReaderTest, ReadsLabelsOfEveryEncoding) {
  const std::vector<std::string> categories = {"z", "a", "unused"};
  const std::vector<std::string> texts = {"b", "", "a", "b", "c"};
  const std::vector<std::string> thresholds = {"low", "high"};
  const std::vector<std::int8_t> codes = {1, 0, -1, 0, 1};
  const std::vector<std::int64_t> integers = {12, 3, 3, 12, 100};
  const std::vector<double> floats = {0.5, 2, std::nan(""), 2, -1};
  const std::vector<std::uint8_t> mask = {0, 1, 0, 0, 0};
  write([&](ArrayFile& file) {
    write_matrix(file);
    file.write("obs/categorical/codes", view(codes), {5});
    file.write_text("obs/categorical/categories", categories);
    file.write_text("obs/text", texts);
    file.write("obs/integer", view(integers), {5});
    file.write("obs/float", view(floats), {5});
    file.write_flags("obs/flag", mask, {5});
    file.write("obs/nullable/values", view(integers), {5});
    file.write_flags("obs/nullable/mask", mask, {5});
    file.write("obs/legacy", view(codes), {5});
    file.write_text("obs/__categories/legacy", thresholds);
  });
  EXPECT_THAT(labels("categorical").names, ElementsAre("z", "a", "unused"));
  EXPECT_THAT(labels("categorical").codes, ElementsAre(1, 0, -1, 0, 1));
  EXPECT_THAT(labels("text").names, ElementsAre("a", "b", "c"));
  EXPECT_THAT(labels("text").codes, ElementsAre(1, -1, 0, 1, 2));
  EXPECT_THAT(labels("integer").names, ElementsAre("3", "12", "100"));
  EXPECT_THAT(labels("float").names, ElementsAre("-1", "0.5", "2"));
  EXPECT_THAT(labels("float").codes, ElementsAre(1, 2, -1, 2, 0));
  EXPECT_THAT(labels("flag").names, ElementsAre("False", "True"));
  EXPECT_THAT(labels("nullable").codes, ElementsAre(1, -1, 0, 1, 2));
  EXPECT_THAT(labels("legacy").names, ElementsAre("low", "high"));
  EXPECT_THAT(labels("legacy").codes, ElementsAre(1, 0, -1, 0, 1));
}

TEST_F(CountsReaderTest, LargeIntegersStayApart) {
  constexpr std::int64_t large = (std::int64_t{1} << 60) + 9;
  const std::vector<std::int64_t> integers = {large + 1, large, -large, 10, large + 1};
  const std::vector<std::uint64_t> naturals = {UINT64_MAX, 3, UINT64_MAX - 1, 3, 20};
  write([&](ArrayFile& file) {
    write_matrix(file);
    file.write("obs/integer", view(integers), {5});
    file.write("obs/natural", view(naturals), {5});
    file.write("obs/nullable/values", view(integers), {5});
    file.write_flags("obs/nullable/mask", std::vector<std::uint8_t>{0, 0, 0, 1, 0}, {5});
  });
  EXPECT_THAT(labels("integer").names,
              ElementsAre("-1152921504606846985", "10", "1152921504606846985", "1152921504606846986"));
  EXPECT_THAT(labels("integer").codes, ElementsAre(3, 2, 0, 1, 3));
  EXPECT_THAT(labels("natural").names, ElementsAre("3", "20", "18446744073709551614", "18446744073709551615"));
  EXPECT_THAT(labels("nullable").codes, ElementsAre(2, 1, 0, -1, 2));
}

/// Flags are FALSE and TRUE; other names stand for integers, as for h5py.
TEST_F(CountsReaderTest, EnumerationsThatAreNoFlags) {
  write([&](ArrayFile& file) {
    write_matrix(file);
    file.write_flags("obs/fruit", std::vector<std::uint8_t>{0, 1, 1, 0, 1}, {5});
  });
  EXPECT_THAT(labels("fruit").names, ElementsAre("False", "True"));
  std::string bytes;
  {
    std::ifstream in(path(), std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  for (const auto& [name, other] : {std::pair<std::string, std::string>{"FALSE", "APPLE"}, {"TRUE", "PEAR"}}) {
    const std::size_t at = bytes.find(name);
    ASSERT_NE(at, std::string::npos);
    bytes.replace(at, name.size(), other);
  }
  std::ofstream(path(), std::ios::binary) << bytes;
  EXPECT_EQ(ArrayFile::open(path()).info("obs/fruit").kind, ArrayInfo::Kind::integer);
  EXPECT_THAT(labels("fruit").names, ElementsAre("0", "1"));
  EXPECT_THAT(labels("fruit").codes, ElementsAre(0, 1, 1, 0, 1));
}

TEST_F(CountsReaderTest, RawTakesHighlyVariableGenesByName) {
  write([&](ArrayFile& file) {
    write_matrix(file);
    file.write("raw/X", view(counts_.values), {5, 6});
    file.create_group("raw/var");
    file.set_attribute("raw/var", "_index", std::string("names"));
    file.write_text("raw/var/names", std::vector<std::string>{"other", "gene1", "x", "gene0", "y", "z"});
    file.write_flags("var/highly_variable", std::vector<std::uint8_t>{0, 1, 1, 0, 0, 0}, {6});
  });
  EXPECT_THAT(open_counts(path(), {"raw", ""})->highly_variable(), ElementsAre(0, 1, 0, 0, 0, 0));
}

}  // namespace
}  // namespace masksc

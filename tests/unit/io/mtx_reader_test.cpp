// 10x folders of every kind give the same counts; what is wrong with one is said with file and line.
#include <zlib.h>

#include <fstream>
#include <random>

#include "../../../src/io/mtx_source.hpp"
#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string banner = "%%MatrixMarket matrix coordinate integer general\n";

/// A folder of `counts`, by cell as Cell Ranger writes it. Files are plain, or gzip where their name says so.
class MtxReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(path());
    write("matrix.mtx", banner + "%a comment\n6 5 8\n" + entries_);
    write("features.tsv", features_);
    write("barcodes.tsv", barcodes_);
  }
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "matrix"; }
  [[nodiscard]] std::string message(const InputSettings& settings = {}) const {
    return user_error([&] { read_all(path(), settings); });
  }
  void remove(const std::string& name) const { std::filesystem::remove(path() / name); }
  void write(const std::string& name, const std::string& text) const {
    if (!name.ends_with(".gz")) {
      std::ofstream(path() / name, std::ios::binary) << text;
      return;
    }
    gzFile file = gzopen((path() / name).c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
  }
  [[nodiscard]] std::string read(const std::string& name) const {
    std::ifstream in(path() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void expect_refused(const std::string& matrix, const std::string& words) const {
    write("matrix.mtx", matrix);
    EXPECT_THAT(message(), AllOf(HasSubstr("matrix.mtx"), HasSubstr(words))) << matrix;
  }

  TemporaryFolder folder_;
  Counts counts_;
  std::string entries_ = "1 1 1\n3 1 2\n6 1 3\n2 2 4\n1 4 5\n4 4 6\n3 5 7\n6 5 80\n";
  std::string features_ =
      "ENSG1\tCD3E\tGene Expression\nENSG2\tCD4\tGene Expression\nENSG3\tCD8A\tGene Expression\n"
      "ENSG4\tCD4\tGene Expression\nENSG5\tMS4A1\tGene Expression\nENSG6\tNKG7\tGene Expression\n";
  std::string barcodes_ = "AA-1\nAC-1\nAG-1\nAT-1\nCA-1\n";
};

TEST_F(MtxReaderTest, ReadsEveryKind) {
  EXPECT_EQ(read_all(path()), counts_.values);
  const auto reader = open_counts(path(), {});
  EXPECT_THAT(reader->cell_names(), ElementsAre("AA-1", "AC-1", "AG-1", "AT-1", "CA-1"));
  EXPECT_THAT(reader->gene_names(), ElementsAre("CD3E", "CD4", "CD8A", "CD4", "MS4A1", "NKG7"));
  for (const char* name : {"matrix.mtx", "features.tsv", "barcodes.tsv"}) {
    write(name + std::string(".gz"), read(name));
    remove(name);
    EXPECT_EQ(read_all(path()), counts_.values) << name;
  }
  for (const char* name : {"matrix.mtx.gz", "features.tsv.gz", "barcodes.tsv.gz"})
    std::filesystem::rename(path() / name, path() / ("GSM1_" + std::string(name)));
  EXPECT_EQ(read_all(path()), counts_.values) << "with a prefix";
  remove("GSM1_features.tsv.gz");
  write("GSM1_genes.tsv", "1\tCD3E\r\n2\tCD4\r\n3\tCD8A\r\n4\tCD4\r\n5\tMS4A1\r\n6\tNKG7\r\n");
  EXPECT_EQ(open_counts(path(), {})->gene_names(), reader->gene_names()) << "of Cell Ranger 2, with a DOS line end";
  write("GSM1_genes.tsv", "a\nb\nc\nd\ne\nf\n\n");
  EXPECT_THAT(open_counts(path(), {})->gene_names(), ElementsAre("a", "b", "c", "d", "e", "f"));
  EXPECT_EQ(input_files(path()).size(), 3U);
  EXPECT_EQ(input_files(path())[0].filename(), "GSM1_matrix.mtx.gz");
}

TEST_F(MtxReaderTest, WhatOtherProgramsAdd) {
  for (const char* name : {"matrix.mtx", "features.tsv", "barcodes.tsv"})
    write("._" + std::string(name) + ".gz", std::string("\0\5\x16\7Mac OS X", 12));
  EXPECT_EQ(read_all(path()), counts_.values) << "of a Mac";
  write("features.tsv", "\xEF\xBB\xBF" + features_);
  write("barcodes.tsv", "\xEF\xBB\xBF" + barcodes_);
  EXPECT_EQ(open_counts(path(), {})->gene_ids()[0], "ENSG1");
  EXPECT_THAT(open_counts(path(), {})->cell_names(), ElementsAre("AA-1", "AC-1", "AG-1", "AT-1", "CA-1"));
  std::string quoted;
  for (const char c : features_) quoted += c == '\t' ? "\"\t\"" : c == '\n' ? "\"\n\"" : std::string(1, c);
  quoted.pop_back();
  write("features.tsv", "\"" + quoted);
  write("barcodes.tsv", "\xEF\xBB\xBF\"AA-1\"\r\n\"A\"\n\"\nA\"T\nCA-1\n");
  const auto reader = open_counts(path(), {});
  EXPECT_THAT(reader->gene_names(), ElementsAre("CD3E", "CD4", "CD8A", "CD4", "MS4A1", "NKG7"));
  EXPECT_EQ(reader->gene_ids()[5], "ENSG6");
  EXPECT_THAT(reader->cell_names(), ElementsAre("AA-1", "A", "\"", "A\"T", "CA-1"));
}

TEST_F(MtxReaderTest, AnyOrderOfTheEntriesIsTheSame) {
  std::vector<std::string> lines;
  std::istringstream in(entries_);
  for (std::string line; std::getline(in, line);) lines.push_back(line + "\n");
  std::mt19937 random(3);
  for (int trial = 0; trial < 20; ++trial) {
    std::shuffle(lines.begin(), lines.end(), random);
    std::string text = banner + "6 5 8\n";
    for (const std::string& line : lines) text += line;
    write("matrix.mtx", text);
    EXPECT_EQ(read_all(path()), counts_.values) << text;
  }
}

TEST_F(MtxReaderTest, BandsAreReadInAnyOrder) {
  const CountsPlace place{"matrix.mtx", "", std::vector<std::string>(5, "cell"), std::vector<std::string>(6, "gene")};
  const auto rows = [&](std::int64_t begin, std::int64_t end) {
    return std::vector<double>(counts_.values.begin() + begin * 6, counts_.values.begin() + end * 6);
  };
  for (const bool sorted : {true, false}) {
    if (!sorted) write("matrix.mtx", banner + "6 5 8\n6 5 80\n" + entries_.substr(0, entries_.size() - 7));
    for (const std::int64_t bytes : {1, 16, 32, 1000}) {
      const auto source = make_mtx_source(path() / "matrix.mtx", place, bytes, bytes);
      for (const auto& [begin, end] : {std::pair<int, int>{0, 2}, {2, 5}, {1, 4}, {4, 5}, {0, 5}, {3, 3}, {3, 4}})
        EXPECT_EQ(dense(source->read_rows({begin, end})), rows(begin, end)) << sorted << " " << bytes << " " << begin;
    }
  }
}

TEST_F(MtxReaderTest, SumsRepeatedEntriesAndDropsZeros) {
  write("matrix.mtx", banner + "6 5 5\n2 1 3\n1 1 0\n2 1 4\n1 1 2\n6 5 0\n");
  const CsrMatrix rows = open_counts(path(), {})->read_rows({0, 5});
  EXPECT_THAT(rows.indices, ElementsAre(0, 1));
  EXPECT_THAT(rows.values, ElementsAre(2, 7));
  expect_refused("%%MatrixMarket matrix coordinate real general\n6 5 2\n2 1 3e38\n2 1 3e38\n",
                 "(its entries added up) is infinite");
}

TEST_F(MtxReaderTest, ReadsGenesOnlyUnlessToldOtherwise) {
  const auto at = features_.find("Gene", features_.find("ENSG5"));
  features_.replace(at, 15, "Antibody Capture");
  write("features.tsv", features_);
  EXPECT_EQ(open_counts(path(), {})->genes(), 5);
  InputSettings settings;
  settings.feature_type = "Antibody Capture";
  EXPECT_THAT(open_counts(path(), settings)->gene_names(), ElementsAre("MS4A1"));
  settings.feature_type = "Custom";
  EXPECT_THAT(message(settings), HasSubstr("1 'Antibody Capture', 5 'Gene Expression'"));
  settings = {};
  settings.genome = "hg19";
  EXPECT_THAT(message(settings), HasSubstr("does not tell the genomes"));
  EXPECT_THAT(message({"", "type"}), HasSubstr("no labels"));
}

TEST_F(MtxReaderTest, FoldersThatAreNotWholeOrClear) {
  remove("barcodes.tsv");
  EXPECT_THAT(message(), AllOf(HasSubstr("has no barcodes.tsv"), HasSubstr("a 10x folder holds")));
  write("barcodes.tsv", barcodes_);
  write("genes.tsv", "x\n");
  EXPECT_THAT(message(), AllOf(HasSubstr("holds both"), HasSubstr("genes.tsv")));
  remove("genes.tsv");
  write("b_matrix.mtx.gz", "x");
  EXPECT_THAT(message(), HasSubstr("2 matrices, with the prefixes '', 'b_'"));
  remove("b_matrix.mtx.gz");
  remove("matrix.mtx");
  EXPECT_THAT(message(), AllOf(HasSubstr("a folder without a matrix.mtx"), HasSubstr(path().string())));
  std::filesystem::create_directory(path() / "matrix.mtx");
  EXPECT_THAT(message(), HasSubstr("no regular file"));
}

TEST_F(MtxReaderTest, DamagedMatricesAreNamedWithTheirLine) {
  const std::string head = banner + "6 5 2\n";
  expect_refused("", "is empty");
  expect_refused(banner, "line 1 is the last");
  expect_refused("6 5 1\n1 1 1\n", "line 1 is '6 5 1'");
  expect_refused("%%MatrixMarket matrix coordinate pattern general\n6 5 1\n1 1\n", "line 1 is '%%MatrixMarket");
  expect_refused("%%MatrixMarket matrix coordinate real symmetric\n6 5 1\n1 1 1\n", "line 1 is '%%MatrixMarket");
  expect_refused(banner + "6 5\n", "line 2 holds no sizes");
  expect_refused(banner + "6 5 many\n", "line 2 holds no sizes");
  expect_refused(banner + "5 6 1\n1 1 1\n", "line 2 claims 5 features x 6 cells");
  expect_refused(banner + "6 5 -1\n", "claims -1 entries");
  expect_refused(head + "1 1 1\n", "line 3 is the last, after 1 entries where the header says 2");
  expect_refused(head + "1 1 1\n1 2 1\n1 3 1\n", "line 5 is one more than the 2 entries");
  expect_refused(head + "1 1 1\n7 1 1\n", "line 4 has feature 7 of 6");
  expect_refused(head + "1 1 1\n0 1 1\n", "line 4 has feature 0 of 6");
  expect_refused(head + "1 1 1\n1 6 1\n", "line 4 has cell 6 of 5");
  expect_refused(head + "1 1 1\n1 99999999999999999999 1\n", "line 4 is '1 99999999999999999999 1'");
  expect_refused(head + "1 1 1\n1 \x1B[31m 1\n", "line 4 is '1 \\x1b[31m 1'");
  expect_refused(head + "1 1 1\n1 1\n", "expected feature, cell and count");
  expect_refused(head + "1 1 1\n1 2 3 4\n", "expected feature, cell and count");
  expect_refused(head + "1 1 1\n2 3 -4\n", "count -4 of cell 2 ('AG-1'), gene 1 ('CD4')");
  expect_refused(head + "1 1 1\n2 3 1.5\n", "(line 4) is not a whole number");
  expect_refused(head + "1 1 1\n2 3 nan\n", "NaN");
  expect_refused(head + std::string(3 << 20, '1'), "line 3 is longer than");
}

TEST_F(MtxReaderTest, DamagedNamesAreNamedWithTheirLine) {
  write("barcodes.tsv", "AA-1\nAC-1\n");
  EXPECT_THAT(message(), HasSubstr("6 features and 2 barcodes"));
  write("barcodes.tsv", "");
  EXPECT_THAT(message(), HasSubstr("no barcodes"));
  write("barcodes.tsv", "AA-1\nAC-1\n\nAG-1\n");
  EXPECT_THAT(message(), AllOf(HasSubstr("barcodes.tsv' line 4"), HasSubstr("blank line")));
  write("barcodes.tsv", "AA-1\nM\xFCller\n");
  EXPECT_THAT(message(), AllOf(HasSubstr("barcodes.tsv' line 2"), HasSubstr("UTF-8")));
  write("barcodes.tsv", barcodes_);
  write("features.tsv", "1\tCD4\tGene Expression\n2\tCD8\n");
  EXPECT_THAT(message(), AllOf(HasSubstr("features.tsv' line 2"), HasSubstr("2 columns")));
}

TEST_F(MtxReaderTest, TruncatedAndDamagedGzip) {
  std::string text = banner + "6 5 20000\n";
  for (int i = 0; i < 20000; ++i) text += std::to_string(i % 6 + 1) + " " + std::to_string(i / 4000 + 1) + " 1\n";
  write("matrix.mtx.gz", text);
  remove("matrix.mtx");
  EXPECT_EQ(read_all(path())[0], 667);
  const std::string whole = read("matrix.mtx.gz");
  for (const std::size_t length : {whole.size() / 2, whole.size() - 4, whole.size() - 9, std::size_t{20}}) {
    std::ofstream(path() / "matrix.mtx.gz", std::ios::binary) << whole.substr(0, length);
    EXPECT_THAT(message(), AllOf(HasSubstr("matrix.mtx.gz"), HasSubstr("damaged or not whole"))) << length;
  }
  std::string bad = whole;
  bad[bad.size() - 6] = static_cast<char>(bad[bad.size() - 6] ^ 1);  // of the checksum
  std::ofstream(path() / "matrix.mtx.gz", std::ios::binary) << bad;
  EXPECT_THAT(message(), HasSubstr("damaged or not whole"));
}

/// Any byte changed: an error or counts, never a crash (the sanitizer run watches).
TEST_F(MtxReaderTest, SurvivesFlippedBytes) {
  std::mt19937 random(1);
  int refused = 0;
  for (const char* name : {"matrix.mtx", "features.tsv", "barcodes.tsv"}) {
    const std::string good = read(name);
    for (int trial = 0; trial < 200; ++trial) {
      std::string bad = good;
      bad[random() % bad.size()] = static_cast<char>(random() % 256);
      write(name, bad);
      try {
        read_all(path());
      } catch (const UserError&) {
        ++refused;
      }
    }
    write(name, good);
  }
  EXPECT_GT(refused, 100);
}

}  // namespace
}  // namespace masksc

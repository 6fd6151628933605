// 10x HDF5 of both kinds: the same counts as in any other layout, genes only, one genome.
#include "counts_files.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TenxReader : public ::testing::Test {
 protected:
  [[nodiscard]] std::filesystem::path path() const { return folder_ / "counts.h5"; }
  [[nodiscard]] std::string message(const InputSettings& settings = {}) const {
    return user_error([&] { read_all(path(), settings); });
  }
  static InputSettings of_genome(const std::string& genome) {
    InputSettings settings;
    settings.genome = genome;
    return settings;
  }
  static InputSettings of_type(const std::string& type) {
    InputSettings settings;
    settings.feature_type = type;
    return settings;
  }

  /// The parts that both kinds have.
  void write_group(ArrayFile& file, const std::string& group) const {
    const Sparse sparse = compress(counts_, false);
    const auto entries = static_cast<std::int64_t>(sparse.data.size());
    const std::vector<std::int32_t> counts(sparse.data.begin(), sparse.data.end());
    file.write(group + "/data", view(counts), {entries});
    file.write(group + "/indices", view(sparse.indices), {entries});
    file.write(group + "/indptr", view(sparse.indptr), {counts_.cells + 1});
    file.write(group + "/shape", view(shape_), {static_cast<std::int64_t>(shape_.size())});
    file.write_text(group + "/barcodes", barcodes_);
  }
  void write_new() const {
    ArrayFile file = ArrayFile::create(path());
    write_group(file, "matrix");
    file.write_text("matrix/features/id", std::vector<std::string>(6, "ENSG"));
    file.write_text("matrix/features/name", symbols_);
    if (!types_.empty()) file.write_text("matrix/features/feature_type", types_);
    if (!genomes_.empty()) file.write_text("matrix/features/genome", genomes_);
    file.close();
  }
  void write_old(const std::vector<std::string>& genomes) const {
    ArrayFile file = ArrayFile::create(path());
    for (const std::string& genome : genomes) {
      write_group(file, genome);
      file.write_text(genome + "/genes", std::vector<std::string>(6, "ENSG"));
      file.write_text(genome + "/gene_names", symbols_);
    }
    file.close();
  }

  TemporaryFolder folder_;
  Counts counts_;
  std::vector<std::int32_t> shape_ = {6, 5};
  std::vector<std::string> barcodes_ = {"AA-1", "AC-1", "AG-1", "AT-1", "CA-1"};
  std::vector<std::string> symbols_ = {"CD3E", "CD4", "CD8A", "CD4", "MS4A1", "NKG7"};
  std::vector<std::string> types_ = std::vector<std::string>(6, "Gene Expression");
  std::vector<std::string> genomes_ = std::vector<std::string>(6, "GRCh38");
};

TEST_F(TenxReader, ReadsBothKinds) {
  write_new();
  {
    const auto reader = open_counts(path(), {});
    EXPECT_EQ(dense(reader->read_rows({0, 5})), counts_.values);
    EXPECT_EQ(dense(reader->read_rows({3, 4})), std::vector<double>({5, 0, 0, 6, 0, 0}));
    EXPECT_THAT(reader->cell_names(), ElementsAre("AA-1", "AC-1", "AG-1", "AT-1", "CA-1"));
    EXPECT_EQ(reader->gene_names(), symbols_);
    EXPECT_TRUE(reader->labels().empty());
  }  // the file is closed before another one takes its name
  EXPECT_EQ(read_all(path(), of_genome("GRCh38")), counts_.values);
  write_old({"hg19"});
  EXPECT_EQ(read_all(path()), counts_.values);
  EXPECT_EQ(open_counts(path(), of_genome("hg19"))->gene_names(), symbols_);
}

TEST_F(TenxReader, ReadsGenesOnlyUnlessToldOtherwise) {
  types_[1] = types_[4] = "Antibody Capture";
  genomes_[1] = genomes_[4] = "";
  counts_.values[1] = -3;  // of an antibody: no concern of the genes
  write_new();
  EXPECT_THAT(open_counts(path(), {})->gene_names(), ElementsAre("CD3E", "CD8A", "CD4", "NKG7"));
  EXPECT_EQ(read_all(path()), std::vector<double>({1, 2, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 6, 0, 0, 7, 0, 80}));
  counts_.values[1] = 3;
  write_new();
  EXPECT_EQ(read_all(path(), of_type("Antibody Capture")), std::vector<double>({3, 0, 4, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_THAT(message(of_type("CRISPR Guide Capture")),
              AllOf(HasSubstr("'CRISPR Guide Capture'"), HasSubstr("2 'Antibody Capture', 4 'Gene Expression'")));
  write_old({"hg19"});
  EXPECT_THAT(message(of_type("Antibody Capture")), HasSubstr("genes only"));
}

TEST_F(TenxReader, SeveralGenomesNeedAChoice) {
  genomes_ = {"GRCh38", "mm10", "mm10", "GRCh38", "mm10", "GRCh38"};
  write_new();
  EXPECT_THAT(message(), AllOf(HasSubstr("2 genomes"), HasSubstr("--genome"), HasSubstr("GRCh38, mm10")));
  EXPECT_THAT(open_counts(path(), of_genome("mm10"))->gene_names(), ElementsAre("CD4", "CD8A", "MS4A1"));
  EXPECT_EQ(read_all(path(), of_genome("mm10")), std::vector<double>({0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7, 0}));
  EXPECT_THAT(message(of_genome("mm1")), AllOf(HasSubstr("'mm1'"), HasSubstr("did you mean 'mm10'")));
  genomes_.clear();
  write_new();
  EXPECT_EQ(read_all(path()), counts_.values);
  EXPECT_THAT(message(of_genome("mm10")), HasSubstr("does not tell"));
  write_old({"hg19", "mm10"});
  EXPECT_THAT(message(), AllOf(HasSubstr("--genome"), HasSubstr("hg19, mm10")));
  EXPECT_EQ(read_all(path(), of_genome("mm10")), counts_.values);
  EXPECT_THAT(message(of_genome("hg38")), HasSubstr("there are: hg19, mm10"));
}

TEST_F(TenxReader, BadCountsAreNamed) {
  counts_.values[3 * 6 + 3] = -1;
  write_new();
  EXPECT_THAT(message(), AllOf(HasSubstr("cell 3 ('AT-1'), gene 3 ('CD4')"), HasSubstr("negative")));
}

TEST_F(TenxReader, WhatItHasNotIsRefused) {
  write_new();
  EXPECT_THAT(message({"", "cell_type"}), AllOf(HasSubstr("--labels 'cell_type'"), HasSubstr("no labels")));
  EXPECT_THAT(message({"counts", ""}), AllOf(HasSubstr("--layer 'counts'"), HasSubstr("no layers")));
  write_xy(path(), counts_, {});
  EXPECT_THAT(message(of_genome("mm10")), AllOf(HasSubstr("--genome 'mm10'"), HasSubstr("no 10x file")));
  EXPECT_THAT(message(of_type("Custom")), AllOf(HasSubstr("--feature-type 'Custom'"), HasSubstr("no 10x file")));
}

TEST_F(TenxReader, DamagedPartsAreNamed) {
  shape_ = {6, 4};
  write_new();
  EXPECT_THAT(message(), HasSubstr("5 names where 4 belong"));
  shape_ = {7, 5};
  write_new();
  EXPECT_THAT(message(), AllOf(HasSubstr("matrix/features/name"), HasSubstr("6 names where 7 belong")));
  shape_ = {6, 0};
  write_new();
  EXPECT_THAT(message(), HasSubstr("claims 0 cells"));
  shape_ = {6};
  write_new();
  EXPECT_THAT(message(), HasSubstr("no pair of numbers"));
  shape_ = {6, 5};
  types_.clear();
  write_new();
  EXPECT_THAT(message(), AllOf(HasSubstr("matrix/features/feature_type"), HasSubstr("is not there")));
}

}  // namespace
}  // namespace masksc

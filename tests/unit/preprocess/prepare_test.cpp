#include "masksc/preprocess/prepare.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <set>

#include "masksc/core/files.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/scaling.hpp"
#include "shards.hpp"

namespace masksc::testing {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

PreparationSettings with(const std::string& matrix, const std::string& patch, GeneOrder order = GeneOrder::file) {
  PreparationSettings settings;
  settings.matrix = matrix;
  settings.patch = patch;
  settings.gene_order = order;
  return settings;
}

std::string message_of(const CsrMatrix& counts, const PreparationSettings& settings, int ranks = 2,
                       const std::vector<std::uint8_t>& flags = {}) {
  try {
    prepare_on(ranks, counts, settings, flags);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

/// A file that is gone when the test is.
class GeneFile {
 public:
  explicit GeneFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("masksc_genes_" + std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    write_file(path_, text);
  }
  GeneFile(const GeneFile&) = delete;
  GeneFile& operator=(const GeneFile&) = delete;
  ~GeneFile() { std::filesystem::remove(path_); }
  [[nodiscard]] PreparationSettings settings(const std::string& matrix, const std::string& patch) const {
    PreparationSettings settings = with(matrix, patch);
    settings.genes = path_.string();
    return settings;
  }

 private:
  std::filesystem::path path_;
};

void expect_same_bits(const CsrMatrix& counts, const PreparationSettings& settings, const std::vector<int>& teams) {
  const Expression alone = prepare(counts, settings);
  for (const int ranks : teams) {
    CsrMatrix joined;
    for (const Expression& part : prepare_on(ranks, counts, settings)) {
      EXPECT_EQ(part.cells, counts.rows);
      EXPECT_EQ(part.rows.begin, joined.rows);
      EXPECT_EQ(part.genes, alone.genes);
      EXPECT_EQ(part.gene_names, alone.gene_names);
      EXPECT_EQ(part.scaling.mean, alone.scaling.mean);
      EXPECT_EQ(part.scaling.inverse_sd, alone.scaling.inverse_sd);
      EXPECT_EQ(part.layout.slot_to_column, alone.layout.slot_to_column);
      joined.rows += part.values.rows;
      joined.indices.insert(joined.indices.end(), part.values.indices.begin(), part.values.indices.end());
      joined.values.insert(joined.values.end(), part.values.values.begin(), part.values.values.end());
    }
    EXPECT_EQ(joined.indices, alone.values.indices);
    EXPECT_EQ(joined.values, alone.values.values);
  }
}

class Ranks : public ::testing::TestWithParam<GeneOrder> {};

TEST_P(Ranks, GiveTheSameBits) {
  const PreparationSettings settings = with("8x8", "4", GetParam());
  expect_same_bits(random_counts(47, 120), settings, {2, 3, 5});
  expect_same_bits(random_counts(4, 120), settings, {5, 7});  // ranks without rows
}

INSTANTIATE_TEST_SUITE_P(Orders, Ranks,
                         ::testing::Values(GeneOrder::file, GeneOrder::variable, GeneOrder::coexpression),
                         [](const auto& param) { return "order" + std::to_string(param.index); });

TEST(Prepare, DropsGenesWithoutCountsAndPadsTheRest) {
  const CsrMatrix counts = random_counts(30, 39);  // genes 5, 18, 31 are empty
  const Expression made = prepare(counts, with("8x8", "4"));
  EXPECT_EQ(made.genes.size(), 36U);
  EXPECT_EQ(std::count(made.genes.begin(), made.genes.end(), 18), 0);
  EXPECT_THAT(made.layout.token_has_genes, ElementsAre(1, 1, 1, 0));
  EXPECT_EQ(made.values.columns, 36);
  EXPECT_EQ(made.gene_names[5], "gene6");
}

TEST(Prepare, OrdersAgreeOnGenesAndMoveTheirValues) {
  const CsrMatrix counts = random_counts(60, 100);
  const Expression file = prepare(counts, with("4x8", "4"));
  EXPECT_TRUE(std::is_sorted(file.genes.begin(), file.genes.end()));
  for (const GeneOrder order : {GeneOrder::variable, GeneOrder::coexpression}) {
    const Expression other = prepare(counts, with("4x8", "4", order));
    EXPECT_NE(other.genes, file.genes);
    for (std::size_t column = 0; column < other.genes.size(); ++column) {
      const auto at = std::find(file.genes.begin(), file.genes.end(), other.genes[column]);
      ASSERT_NE(at, file.genes.end());
      const auto there = at - file.genes.begin();
      EXPECT_EQ(other.gene_names[column], file.gene_names[static_cast<std::size_t>(there)]);
      EXPECT_EQ(other.scaling.mean[column], file.scaling.mean[static_cast<std::size_t>(there)]);
      for (std::int64_t cell = 0; cell < 60; ++cell)
        ASSERT_EQ(value_at(other.values, cell, static_cast<std::int64_t>(column)), value_at(file.values, cell, there));
    }
  }
}

TEST(Prepare, CoexpressionBringsGenesOfAProgramTogether) {
  std::vector<std::vector<float>> dense;
  for (int cell = 0; cell < 40; ++cell) {
    std::vector<float> row;
    for (int gene = 0; gene < 16; ++gene)
      row.push_back((cell / 10 == gene % 4 ? 20.0F : 1.0F) + static_cast<float>((cell * 7 + gene * 5) % 3));
    dense.push_back(row);
  }
  const Expression made = prepare(sparse(dense), with("4x4", "1", GeneOrder::coexpression));
  for (std::size_t i = 0; i < 16; i += 4)
    for (std::size_t j = 1; j < 4; ++j) EXPECT_EQ(made.genes[i] % 4, made.genes[i + j] % 4);
}

TEST(Prepare, WithoutStandardisationIsTheIdentity) {
  PreparationSettings settings = with("4x4", "2");
  settings.standardize = Standardize::no;
  const Expression made = prepare(random_counts(20, 30), settings);
  EXPECT_THAT(made.scaling.mean, Each(0.0F));
  EXPECT_THAT(made.scaling.inverse_sd, Each(1.0F));
  EXPECT_EQ(made.scaling.clip, std::numeric_limits<float>::max());
}

/// Pearson residuals by their formula (Lause et al. 2021, theta 100) of counts scaled to the median total.
TEST(Prepare, ResidualsAreThoseOfANegativeBinomial) {
  const CsrMatrix counts = random_counts(30, 20);
  PreparationSettings settings = with("4x4", "2");
  settings.standardize = Standardize::residuals;
  const Expression made = prepare(counts, settings);
  const std::vector<double> totals = cell_totals(counts);
  for (std::size_t column = 0; column < made.genes.size(); ++column) {
    std::vector<double> scaled(30, 0);
    for (std::int64_t cell = 0; cell < 30; ++cell)
      for (std::size_t i = 0; i < counts.row_indices(cell).size(); ++i)
        if (counts.row_indices(cell)[i] == made.genes[column])
          scaled[static_cast<std::size_t>(cell)] =
              counts.row_values(cell)[i] * made.target_total / totals[static_cast<std::size_t>(cell)];
    const double mean = std::accumulate(scaled.begin(), scaled.end(), 0.0) / 30;
    for (const double value : scaled)
      EXPECT_NEAR(made.scaling.scaled(column, static_cast<float>(std::log1p(value))),
                  std::clamp((value - mean) / std::sqrt(mean + mean * mean / 100), -10.0, 10.0), 2e-5);
  }
  settings.standardize = Standardize::automatic;
  Expression later = prepare(counts, settings);
  EXPECT_EQ(later.scaling.mean, prepare(counts, with("4x4", "2")).scaling.mean);
  later.scaling = residual_scaling(later, *single_rank());
  EXPECT_EQ(later.scaling.mean, made.scaling.mean);
  EXPECT_EQ(later.scaling.inverse_sd, made.scaling.inverse_sd);
  EXPECT_TRUE(later.scaling.counts);
  expect_same_bits(counts, settings, {2, 5});
}

TEST(Prepare, LeavesAConstantGeneAtZero) {
  const Expression made = prepare(sparse({{2, 1, 1, 4}, {2, 3, 1, 2}, {2, 2, 2, 2}}), with("2x2", "1"));
  EXPECT_EQ(made.scaling.inverse_sd[0], 1);
  EXPECT_FLOAT_EQ(made.values.values[0], made.scaling.mean[0]);
}

TEST(Prepare, OneCellWorks) {
  const Expression made = prepare(random_counts(1, 200), with("2x2", "1"));
  EXPECT_THAT(made.scaling.inverse_sd, Each(1.0F));
}

TEST(Genes, OfAFileAreThoseListedThatHaveCounts) {
  const GeneFile file("gene7\n\n  gene2 \r\ngene5\ngene30\ngene11\n");
  const Expression made = prepare_on(2, random_counts(20, 40), file.settings("2x2", "1"))[1];
  EXPECT_THAT(made.genes, ElementsAre(2, 7, 11, 30));  // gene5 is empty
}

TEST(Genes, ListedBeyondTheMatrixAreChosenByVariability) {
  const CsrMatrix counts = random_counts(50, 60);
  std::string text;
  for (int gene = 0; gene < 60; gene += 2) text += "gene" + std::to_string(gene) + "\n";
  const GeneFile file(text);
  const Expression listed = prepare(counts, file.settings("3x3", "3"));
  const Expression ranked = prepare(counts, with("8x8", "4", GeneOrder::variable));
  std::set<std::int64_t> best;
  for (const std::int64_t gene : ranked.genes)
    if (gene % 2 == 0 && best.size() < 9) best.insert(gene);
  EXPECT_EQ(std::set(listed.genes.begin(), listed.genes.end()), best);
}

TEST(Genes, UnknownNamesAreNamedWithTheirNeighbours) {
  const CsrMatrix counts = random_counts(20, 40);
  EXPECT_THAT(
      message_of(counts, GeneFile("gene1\ngen7\nxyzzy\nq1\nq2\n").settings("2x2", "1")),
      ::testing::AllOf(HasSubstr("4 gene names are not in the input"), HasSubstr("'gen7' (line 2; did you mean"),
                       HasSubstr("'xyzzy' (line 3)"), HasSubstr("...")));
}

TEST(Genes, RepeatedEmptyAndMissingListsAreRefused) {
  const CsrMatrix counts = random_counts(20, 40);
  EXPECT_THAT(message_of(counts, GeneFile("gene1\ngene2\ngene1\n").settings("2x2", "1")),
              HasSubstr("'gene1' is listed twice, in lines 1 and 3"));
  EXPECT_THAT(message_of(counts, GeneFile(" \n\n").settings("2x2", "1")), HasSubstr("lists no genes"));
  EXPECT_THAT(message_of(counts, GeneFile("gene1\ngene2\ngene3\n").settings("2x2", "2")),
              HasSubstr("3 usable genes are fewer than the 4"));
  PreparationSettings missing = with("2x2", "1");
  missing.genes = "/nowhere/genes.txt";
  EXPECT_THROW(validate(missing), UserError);
  EXPECT_NE(message_of(counts, missing), "no error");
}

TEST(Genes, HighlyVariableNeedsTheFlag) {
  const CsrMatrix counts = random_counts(20, 40);
  PreparationSettings settings = with("2x2", "1");
  settings.genes = "highly_variable";
  validate(settings);
  EXPECT_THAT(message_of(counts, settings), HasSubstr("var['highly_variable']"));
  EXPECT_THAT(message_of(counts, settings, 1, std::vector<std::uint8_t>(40, 0)), HasSubstr("flags no gene"));
  std::vector<std::uint8_t> flags(40, 0);
  flags[3] = flags[9] = flags[10] = flags[38] = flags[18] = 1;
  EXPECT_THAT(prepare(counts, settings, flags).genes, ElementsAre(3, 9, 10, 38));
}

TEST(Prepare, RefusesDataWithoutCounts) {
  CsrMatrix empty;
  empty.rows = 3;
  empty.columns = 20;
  empty.row_start = {0, 0, 0, 0};
  EXPECT_THAT(message_of(empty, {}), HasSubstr("no counts"));
}

TEST(Options, ReadAndWriteTheSettings) {
  PreparationSettings settings;
  OptionTable table;
  describe(table, settings);
  table.set("matrix", "36x36", "in a test");
  table.set("gene-order", "coexpression", "in a test");
  table.set("standardize", "no", "in a test");
  EXPECT_EQ(settings.matrix, "36x36");
  EXPECT_EQ(settings.gene_order, GeneOrder::coexpression);
  EXPECT_EQ(settings.standardize, Standardize::no);
  EXPECT_EQ(table.find("gene-order")->get(), "coexpression");
  EXPECT_THROW(table.set("gene-order", "random", "in a test"), UserError);
}

}  // namespace
}  // namespace masksc::testing

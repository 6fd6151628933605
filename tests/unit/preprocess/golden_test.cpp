// The real data sets, against what scanpy made of them (tests/golden/preprocess.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <string>

#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/preprocess/coexpression.hpp"
#include "masksc/preprocess/moments.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/variable_genes.hpp"
#include "shards.hpp"

namespace masksc::testing {
namespace {

const Json& golden() {
  static const Json json = parse_json(read_file(std::string(MASKSC_TEST_GOLDEN) + "/preprocess.json"));
  return json;
}

struct Case {
  std::string data;
  std::vector<std::pair<std::string, std::string>> matrices;  // and the number of genes that scanpy was asked for
};

class RealData : public ::testing::TestWithParam<Case> {
 protected:
  static CsrMatrix counts() {
    const std::string path = std::string(MASKSC_TEST_DATA) + "/" + GetParam().data + ".h5";
    if (!std::filesystem::exists(path)) throw UserError(path + " is needed by this test");
    const auto reader = open_counts(path, {});
    return reader->read_rows({0, reader->cells()});
  }
  static const Json& expected(const std::string& top) { return golden()["data"][GetParam().data + "." + top]; }
};

std::vector<std::int64_t> genes_of(const Json& expected) {
  std::vector<std::int64_t> genes;
  std::int64_t gene = 0;
  for (const Json& gap : expected["gene_gaps"]) genes.push_back(gene += gap.get<std::int64_t>());
  return genes;
}

void expect_values(const CsrMatrix& counts, const std::string& matrix, const Json& want) {
  PreparationSettings settings;
  settings.matrix = matrix;
  const Expression made = prepare(counts, settings);
  EXPECT_EQ(made.layout.rows * made.layout.columns, want["top"].get<std::int64_t>());
  EXPECT_EQ(made.genes, genes_of(want));
  for (std::size_t i = 0; i < want["cells"].size(); ++i) {
    const auto column = want["columns"][i].get<std::size_t>();
    const float log = value_at(made.values, want["cells"][i], want["columns"][i]);
    EXPECT_NEAR(log, want["logs"][i].get<float>(), 1e-5);
    const float scaled = (log - made.scaling.mean[column]) * made.scaling.inverse_sd[column];
    EXPECT_NEAR(std::clamp(scaled, -made.scaling.clip, made.scaling.clip), want["scaled"][i].get<float>(), 1e-5);
  }
}

void expect_dispersions(CsrMatrix values, const Json& want) {
  const auto ranks = single_rank();
  const auto totals = cell_totals(values);
  const double median = median_total(totals, *ranks);
  EXPECT_EQ(median, want["median"].get<double>());
  std::vector<std::uint8_t> expressed(static_cast<std::size_t>(values.columns));
  mark_genes_with_counts(values, expressed);
  std::vector<std::int64_t> kept;
  for (std::size_t gene = 0; gene < expressed.size(); ++gene)
    if (expressed[gene] != 0) kept.push_back(static_cast<std::int64_t>(gene));
  log_normalize(values, totals, median);
  const std::int64_t cells = values.rows;
  MomentSums sums(MomentSums::Of::normalized_counts, std::ssize(kept), {cells}, median);
  sums.add(select_columns(values, kept));
  const auto scores = normalized_dispersion(sums.finish(*ranks).front());
  for (std::size_t i = 0; i < want["dispersion_genes"].size(); ++i) {
    const auto gene = want["dispersion_genes"][i].get<std::int64_t>();
    const auto at = std::lower_bound(kept.begin(), kept.end(), gene) - kept.begin();
    ASSERT_EQ(kept[static_cast<std::size_t>(at)], gene);
    EXPECT_NEAR(scores[static_cast<std::size_t>(at)], want["dispersions"][i].get<double>(), 1e-5);
  }
}

TEST_P(RealData, IsPreparedAsByScanpy) {
  const CsrMatrix all = counts();
  for (const auto& [matrix, top] : GetParam().matrices) expect_values(all, matrix, expected(top));
  expect_dispersions(all, expected(GetParam().matrices.front().second));
}

INSTANTIATE_TEST_SUITE_P(Sets, RealData,
                         ::testing::Values(Case{"worm_neuron_cell", {{"auto", "4096"}}},
                                           Case{"10X_PBMC_top2000", {{"auto", "1936"}, {"40x50", "2000"}}},
                                           Case{"mouse_bladder_cell", {{"64x64", "4096"}}}),
                         [](const auto& param) { return "set" + std::to_string(param.index); });

TEST(Leaves, AreScipys) {
  const Json& want = golden()["leaves"];
  CsrMatrix values = sparse(want["counts"].get<std::vector<std::vector<float>>>());
  for (float& value : values.values) value = std::log1p(value);
  const auto order = want["order"].get<std::vector<std::int64_t>>();
  for (const int ranks : {1, 3}) {
    run_as_threads(ranks, [&](Collectives& team) {
      const RowRange rows = rows_of_rank(values.rows, team.rank(), team.size());
      const CsrMatrix local = rows_of(values, rows);
      const PairDistances distances = correlation_distances(local, values.rows, rows, team);
      for (std::size_t i = 0; i < want["first_distances"].size(); ++i)
        EXPECT_NEAR(distances.values[i], want["first_distances"][i].get<double>(), 1e-6);
      EXPECT_EQ(coexpression_order(local, values.rows, rows, team), order);
    });
  }
}

/// The same partition, whatever the numbers of its parts.
std::vector<std::int64_t> in_order_of_appearance(const std::vector<std::int64_t>& labels) {
  std::map<std::int64_t, std::int64_t> numbers;
  std::vector<std::int64_t> same;
  for (const std::int64_t label : labels)
    same.push_back(numbers.emplace(label, static_cast<std::int64_t>(numbers.size())).first->second);
  return same;
}

TEST(Clusters, OfAverageLinkageAreScipys) {
  const Json& want = golden()["leaves"];
  CsrMatrix values = sparse(want["counts"].get<std::vector<std::vector<float>>>());
  for (float& value : values.values) value = std::log1p(value);
  PairDistances distances(0);
  run_as_threads(1, [&](Collectives& team) {
    distances = correlation_distances(values, values.rows, {0, values.rows}, team);
  });
  for (const auto& [clusters, labels] : want["clusters"].items()) {
    const auto found = average_linkage_clusters(distances, std::stoll(clusters));
    EXPECT_EQ(std::vector<std::int64_t>(found.begin(), found.end()),
              in_order_of_appearance(labels.get<std::vector<std::int64_t>>()));
  }
}

}  // namespace
}  // namespace masksc::testing

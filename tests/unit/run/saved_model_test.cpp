// What a model folder says of its genes, and which of a file's genes these are.
#include "masksc/run/saved_model.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "masksc/core/files.hpp"
#include "masksc/core/json_text.hpp"
#include "message_of.hpp"
#include "small_expression.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* subject = "'model.json'";

/// model.json of a model of 16 genes in 4 patches.
std::string saved_description(bool counts = false) {
  const TemporaryFolder folder;
  const auto alone = single_rank();
  Expression expression = small_expression(6, 4, 2, *alone);
  expression.target_total = 100;
  expression.scaling.counts = counts;
  std::vector<std::string> ids;
  for (int gene = 0; gene < 16; ++gene) ids.push_back(fmt::format("ENSG{}", gene));
  AutoencoderShape shape;
  shape.predicted_features = true;
  RunOptions options;
  options.model.dim = 32;
  save_model_description(folder.path(), expression, ids, 0.123456, options, shape);
  return read_file(folder / "model.json");
}

TEST(ModelDescription, IsReadAsItWasWritten) {
  const auto alone = single_rank();
  const Expression expression = small_expression(6, 4, 2, *alone);
  const ModelDescription read = read_model_description(saved_description(true), subject);
  EXPECT_EQ(read.expression.gene_names, expression.gene_names);
  EXPECT_EQ(read.expression.scaling.mean, expression.scaling.mean);
  EXPECT_EQ(read.expression.scaling.inverse_sd, expression.scaling.inverse_sd);
  EXPECT_TRUE(read.expression.scaling.counts);
  EXPECT_EQ(read.expression.layout.slot_to_column, expression.layout.slot_to_column);
  EXPECT_EQ(read.expression.layout.token_has_genes, expression.layout.token_has_genes);
  EXPECT_EQ(read.expression.target_total, 100);
  EXPECT_EQ(read.gene_ids.at(3), "ENSG3");
  EXPECT_EQ(read.share_of_counts, 0.1235);
  EXPECT_EQ(read.model.dim, 32);
  EXPECT_TRUE(read.predicted_features);
}

TEST(ModelDescription, WhatDoesNotFitIsRefused) {
  const std::pair<const char*, std::function<void(Json&)>> damages[] = {
      {"reads 'mask-sc model 3'", [](Json& j) { j["format"] = "mask-sc model 9"; }},
      {"damaged", [](Json& j) { j.erase("expression"); }},
      {"do not fit", [](Json& j) { j["expression"]["genes"].erase(0); }},
      {"do not fit", [](Json& j) { j["expression"]["mean"].push_back(0); }},
      {"do not fit", [](Json& j) { j["expression"]["target_total"] = 0; }},
      {"do not fit",
       [](Json& j) {
         j["expression"]["patch"] = {3, 2};
       }},
      {"do not fit",
       [](Json& j) {
         j["expression"]["matrix"] = {4, 8};
       }},
      {"do not fit",
       [](Json& j) {
         j["expression"]["matrix"] = {-4, -4};
       }},
      {"do not fit", [](Json& j) { j["expression"]["slot_to_column"][0] = 1; }},
      {"do not fit", [](Json& j) { j["expression"]["slot_to_column"][0] = 99; }},
      {"do not fit", [](Json& j) { j["gene_ids"].erase(0); }},
      {"encoder-heads", [](Json& j) { j["settings"]["encoder-heads"] = "5"; }},
      {"damaged", [](Json& j) { j["settings"]["dim"] = 32; }}};
  for (const auto& [words, damage] : damages) {
    Json json = parse_json(saved_description(), subject);
    damage(json);
    EXPECT_THAT(message_of([&] { read_model_description(json.dump(), subject); }), HasSubstr(words)) << json.dump();
  }
  EXPECT_THAT(message_of([] { read_model_description("{", subject); }), HasSubstr("'model.json' is damaged"));
}

TEST(ModelDescription, GenesAreKnownByPlaceAndScaling) {
  const auto alone = single_rank();
  const Expression expression = small_expression(6, 4, 2, *alone);
  const std::string hash = genes_hash(expression);
  EXPECT_EQ(genes_hash(small_expression(9, 4, 2, *alone)), hash);
  Expression other = expression;
  other.scaling.counts = true;
  EXPECT_NE(genes_hash(other), hash);
  other = expression;
  std::swap(other.layout.slot_to_column[0], other.layout.slot_to_column[1]);
  EXPECT_NE(genes_hash(other), hash);
  other = expression;
  other.gene_names[2] = "other";
  EXPECT_NE(genes_hash(other), hash);
}

SavedModel model_of(const std::vector<std::string>& names, const std::vector<std::string>& ids = {}) {
  SavedModel model;
  model.expression.gene_names = names;
  model.gene_ids = ids;
  return model;
}

TEST(GeneMatch, IsByNameAndOfGenesThatShareOneTheFirst) {
  const std::vector<std::string> names = {"CD4", "x", "CD8A", "CD4"};
  const GeneMatch match = match_genes(model_of({"CD8A", "CD4", "MS4A1"}), names, {});
  EXPECT_THAT(match.column, ElementsAre(1, -1, 0, -1));
  EXPECT_EQ(match.known, 2);
  EXPECT_FALSE(match.by_ids);
}

TEST(GeneMatch, IsByIdentifiersWhereTheseFindMore) {
  const SavedModel model = model_of({"CD8A", "CD4"}, {"ENSG1", "ENSG2"});
  const std::vector<std::string> symbols = {"CD4", "other"}, ids = {"ENSG2", "ENSG1"};
  EXPECT_THAT(match_genes(model, ids, {}).column, ElementsAre(1, 0));  // the file's names are identifiers
  EXPECT_TRUE(match_genes(model, ids, {}).by_ids);
  EXPECT_THAT(match_genes(model, symbols, ids).column, ElementsAre(1, 0));
  EXPECT_THAT(match_genes(model_of({"ENSG1", "ENSG2"}), symbols, ids).column, ElementsAre(1, 0));
  EXPECT_FALSE(match_genes(model, std::vector<std::string>{"CD4", "CD8A"}, ids).by_ids);  // as many by name
}

TEST(GeneMatch, OfNoneIsAnErrorWithTheFirstOfBoth) {
  EXPECT_THAT(
      message_of([] { match_genes(model_of({"CD4"}), std::vector<std::string>{"cd4"}, std::vector<std::string>{""}); }),
      testing::AllOf(HasSubstr("first is 'CD4'"), HasSubstr("'cd4'")));
}

/// Counts of 3 cells and 3 genes: gene 1 of the file is none of the model's.
CsrMatrix some_counts(RowRange rows) {
  const std::vector<std::vector<float>> dense = {{1, 2, 1}, {0, 3, 1}, {4, 0, 0}};
  CsrMatrix counts;
  counts.columns = 3;
  for (std::int64_t row = rows.begin; row < rows.end; ++row) {
    std::vector<std::int32_t> indices;
    std::vector<float> values;
    for (std::int32_t gene = 0; gene < 3; ++gene)
      if (const float count = dense[static_cast<std::size_t>(row)][static_cast<std::size_t>(gene)]; count > 0) {
        indices.push_back(gene);
        values.push_back(count);
      }
    counts.append_row(indices, values);
  }
  return counts;
}

TEST(Express, ScalesByAllCountsOfACellAndTakesTheModelsGenes) {
  const auto alone = single_rank();
  SavedModel model = model_of({"c", "missing", "a"});
  model.expression.target_total = 8;
  const GeneMatch match = match_genes(model, std::vector<std::string>{"a", "b", "c"}, {});
  const Expression expression = express(model, match, some_counts, 3, {0, 3}, {}, *alone);
  const CsrMatrix rows = expression.read({0, 3});
  EXPECT_EQ(rows.columns, 3);
  const auto logs = [](double x) { return testing::FloatNear(static_cast<float>(std::log1p(x)), 1e-6F); };
  EXPECT_THAT(rows.indices, ElementsAre(0, 2, 0, 2));
  EXPECT_THAT(rows.values, ElementsAre(logs(2), logs(2), logs(2), logs(8)));  // totals 4, 4 and 4
  EXPECT_THAT(rows.row_start, ElementsAre(0, 2, 3, 4));
}

}  // namespace
}  // namespace masksc

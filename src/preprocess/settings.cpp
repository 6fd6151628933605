#include "masksc/preprocess/settings.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

void describe(OptionTable& table, PreparationSettings& settings) {
  table.begin_group("Preparation");
  table.add("matrix", settings.matrix,
            "genes of a cell as a matrix: auto (largest square the genes fill, at most 64x64) or GxS", "auto|GxS");
  table.add_choice("tokens", settings.tokens, {{"patches", Tokens::patches}, {"sequences", Tokens::sequences}},
                   "what a token is: a square patch of the matrix, or one of its rows");
  table.add("patch", settings.patch, "side of a square patch in genes; auto: a quarter of the matrix side", "auto|N");
  table.add(
      "genes", settings.genes,
      "genes to choose from: a file with one name a line, or highly_variable (the flag in var); all when empty. The "
      "most variable of them fill the matrix",
      "FILE|highly_variable");
  table.add_choice(
      "gene-order", settings.gene_order,
      {{"file", GeneOrder::file}, {"variable", GeneOrder::variable}, {"coexpression", GeneOrder::coexpression}},
      "order of the genes in the matrix: the file's, the most variable first, or neighbours that vary together");
  table.add_choice(
      "standardize", settings.standardize,
      {{"auto", Standardize::automatic},
       {"yes", Standardize::yes},
       {"no", Standardize::no},
       {"residuals", Standardize::residuals}},
      "each gene's log values standardised (yes), Pearson residuals of its counts (residuals), both clipped at "
      "10, or log values (no); auto: yes, but residuals where log values show no groups of cells or residuals show "
      "clearer ones");
  table.add_switch("batch-statistics", settings.batch_statistics,
                   "standardise each gene within each batch (--batch-key, or each of several inputs)");
}

void validate(const PreparationSettings& settings) {
  validate_shape(settings.matrix, settings.patch, settings.tokens);
  if (settings.batch_statistics && settings.standardize == Standardize::no)
    throw UserError("--batch-statistics is a way to standardise: leave --standardize no out");
  std::error_code ignored;
  if (!settings.genes.empty() && settings.genes != flagged_genes &&
      !std::filesystem::is_regular_file(settings.genes, ignored))
    throw UserError(fmt::format("--genes {}: no such file (it takes a file with one gene name a line, or {})",
                                shown(settings.genes), flagged_genes));
}

}  // namespace masksc

#include "masksc/preprocess/prepare.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "masksc/core/error.hpp"
#include "masksc/core/log.hpp"
#include "masksc/preprocess/coexpression.hpp"
#include "masksc/preprocess/gene_list.hpp"
#include "masksc/preprocess/normalize.hpp"
#include "masksc/preprocess/scaling.hpp"
#include "masksc/preprocess/variable_genes.hpp"
#include "shard_rows.hpp"

namespace masksc {
namespace {

/// `usable` by descending normalised dispersion, ranked among all genes with counts as scanpy does after filter_genes.
std::vector<std::int64_t> rank_genes(const ShardRows& shard, std::int64_t cells, double median,
                                     std::span<const std::uint8_t> expressed, std::span<const std::int64_t> usable,
                                     Collectives& ranks) {
  MomentSums sums(MomentSums::Of::normalized_counts, shard.columns(), {cells}, median);
  together(ranks, [&] { shard.for_each([&](const CsrMatrix& block, RowRange) { sums.add(block); }); });
  const GeneMoments all = sums.finish(ranks).front();
  GeneMoments kept;
  std::vector<std::size_t> position(expressed.size());
  for (std::size_t gene = 0; gene < expressed.size(); ++gene) {
    position[gene] = kept.mean.size();
    if (expressed[gene] == 0) continue;
    kept.mean.push_back(all.mean[gene]);
    kept.variance.push_back(all.variance[gene]);
  }
  const std::vector<double> scores = normalized_dispersion(kept);
  std::vector<double> usable_scores;
  for (const std::int64_t gene : usable) usable_scores.push_back(scores[position[static_cast<std::size_t>(gene)]]);
  std::vector<std::int64_t> order = by_descending_score(usable_scores);
  for (std::int64_t& gene : order) gene = usable[static_cast<std::size_t>(gene)];
  return order;
}

void report(std::int64_t cells, std::size_t all, std::size_t admitted, std::size_t usable, const Expression& chosen,
            const PreparationSettings& settings) {
  if (admitted < all) log::info("genes: {} of {} named by --genes {}", admitted, all, settings.genes);
  if (usable < admitted) log::info("genes: {} of {} have no counts and are dropped", admitted - usable, admitted);
  const MatrixLayout& layout = chosen.layout;
  const auto slots = layout.rows * layout.columns;
  const auto kept = static_cast<std::int64_t>(chosen.genes.size());
  log::info("expression: {} cells x {} of {} genes as a {}x{} matrix, {} patches of {}x{}{}", cells, kept, usable,
            layout.rows, layout.columns, layout.tokens(), layout.patch_rows, layout.patch_columns,
            kept < slots ? fmt::format(", {} slots padded", slots - kept) : std::string());
}

/// What preparation is told of the cells and genes beside their counts.
struct ShardFacts {
  std::int64_t cells = 0;
  std::span<const std::string> gene_names;
  std::span<const std::uint8_t> highly_variable;
  const Labels& batches;
};

void check_shard(const ShardRows& shard, const ShardFacts& facts) {
  const auto genes = static_cast<std::size_t>(shard.columns());
  ensure(shard.rows().begin >= 0 && shard.rows().end <= facts.cells, "prepare_expression: rows do not match");
  ensure(genes == facts.gene_names.size(), "prepare_expression: one name a gene");
  ensure(facts.highly_variable.empty() || facts.highly_variable.size() == genes, "prepare_expression: one flag a gene");
  ensure(facts.batches.empty() || static_cast<std::int64_t>(facts.batches.codes.size()) == facts.cells,
         "prepare_expression: one batch a cell");
}

/// Puts the columns of `shard`, which are `genes`, in the order of coexpression_order. A collective.
void order_by_coexpression(ShardRows& shard, std::int64_t cells, std::vector<std::int64_t>& genes, Collectives& ranks) {
  CsrMatrix correlated;
  together(ranks, [&] { correlated = shard.only([&](std::int64_t cell) { return is_correlated_cell(cell, cells); }); });
  const auto order = coexpression_order(correlated, cells, shard.rows(), ranks);
  shard.select(order);
  const auto in_file_order = genes;
  std::transform(order.begin(), order.end(), genes.begin(),
                 [&](std::int64_t column) { return in_file_order[static_cast<std::size_t>(column)]; });
}

Expression prepare(ShardRows shard, const ShardFacts& facts, const PreparationSettings& settings, Collectives& ranks) {
  check_shard(shard, facts);
  if (settings.batch_statistics && facts.batches.empty())
    throw UserError("--batch-statistics needs to know the batches: give several --input, or --batch-key COLUMN of obs");
  const std::int64_t cells = facts.cells;
  std::vector<std::uint8_t> expressed(facts.gene_names.size());
  std::vector<double> totals;
  together(ranks, [&] {
    shard.for_each([&](const CsrMatrix& block, RowRange) {
      mark_genes_with_counts(block, expressed);
      const std::vector<double> some = cell_totals(block);
      totals.insert(totals.end(), some.begin(), some.end());
    });
  });
  ranks.all_reduce(std::span(expressed), ReduceOp::max);
  const double median = median_total(totals, ranks);
  if (!(median > 0)) throw UserError("the input has no counts: nothing to prepare");
  shard.normalize(totals, median);

  const auto admitted = admitted_genes(facts.gene_names, facts.highly_variable, settings, ranks);
  std::vector<std::int64_t> genes;
  std::copy_if(admitted.begin(), admitted.end(), std::back_inserter(genes),
               [&](std::int64_t gene) { return expressed[static_cast<std::size_t>(gene)] != 0; });
  const std::size_t usable = genes.size();
  const PatchedShape shape =
      choose_shape(settings.matrix, settings.patch, static_cast<std::int64_t>(usable), settings.tokens);
  const auto slots = static_cast<std::size_t>(shape.rows * shape.columns);
  if (usable > slots || settings.gene_order == GeneOrder::variable) {
    genes = rank_genes(shard, cells, median, expressed, genes, ranks);
    genes.resize(std::min(usable, slots));
    if (settings.gene_order != GeneOrder::variable) std::sort(genes.begin(), genes.end());
  }

  Expression expression;
  shard.select(genes);
  if (settings.gene_order == GeneOrder::coexpression) order_by_coexpression(shard, cells, genes, ranks);
  expression.cells = cells;
  expression.rows = shard.rows();
  expression.target_total = median;
  if (settings.batch_statistics) expression.batch_of_cell = facts.batches.codes;
  shard.move_to(expression);
  expression.scaling = scaling_of(expression, std::ssize(facts.batches.names), settings.standardize, ranks);
  for (const std::int64_t gene : genes)
    expression.gene_names.push_back(facts.gene_names[static_cast<std::size_t>(gene)]);
  expression.layout = lay_out(shape, static_cast<std::int64_t>(genes.size()));
  expression.genes = std::move(genes);
  report(cells, facts.gene_names.size(), admitted.size(), usable, expression, settings);
  return expression;
}

}  // namespace

std::vector<std::int64_t> admitted_genes(std::span<const std::string> gene_names,
                                         std::span<const std::uint8_t> highly_variable,
                                         const PreparationSettings& settings, Collectives& ranks) {
  if (!settings.genes.empty() && settings.genes != flagged_genes)
    return read_gene_list(settings.genes, gene_names, ranks);
  std::vector<std::int64_t> genes(gene_names.size());
  std::iota(genes.begin(), genes.end(), std::int64_t{0});
  if (settings.genes.empty()) return genes;
  if (highly_variable.empty())
    throw UserError(
        "--genes highly_variable needs flags (True or False, no texts) in var['highly_variable'] of the input, which "
        "has none; run scanpy's pp.highly_variable_genes first, or give --genes a file with names");
  std::erase_if(genes, [&](std::int64_t gene) { return highly_variable[static_cast<std::size_t>(gene)] == 0; });
  if (genes.empty()) throw UserError("--genes highly_variable: var['highly_variable'] of the input flags no gene");
  return genes;
}

double share_of_counts(const Expression& expression, Collectives& ranks) {
  constexpr std::int64_t looked_at = 2000;
  std::array<double, 2> sums{};  // of shares, of cells
  together(ranks, [&] {
    const RowRange mine = {expression.rows.begin, std::min(expression.rows.end, looked_at)};
    for (std::int64_t start = mine.begin; start < mine.end; start += scanned_rows) {
      const RowRange some = {start, std::min(start + scanned_rows, mine.end)};
      const ExpressionRows rows(expression, some);
      for (std::int64_t cell = some.begin; cell < some.end; ++cell)
        for (const float value : rows.values(cell)) sums[0] += std::expm1(static_cast<double>(value));
      sums[1] += static_cast<double>(some.size());
    }
  });
  ranks.all_reduce(std::span<double>(sums));
  return sums[0] / (sums[1] * expression.target_total);
}

Expression prepare_expression(CsrMatrix counts, std::int64_t cells, RowRange rows,
                              std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                              const PreparationSettings& settings, Collectives& ranks, const Labels& batches) {
  ensure(counts.rows == rows.size(), "prepare_expression: rows do not match");
  return prepare(ShardRows(std::move(counts), rows), {cells, gene_names, highly_variable, batches}, settings, ranks);
}

Expression prepare_streamed(ReadCounts read, std::int64_t block_rows, std::int64_t cells, RowRange rows,
                            std::span<const std::string> gene_names, std::span<const std::uint8_t> highly_variable,
                            const PreparationSettings& settings, Collectives& ranks, const Labels& batches) {
  return prepare(ShardRows(std::move(read), block_rows, rows, static_cast<std::int64_t>(gene_names.size())),
                 {cells, gene_names, highly_variable, batches}, settings, ranks);
}

}  // namespace masksc

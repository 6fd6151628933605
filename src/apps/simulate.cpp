// masksc_simulate: counts of cells of known groups, on any number of ranks, as an h5ad file.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/io/h5ad_writer.hpp"
#include "masksc/simulate/splatter.hpp"
#include "output_file.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_simulate", "Simulates counts of single cells in known groups by Splatter's model.",
    "masksc_simulate --output FILE [--cells N] [--genes N] [--groups N|LIST] [options]"};

struct SimulateOptions {
  masksc::OutputFile output;
  masksc::SimulationSettings simulation;
  bool quiet = false;
};

masksc::OptionTable describe_simulate(SimulateOptions& options) {
  masksc::OptionTable table;
  table.begin_group("Output", masksc::OptionRole::path);
  describe(table, options.output, "h5ad file: counts in X, groups in obs['group']");
  describe(table, options.simulation);
  table.begin_group("Run", masksc::OptionRole::runtime);
  table.add_switch("quiet", options.quiet, "only warnings and errors");
  return table;
}

std::vector<std::string> numbered(const char* what, std::int64_t count) {
  std::vector<std::string> names;
  for (std::int64_t i = 1; i <= count; ++i) names.push_back(fmt::format("{}{}", what, i));
  return names;
}

/// The file with what is known of the genes: expected mean, and factor in each group.
std::unique_ptr<masksc::H5adWriter> open_writer(const SimulateOptions& options, const masksc::SimulatedGenes& genes) {
  const masksc::SimulationSettings& settings = options.simulation;
  auto writer = std::make_unique<masksc::H5adWriter>(options.output.path, numbered("Cell", settings.cells),
                                                     numbered("Gene", settings.genes));
  writer->add_var("mean", std::span<const double>(genes.mean));
  for (std::int64_t group = 0; group < genes.plan.groups(); ++group)
    writer->add_var(
        fmt::format("factor_Group{}", group + 1),
        std::span(genes.factors).subspan(static_cast<std::size_t>(group * settings.genes), genes.mean.size()));
  return writer;
}

/// Cells `block` on rank 0, each rank having simulated its share of them; their groups are appended to `groups`.
masksc::CsrMatrix simulate_block(const masksc::SimulationSettings& settings, const masksc::SimulatedGenes& genes,
                                 masksc::RowRange block, std::vector<std::int32_t>& groups,
                                 masksc::Collectives& ranks) {
  const masksc::RowRange share = masksc::rows_of_rank(block.size(), ranks.rank(), ranks.size());
  std::vector<std::int32_t> own_groups;
  const masksc::CsrMatrix own =
      simulate_cells(settings, genes, {block.begin + share.begin, block.begin + share.end}, &own_groups);
  std::vector<std::int64_t> own_sizes;
  for (std::int64_t cell = 0; cell < own.rows; ++cell)
    own_sizes.push_back(static_cast<std::int64_t>(own.row_size(cell)));

  const auto block_groups = ranks.gather_varied(std::span<const std::int32_t>(own_groups));
  groups.insert(groups.end(), block_groups.begin(), block_groups.end());
  masksc::CsrMatrix all;
  all.rows = ranks.is_root() ? block.size() : 0;
  all.columns = settings.genes;
  for (const std::int64_t size : ranks.gather_varied(std::span<const std::int64_t>(own_sizes)))
    all.row_start.push_back(all.row_start.back() + size);
  all.indices = ranks.gather_varied(std::span<const std::int32_t>(own.indices));
  all.values = ranks.gather_varied(std::span<const float>(own.values));
  return all;
}

void simulate(const SimulateOptions& options, masksc::Collectives& ranks) {
  const masksc::SimulationSettings& settings = options.simulation;
  const masksc::SimulatedGenes genes = simulate_genes(settings);
  std::unique_ptr<masksc::H5adWriter> writer;
  masksc::on_root(ranks, [&] { writer = open_writer(options, genes); });

  constexpr std::int64_t block_values = 1 << 23;
  const std::int64_t block_cells = std::clamp<std::int64_t>(block_values / settings.genes, 1, 8192);
  masksc::Labels groups{{}, numbered("Group", genes.plan.groups())};
  std::int64_t nonzeros = 0;
  for (std::int64_t begin = 0; begin < settings.cells; begin += block_cells) {
    const masksc::RowRange block{begin, std::min(begin + block_cells, settings.cells)};
    const masksc::CsrMatrix counts = simulate_block(settings, genes, block, groups.codes, ranks);
    masksc::on_root(ranks, [&] { writer->append_X(counts); });
    nonzeros += counts.nonzeros();
  }
  masksc::on_root(ranks, [&] {
    writer->add_obs("group", groups);
    writer->finish();
  });
  masksc::log::info("{}: {} cells x {} genes in {} groups, {:.1f} % of the counts are not zero", options.output.path,
                    settings.cells, settings.genes, genes.plan.groups(),
                    100.0 * static_cast<double>(nonzeros) / static_cast<double>(settings.cells) /
                        static_cast<double>(settings.genes));
}

masksc::ExitCode run(masksc::Runtime& runtime, const SimulateOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  validate(options.simulation);
  masksc::on_root(world, [&] { check(options.output); });
  simulate(options, world);
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, describe_simulate, run); }

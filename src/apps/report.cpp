// masksc_report: the page or the figures of a finished run, comparison or sweep.
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "command_line.hpp"
#include "figure_formats.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/report/page.hpp"
#include "masksc/run/report_stage.hpp"
#include "masksc/study/figures.hpp"
#include "output_file.hpp"

namespace {

namespace fs = std::filesystem;

const masksc::ProgramInfo program = {
    "masksc_report", "Writes report.html, the page of a finished run, comparison or sweep, or its figures for a paper.",
    "masksc_report DIR [--report-genes GENE] [--output FILE] [--clusters FILE.h5ad]\n"
    "       masksc_report DIR --figures svg|pdf|png [--output FOLDER] [--clusters FILE.h5ad]\n"
    "       DIR is the --output of masksc_train, masksc_embed, masksc_compare or masksc_sweep",
    "folder"};

enum class Wanted { page, svg, pdf, png };

struct ReportOptions {
  std::string folder;
  std::string output;
  std::string clusters;
  std::string column;
  std::vector<std::string> genes;
  Wanted wanted = Wanted::page;
  std::int64_t threads = 0;
  bool quiet = false;
};

masksc::OptionTable describe(ReportOptions& options) {
  masksc::OptionTable table;
  table.begin_group("Input and output", masksc::OptionRole::path);
  table.add("folder", options.folder, "folder of a finished run, comparison or sweep", "DIR");
  table.add("output", options.output,
            "the page, DIR/report.html without it (FILE.html of --clusters); or the folder of the figures, DIR/figures "
            "without it (FILE-figures)",
            "PATH");
  table.add("clusters", options.clusters,
            "page or figures show these clusters, which masksc_cluster made of DIR/result.h5ad, in place of the run's",
            "FILE");
  table.add("column", options.column, "which clusters, where --clusters holds several", "NAME");
  table.add_choice("figures", options.wanted,
                   {{"no", Wanted::page}, {"svg", Wanted::svg}, {"pdf", Wanted::pdf}, {"png", Wanted::png}},
                   "instead of the page, the paper's figures 1, 4, 5 and 6 as far as there are results for them");
  masksc::describe_report_genes(table, options.genes);
  table.begin_group("Run", masksc::OptionRole::runtime);
  table.add("threads", options.threads, "CPU threads (0: the cores there are)");
  table.add_switch("quiet", options.quiet, "only warnings and errors");
  return table;
}

masksc::FigureFormat format_of(Wanted wanted) {
  if (wanted == Wanted::pdf) return masksc::FigureFormat::pdf;
  return wanted == Wanted::png ? masksc::FigureFormat::png : masksc::FigureFormat::svg;
}

std::optional<masksc::OtherClusters> other_clusters(const ReportOptions& options) {
  if (options.clusters.empty()) return std::nullopt;
  return masksc::OtherClusters{options.clusters, options.column};
}

fs::path figures_path(const ReportOptions& options) {
  if (!options.output.empty()) return options.output;
  if (!options.clusters.empty()) return fs::path(options.clusters).replace_extension("").string() + "-figures";
  return fs::path(options.folder) / "figures";
}

void write_figures(const fs::path& to, const ReportOptions& options, int threads) {
  const masksc::FigureFormat format = format_of(options.wanted);
  masksc::check_format(format);
  const std::vector<masksc::Figure> figures = masksc::figures_of(options.folder, threads, other_clusters(options));
  masksc::make_folder(to);
  for (const masksc::Figure& figure : figures)
    masksc::log::info("figure: {}", masksc::write_figure(to / figure.name, figure.svg, format).string());
}

fs::path page_path(const ReportOptions& options) {
  if (!options.output.empty()) return options.output;
  if (!options.clusters.empty()) return fs::path(options.clusters).replace_extension(".html");
  return fs::path(options.folder) / "report.html";
}

void write_page_to(const fs::path& page, const ReportOptions& options, int threads) {
  if (page != fs::path(options.folder) / "report.html") {
    masksc::check({page.string(), /*overwrite=*/true});
    if (fs::exists(page) && !masksc::is_page(page))
      throw masksc::UserError(
          fmt::format("--output {} exists and is no page of mask-sc; give another name", page.string()));
  }
  masksc::write_report(options.folder, page, {options.genes, threads}, other_clusters(options));
}

masksc::ExitCode run(masksc::Runtime& runtime, const ReportOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::on_root(world, [&] {
    if (options.folder.empty()) throw masksc::UserError("which run? give the folder that was its --output");
    masksc::require_at_least("threads", options.threads, 0);
    if (options.clusters.empty() && !options.column.empty())
      throw masksc::UserError("--column names clusters of the file that --clusters gives, which is missing");
    const int threads = options.threads > 0 ? static_cast<int>(options.threads) : runtime.cores_per_rank();
    if (options.wanted == Wanted::page)
      write_page_to(page_path(options), options, threads);
    else
      write_figures(figures_path(options), options, threads);
  });
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, describe, run); }

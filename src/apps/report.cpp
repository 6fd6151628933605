// masksc_report: the page of a finished run, comparison or sweep.
#include <fmt/format.h>

#include <filesystem>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/run/report_stage.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_report", "Writes report.html, the page of a finished run, comparison or sweep.",
    "masksc_report DIR [--report-genes GENE] [--output FILE]\n"
    "       DIR is the --output of masksc_train, masksc_embed, masksc_compare or masksc_sweep",
    "folder"};

struct ReportOptions {
  std::string folder;
  std::string output;
  std::vector<std::string> genes;
  std::int64_t threads = 0;
  bool quiet = false;
};

masksc::OptionTable describe(ReportOptions& options) {
  masksc::OptionTable table;
  table.begin_group("Input and output", masksc::OptionRole::path);
  table.add("folder", options.folder, "folder of a finished run, comparison or sweep", "DIR");
  table.add("output", options.output, "the page; DIR/report.html without it", "FILE");
  masksc::describe_report_genes(table, options.genes);
  table.begin_group("Run", masksc::OptionRole::runtime);
  table.add("threads", options.threads, "CPU threads (0: the cores there are)");
  table.add_switch("quiet", options.quiet, "only warnings and errors");
  return table;
}

masksc::ExitCode run(masksc::Runtime& runtime, int argc, char** argv) {
  ReportOptions options;
  masksc::OptionTable table = describe(options);
  masksc::Collectives& world = runtime.world();
  if (masksc::parse_command_line(argc, argv, table, program, world.is_root()) == masksc::CommandLineAction::exit_done)
    return masksc::ExitCode::done;
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::on_root(world, [&] {
    if (options.folder.empty()) throw masksc::UserError("which run? give the folder that was its --output");
    masksc::require_at_least("threads", options.threads, 0);
    const std::filesystem::path folder = options.folder;
    const int threads = options.threads > 0 ? static_cast<int>(options.threads) : runtime.cores_per_rank();
    masksc::write_report(folder,
                         options.output.empty() ? folder / "report.html" : std::filesystem::path(options.output),
                         {options.genes, threads});
  });
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) {
  return masksc::run_program(argc, argv, [&](masksc::Runtime& runtime) { return run(runtime, argc, argv); });
}

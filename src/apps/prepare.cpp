// masksc_prepare: from any file of counts to the row-chunked sparse file that ranks read in parallel.
#include <fmt/format.h>

#include <filesystem>

#include "command_line.hpp"
#include "masksc/core/log.hpp"
#include "masksc/core/text.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/io/inputs.hpp"
#include "masksc/io/prepared.hpp"
#include "output_file.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_prepare", "Writes counts as the file that masksc_train reads in parallel, to use it in many runs.",
    "masksc_prepare --input FILE [--input FILE ...] --output FILE [--labels COLUMN] [options]"};

struct PrepareOptions {
  std::vector<std::string> inputs;
  masksc::OutputFile output;
  masksc::InputSettings counts;
  bool quiet = false;
};

masksc::OptionTable describe_prepare(PrepareOptions& options) {
  masksc::OptionTable table;
  table.begin_group("Input and output", masksc::OptionRole::path);
  table.add_list(
      "input", options.inputs,
      "counts: h5ad, X/Y or 10x HDF5, a 10x folder (matrix.mtx), or a prepared file; again for more, or @LIST, "
      "a file that names them",
      "FILE");
  describe(table, options.output, "the prepared file");
  describe(table, options.counts);
  table.begin_group("Run", masksc::OptionRole::runtime);
  table.add_switch("quiet", options.quiet, "only warnings and errors");
  return table;
}

void check(const PrepareOptions& options) {
  if (options.inputs.empty()) throw masksc::UserError("--input is missing: give the file of counts");
  for (const std::filesystem::path& file : masksc::listed_inputs(options.inputs)) check(options.output, file.string());
}

void prepare(const PrepareOptions& options) {
  const masksc::PreparationReport report =
      masksc::prepare_counts(masksc::listed_inputs(options.inputs), options.counts, options.output.path);
  for (const std::string& warning : masksc::warnings_of(report)) masksc::log::warning("{}", warning);
  if (report.genes_without_counts > 0)
    masksc::log::info("{} genes have no counts; training drops them", report.genes_without_counts);
  masksc::log::info("{}: {} cells x {} genes, {} counts, {}", options.output.path, report.cells, report.genes,
                    report.nonzeros,
                    masksc::format_bytes(static_cast<double>(std::filesystem::file_size(options.output.path))));
}

masksc::ExitCode run(masksc::Runtime& runtime, const PrepareOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  masksc::on_root(world, [&] { check(options); });
  masksc::on_root(world, [&] { prepare(options); });
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, describe_prepare, run); }

// masksc_embed: new cells through a model that masksc_train has left.
#include <fmt/format.h>

#include "command_line.hpp"
#include "masksc/core/json_text.hpp"
#include "masksc/core/log.hpp"
#include "masksc/dist/runtime.hpp"
#include "masksc/run/embed_new.hpp"
#include "masksc/run/result_table.hpp"

namespace {

const masksc::ProgramInfo program = {
    "masksc_embed", "Embeds and clusters new cells by a trained model, and carries labels of known cells over.",
    "mpirun -np N masksc_embed --model DIR --input FILE --output DIR2 [--reference DIR/result.h5ad] [options]"};

masksc::ExitCode run(masksc::Runtime& runtime, const masksc::EmbedOptions& options) {
  masksc::Collectives& world = runtime.world();
  if (options.quiet) masksc::log::configure(world.rank(), masksc::log::Level::warning);
  const masksc::Json metrics = masksc::embed_new_cells(options, masksc::place_of(runtime));
  if (world.is_root()) fmt::print("{}", masksc::result_table(metrics, options.output));
  return masksc::ExitCode::done;
}

}  // namespace

int main(int argc, char** argv) { return masksc::run_program(argc, argv, program, masksc::describe_embed, run); }

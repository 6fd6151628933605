#include "masksc/run/options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"

namespace masksc {

void describe_keeping(OptionTable& table, bool& keep_input) {
  table.begin_group("Input", OptionRole::result);
  table.add_switch(
      "keep-input", keep_input,
      "result.h5ad holds all that is in an h5ad input: obs, var, layers, obsm, obsp, varm, varp, uns, raw; of "
      "several inputs their obs");
}

OptionTable describe_run(RunOptions& o) {
  OptionTable table;
  table.begin_group("Input and output", OptionRole::path);
  table.add_list(
      "input", o.inputs,
      "counts: h5ad, X/Y or 10x HDF5, a 10x folder (matrix.mtx), or a file made by masksc_prepare; again for more, "
      "or @LIST, a file that names them",
      "FILE");
  table.add("output", o.output, "folder of the results", "DIR");
  table.add_switch("overwrite", o.overwrite, "replace the run in --output");
  describe(table, o.counts);
  describe_keeping(table, o.keep_input);
  describe(table, o.preparation);
  describe(table, o.data);
  describe(table, o.sequence);
  describe(table, o.target);
  describe(table, o.model);
  describe(table, o.train);
  describe(table, o.engine);
  describe(table, o.cluster);
  describe(table, o.run);
  describe(table, o.report);
  describe(table, o.plan);
  return table;
}

void validate(const RunOptions& o) {
  validate(o.plan);
  if (!o.plan.plan) {
    if (o.inputs.empty()) throw UserError("--input is missing: give the file of counts");
    if (o.output.empty()) throw UserError("--output is missing: give the folder of the results");
  }
  validate(o.preparation);
  validate(o.data);
  validate(o.sequence);
  validate(o.target);
  validate(o.model);
  validate(o.train);
  validate(o.engine);
  if (o.engine.cuda_graph && o.model.dropout > 0)
    throw UserError(fmt::format(
        "--cuda-graph does not go with --dropout {}, whose draws change from epoch to epoch, which a recorded "
        "pass does not: leave out one",
        o.model.dropout));
  validate(o.cluster);
  validate(o.run);
  validate(o.report);
}

std::string absolute_if_file(const Option& option) {
  const std::string value = option.get();
  std::error_code none;
  if (option.name != "genes" || !std::filesystem::is_regular_file(value, none)) return value;
  return full_path(value).string();
}

std::string resolved_configuration(const OptionTable& table) {
  std::string text = "# The resolved configuration of this run; run again with --config it gives the same result.\n";
  std::string group;
  for (const Option& option : table.options()) {
    if (command_line_only(option.role)) continue;
    if (option.group != group) text += fmt::format("\n# {}\n", group = option.group);
    const std::string value = absolute_if_file(option);
    text += value.empty() ? fmt::format("# {} =\n", option.name) : fmt::format("{} = {}\n", option.name, value);
  }
  return text;
}

std::string resolved_configuration(RunOptions options) { return resolved_configuration(describe_run(options)); }

Json result_values(const OptionTable& table, std::initializer_list<std::string_view> also) {
  Json values = Json::object();
  for (const Option& option : table.options())
    if (option.role == OptionRole::result || std::ranges::find(also, option.name) != also.end())
      values[option.name] = option.get();
  return values;
}

}  // namespace masksc

// All options of a run, one table for the parser, --help, config.ini and the check of a repeated run.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "masksc/cluster/choose.hpp"
#include "masksc/core/json.hpp"
#include "masksc/core/options.hpp"
#include "masksc/data/settings.hpp"
#include "masksc/io/counts_reader.hpp"
#include "masksc/model/settings.hpp"
#include "masksc/plan/settings.hpp"
#include "masksc/preprocess/settings.hpp"
#include "masksc/report/settings.hpp"
#include "masksc/run/settings.hpp"
#include "masksc/train/settings.hpp"

namespace masksc {

struct RunOptions {
  std::vector<std::string> inputs;  // files of counts, or a prepared file; see listed_inputs
  std::string output;               // folder of the run
  bool overwrite = false;
  bool keep_same = false;  // of points of a study: with `overwrite`, a run of the same settings and data goes on
  InputSettings counts;
  bool keep_input = false;
  PreparationSettings preparation;
  DataSettings data;
  SequenceSettings sequence;
  TargetSettings target;
  ModelSettings model;
  TrainSettings train;
  EngineSettings engine;
  ClusterSettings cluster;
  RunSettings run;
  ReportSettings report;
  PlanSettings plan;
};

/// --keep-input alone.
void describe_keeping(OptionTable& table, bool& keep_input);
/// Adds every option; `options` must outlive the table.
OptionTable describe_run(RunOptions& options);

/// Throws UserError for values out of range and, unless --plan, for a missing --input or --output.
void validate(const RunOptions& options);

/// The value of an option as configurations hold it: of the one that may name a file, --genes, its absolute path.
std::string absolute_if_file(const Option& option);

/// The resolved configuration as INI text: every option that configurations hold. Run again it gives the same result.
std::string resolved_configuration(const OptionTable& table);
std::string resolved_configuration(RunOptions options);

/// The values of the options that change a result, by name, and of those of other roles that are named.
Json result_values(const OptionTable& table, std::initializer_list<std::string_view> also = {});

}  // namespace masksc

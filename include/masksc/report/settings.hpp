// What is asked of the report.
#pragma once

#include <string>
#include <vector>

#include "masksc/core/options.hpp"

namespace masksc {

struct ReportSettings {
  bool report = true;              // draw maps of the cells and write report.html
  std::vector<std::string> genes;  // to colour cells by, besides the top markers
};

void describe(OptionTable& table, ReportSettings& settings);
/// --report-genes alone.
void describe_report_genes(OptionTable& table, std::vector<std::string>& genes);
/// Throws UserError unless all of `wanted` are among the `genes` of the data.
void require_report_genes(const std::vector<std::string>& wanted, const std::vector<std::string>& genes);

}  // namespace masksc

// What is asked of the report.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "masksc/core/options.hpp"

namespace masksc {

struct ReportSettings {
  bool report = true;              // draw maps of the cells and write report.html
  std::vector<std::string> genes;  // to colour cells by, besides the top markers
};

void describe(OptionTable& table, ReportSettings& settings);
/// Throws UserError when genes are wanted of a page that is not made.
void validate(const ReportSettings& settings);
/// --report-genes alone.
void describe_report_genes(OptionTable& table, std::vector<std::string>& genes);
/// The places of all `wanted` among the `genes` of the data or, where they have some, their identifiers `ids`. Throws
/// UserError for one that is neither, with the nearest name.
std::vector<std::int64_t> find_report_genes(const std::vector<std::string>& wanted,
                                            const std::vector<std::string>& genes, const std::vector<std::string>& ids);

}  // namespace masksc

#include "masksc/report/settings.hpp"

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

void describe(OptionTable& table, ReportSettings& settings) {
  table.begin_group("Report", OptionRole::runtime);
  table.add("report", settings.report, "t-SNE and UMAP of the cells, and the page DIR/report.html");
  describe_report_genes(table, settings.genes);
}

void validate(const ReportSettings& settings) {
  if (!settings.report && !settings.genes.empty())
    throw UserError(
        fmt::format("--report-genes {} colours cells in the page of a run, which is not made here: leave "
                    "it out, or give --report yes",
                    shown(settings.genes.front())));
}

void describe_report_genes(OptionTable& table, std::vector<std::string>& genes) {
  table.begin_group("Report", OptionRole::request);  // configurations have no lists
  table.add_list("report-genes", genes, "a gene to colour cells by, besides the top markers; again for more", "GENE");
}

std::vector<std::int64_t> find_report_genes(const std::vector<std::string>& wanted,
                                            const std::vector<std::string>& genes,
                                            const std::vector<std::string>& ids) {
  if (wanted.empty()) return {};
  std::unordered_map<std::string_view, std::int64_t> places;
  for (const auto* names : {&genes, &ids})  // of equal ones the first, names before identifiers
    for (std::size_t i = 0; i < names->size(); ++i) places.emplace((*names)[i], static_cast<std::int64_t>(i));
  std::vector<std::int64_t> found;
  for (const std::string& name : wanted) {
    const auto place = places.find(name);
    if (place == places.end())
      throw UserError(fmt::format("--report-genes {}: the data have no such gene{}{}", shown(name),
                                  suggestion(name, genes),
                                  name.find(',') == std::string::npos ? "" : "; give the option once for each gene"));
    found.push_back(place->second);
  }
  return found;
}

}  // namespace masksc

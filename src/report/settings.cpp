#include "masksc/report/settings.hpp"

#include <fmt/format.h>

#include <set>
#include <string_view>

#include "masksc/core/error.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

void describe(OptionTable& table, ReportSettings& settings) {
  table.begin_group("Report", OptionRole::runtime);
  table.add("report", settings.report, "t-SNE and UMAP of the cells, and the page DIR/report.html");
  describe_report_genes(table, settings.genes);
}

void describe_report_genes(OptionTable& table, std::vector<std::string>& genes) {
  table.begin_group("Report", OptionRole::request);  // configurations have no lists
  table.add_list("report-genes", genes, "a gene to colour cells by, besides the top markers; again for more", "GENE");
}

void require_report_genes(const std::vector<std::string>& wanted, const std::vector<std::string>& genes) {
  if (wanted.empty()) return;
  const std::set<std::string_view> known(genes.begin(), genes.end());
  for (const std::string& name : wanted)
    if (!known.contains(name))
      throw UserError(
          fmt::format("--report-genes {}: the data have no such gene{}", shown(name), suggestion(name, genes)));
}

}  // namespace masksc

#include "masksc/report/settings.hpp"

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

}  // namespace masksc

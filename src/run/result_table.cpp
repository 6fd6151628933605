#include "masksc/run/result_table.hpp"

#include <fmt/format.h>

#include "masksc/cluster/outcome.hpp"
#include "masksc/core/text.hpp"

namespace masksc {

std::string score_rows(const Json& scores) {
  const auto score = [&](const char* name) {
    return scores.at(name).is_null() ? std::string("-") : fmt::format("{:.3f}", scores.at(name).get<double>());
  };
  std::string text = fmt::format("  {:<12}{:>10}   ({}{})\n", "clusters", scores.at("clusters").get<std::int64_t>(),
                                 printable(scores.at("clusters_by").get<std::string>()),
                                 scores.value("clusters_in", "") == "components" ? ", in principal components" : "");
  const std::string note = silhouette_note(scores);
  text += fmt::format("  {:<12}{:>10}\n  {:<12}{:>10}\n  {:<12}{:>10}{}\n", "ARI", score("ari"), "NMI", score("nmi"),
                      "silhouette", score("silhouette"), note.empty() ? note : fmt::format("   ({})", note));
  return text;
}

std::string result_table(const Json& m, const std::string& folder) {
  std::string text = fmt::format("\n  {:<12}{:>10}\n", "cells", m.at("cells").get<std::int64_t>());
  text += fmt::format("  {:<12}{:>10}\n", "genes", m.at("genes").get<std::int64_t>());
  text += score_rows(m);
  const Json& seconds = m.at("seconds");
  const int ranks = m.at("ranks").get<int>();
  text += fmt::format("  {:<12}{:>10}   ({} {}", "time", format_duration(seconds.at("total").get<double>()), ranks,
                      ranks == 1 ? "rank" : "ranks");
  if (const Json& speed = m.at("cells_per_second"); speed.is_number())
    text += fmt::format(", {:.0f} cells/s in {}", speed.get<double>(), m.contains("steps") ? "training" : "embedding");
  if (const double earlier = seconds.value("earlier", 0.0); earlier > 0)
    text += fmt::format(", {} of it before this start", format_duration(earlier));
  text += ")\n";
  text += fmt::format("  {:<12}{}\n\n", "results", folder);
  return text;
}

}  // namespace masksc

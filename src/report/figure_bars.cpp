#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "masksc/report/figures.hpp"
#include "masksc/report/svg.hpp"

namespace masksc {
namespace {

constexpr double left = 56;
constexpr double top = 60;
constexpr double plot_height = 240;
constexpr double bar = 18;
constexpr double gap = 16;  // between methods
constexpr double below = 110;
constexpr double key_width = 80;    // of a name in the legend
constexpr double note_width = 220;  // of the line on deviations

struct Score {
  const char* key;
  const char* title;
  const char* color;
};
constexpr std::array<Score, 2> scores = {{{"ari", "ARI", "#0072b2"}, {"nmi", "NMI", "#d55e00"}}};

}  // namespace

std::string bars_figure(const Json& methods) {
  std::vector<const Json*> shown;
  double low = 0;
  for (const Json& row : methods) {
    if (!row.at("ari").is_number()) continue;
    shown.push_back(&row);
    for (const Score& score : scores) low = std::min(low, row.at(score.key).get<double>());
  }
  if (shown.empty()) return "";
  const double group = bar * static_cast<double>(scores.size()) + gap;
  const double width = group * static_cast<double>(shown.size());
  const bool seeds = std::any_of(shown.begin(), shown.end(), [](const Json* row) { return row->at("seeds") > 1; });
  const double head = seeds ? note_width : key_width * static_cast<double>(scores.size());
  Svg svg(left + std::max(width + 24, head), top + plot_height + below);
  double legend = left;
  for (const Score& score : scores) {
    svg.rectangle(legend, 14, 14, 14, score.color);
    svg.text(legend + 20, 26, score.title, {});
    legend += key_width;
  }
  if (seeds) svg.text(left, 46, "lines: standard deviation over seeds", {.size = 11, .color = "#777777"});
  const Ticks range = {std::min(0.0, std::floor(low * 5) / 5), 1, 0.2};
  const auto at_y = [&](double value) { return top + plot_height * (range.high - value) / (range.high - range.low); };
  for (double tick = range.low; tick <= range.high + 0.01; tick += range.step) {
    svg.line(left, at_y(tick), left + width, at_y(tick), "#e3e3e3");
    svg.text(left - 8, at_y(tick) + 4, fmt::format("{:.1f}", std::abs(tick) < 0.01 ? 0 : tick),
             {.anchor = "end", .size = 11});
  }
  for (std::size_t m = 0; m < shown.size(); ++m) {
    const Json& row = *shown[m];
    double x = left + gap / 2 + group * static_cast<double>(m);
    svg.text(x + bar, top + plot_height + 14, row.at("method").get<std::string>(),
             {.anchor = "end", .size = 12, .turn = -40});
    for (const Score& score : scores) {
      const double mean = row.at(score.key).get<double>();
      svg.rectangle(x, std::min(at_y(mean), at_y(0)), bar, std::abs(at_y(mean) - at_y(0)), score.color);
      const Json& sd = row.at(fmt::format("{}_sd", score.key));
      if (sd.is_number() && sd.get<double>() > 0)
        svg.line(x + bar / 2, at_y(mean - sd.get<double>()), x + bar / 2, at_y(mean + sd.get<double>()), "#222222",
                 1.2);
      x += bar;
    }
  }
  svg.line(left, at_y(0), left + width, at_y(0), "#888888");
  return svg.str();
}

}  // namespace masksc

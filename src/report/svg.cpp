#include "masksc/report/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "masksc/report/markup.hpp"

namespace masksc {
namespace {

/// XML knows no control characters.
std::string escaped(std::string text) {
  std::erase_if(text, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  return escape_markup(text);
}

}  // namespace

void Svg::text(double x, double y, const std::string& content, const TextStyle& style) {
  body_ +=
      fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\" font-size=\"{}\" fill=\"{}\"{}{}>{}</text>\n", x,
                  y, style.anchor, style.size, style.color, style.bold ? " font-weight=\"bold\"" : "",
                  style.turn != 0 ? fmt::format(" transform=\"rotate({} {:.1f} {:.1f})\"", style.turn, x, y) : "",
                  escaped(content));
}

void Svg::rectangle(double x, double y, double width, double height, const std::string& fill,
                    const std::string& stroke) {
  body_ +=
      fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"{}\" stroke=\"{}\"/>\n", x,
                  y, width, height, fill, stroke);
}

void Svg::line(double x1, double y1, double x2, double y2, const std::string& color, double width) {
  body_ +=
      fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\" stroke-width=\"{}\"/>\n",
                  x1, y1, x2, y2, color, width);
}

void Svg::polyline(const std::vector<std::pair<double, double>>& points, const std::string& color) {
  std::string places;
  for (const auto& [x, y] : points) places += fmt::format("{:.1f},{:.1f} ", x, y);
  body_ += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>\n", places, color);
}

void Svg::circle(double x, double y, double radius, const std::string& color) {
  body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"{:.1f}\" fill=\"{}\"/>\n", x, y, radius, color);
}

std::string Svg::str() const {
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" "
      "font-family=\"Helvetica, Arial, sans-serif\">\n"
      "<rect width=\"{0:.0f}\" height=\"{1:.0f}\" fill=\"#ffffff\"/>\n{2}</svg>\n",
      width_, height_, body_);
}

Ticks ticks(double low, double high, int wanted) {
  if (!(high > low)) {
    const double room = low == 0 ? 1 : std::abs(low) / 10;
    low -= room;
    high += room;
  }
  const double rough = (high - low) / wanted;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double times : {5.0, 2.0, 1.0})
    if (times * power >= rough) step = times * power;
  const double slack = step * 1e-9;
  return {std::floor((low + slack) / step) * step, std::ceil((high - slack) / step) * step, step};
}

std::string blue(double share) {
  constexpr std::array<std::array<double, 3>, 3> stops = {{{247, 251, 255}, {107, 174, 214}, {8, 48, 107}}};
  const double at = std::clamp(share, 0.0, 1.0) * 2;
  const std::size_t first = at < 1 ? 0 : 1;
  std::array<int, 3> mixed{};
  for (std::size_t i = 0; i < 3; ++i)
    mixed[i] = static_cast<int>(
        std::lround(stops[first][i] + (at - static_cast<double>(first)) * (stops[first + 1][i] - stops[first][i])));
  return fmt::format("#{:02x}{:02x}{:02x}", mixed[0], mixed[1], mixed[2]);
}

}  // namespace masksc

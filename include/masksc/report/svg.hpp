// A drawing as SVG text: what the figures need, in pixels from the top left corner.
#pragma once

#include <string>
#include <vector>

namespace masksc {

class Svg {
 public:
  Svg(double width, double height) : width_(width), height_(height) {}

  struct TextStyle {
    std::string anchor = "start";  // start, middle, end
    double size = 12;
    std::string color = "#333333";
    bool bold = false;
    double turn = 0;  // degrees, around the text's place
  };
  void text(double x, double y, const std::string& content, const TextStyle& style);
  void rectangle(double x, double y, double width, double height, const std::string& fill,
                 const std::string& stroke = "none");
  void line(double x1, double y1, double x2, double y2, const std::string& color, double width = 1);
  void polyline(const std::vector<std::pair<double, double>>& points, const std::string& color);
  void circle(double x, double y, double radius, const std::string& color);

  [[nodiscard]] std::string str() const;

 private:
  double width_;
  double height_;
  std::string body_;
};

/// Steps of 1, 2 or 5 times a power of ten: about `wanted` of them from `low` to `high`, which they enclose.
struct Ticks {
  double low = 0;
  double high = 1;
  double step = 1;
};
Ticks ticks(double low, double high, int wanted);

/// "#rrggbb": from light to dark blue as `share` goes from 0 to 1.
std::string blue(double share);

}  // namespace masksc

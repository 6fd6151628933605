// Figures for papers: what they show is looked at by eye; here that they hold what they should, and nothing harmful.
#include "masksc/report/figures.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <regex>

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::Not;

std::int64_t count_of(const std::string& text, const std::string& what) {
  std::int64_t count = 0;
  for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++count;
  return count;
}

Json row(const std::string& method, const Json& ari, double sd) {
  return {{"method", method}, {"ari", ari}, {"ari_sd", sd}, {"nmi", ari}, {"nmi_sd", 0.0}, {"seeds", 3}};
}

TEST(Figures, BarsHaveTheHeightOfTheirScore) {
  const std::string svg =
      bars_figure(Json::array({row("a<b", 0.5, 0.1), row("failed", nullptr, 0), row("c", -0.25, 0)}));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
  EXPECT_THAT(svg, Not(HasSubstr("failed")));
  // The axis goes from -0.4 to 1 over 240 pixels: 0.5 is 85.7 of them, -0.25 is 42.9.
  EXPECT_EQ(count_of(svg, "height=\"85.7\""), 2);
  EXPECT_EQ(count_of(svg, "height=\"42.9\""), 2);
  EXPECT_EQ(bars_figure(Json::array({row("no labels", nullptr, 0)})), "");
}

TEST(Figures, BarsHaveRoomForTheirLegend) {
  for (const std::int64_t methods : {1, 2, 6}) {
    const std::string svg = bars_figure(Json(methods, row("a", 0.5, 0.1)));
    std::smatch found;
    ASSERT_TRUE(std::regex_search(svg, found, std::regex(" width=\"(\\d+)\"")));
    const double width = std::stod(found[1]);
    const std::regex text("<text x=\"([0-9.]+)\"[^>]*>(ARI|NMI|lines: [^<]*)</text>");
    std::int64_t texts = 0;
    for (std::sregex_iterator at(svg.begin(), svg.end(), text), end; at != end; ++at, ++texts)
      EXPECT_LE(std::stod((*at)[1]) + 5.5 * static_cast<double>((*at)[2].length()), width) << methods;
    EXPECT_EQ(texts, 3);
  }
}

TEST(Figures, CellsAreDrawnOnceEachUpToTenThousand) {
  CellsPanel panel{"t-SNE", DenseMatrix(12'000, 2), {std::vector<std::int32_t>(12'000), {"A & B", "other"}}};
  for (std::int64_t i = 0; i < panel.points.rows; ++i) {
    panel.points.row(i)[0] = static_cast<float>(i);
    panel.colours.codes[static_cast<std::size_t>(i)] = static_cast<std::int32_t>(i % 3) - 1;
  }
  const std::string svg = cells_figure({panel});
  EXPECT_EQ(count_of(svg, "<circle"), 10'000 + 2);  // and the legend
  EXPECT_THAT(svg, HasSubstr("10000 of 12000 cells"));
  EXPECT_THAT(svg, HasSubstr("A &amp; B"));
  EXPECT_THAT(svg, HasSubstr("#c9c9c9"));  // cells without a label
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_EQ(cells_figure({}), "");
}

TEST(Figures, PanelsOfOtherNamesHaveALegendOfTheirOwn) {
  CellsPanel one{"one", DenseMatrix(3, 2), {{0, 1, 0}, {"x", "y"}}};
  CellsPanel two{"two", DenseMatrix(3, 2), {{0, 0, 0}, {"z"}}};
  EXPECT_EQ(count_of(cells_figure({one, one}), "<circle"), 6 + 2);
  EXPECT_EQ(count_of(cells_figure({one, two}), "<circle"), 6 + 2 + 1);
}

TEST(Figures, ClustersHaveTheColoursOfTheirLabels) {
  const Labels labels{{0, 0, 0, 1, 1, 2, 2, -1}, {"x", "y", "z"}};
  const Labels clusters{{2, 2, 1, 0, 0, 3, 3, 1}, {"0", "1", "2", "3", "4"}};  // two hold x; 4 is empty
  const std::vector<std::int32_t> places = matching_places(clusters, labels);
  EXPECT_THAT(places, testing::ElementsAre(1, 3, 0, 2, 4));
  EXPECT_THAT(matching_places({{0, 0, 1}, {"0", "1"}}, {{2, 2, 2}, {"x", "y", "z"}}), testing::ElementsAre(2, 3));
  // Cluster 1 holds a stray cell of y, whose own are in cluster 0 like those of x: that does not make it one of y.
  EXPECT_THAT(matching_places({{0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2}, {"0", "1", "2"}},
                              {{0, 0, 0, 1, 1, 2, 2, 1, 2, 2, 2, 2}, {"x", "y", "z"}}),
              testing::ElementsAre(0, 3, 2));
  CellsPanel panel{"clusters", DenseMatrix(8, 2), clusters, places};
  const std::string svg = cells_figure({panel});
  EXPECT_EQ(count_of(svg, "#1f77b4"), 2 + 1);  // the cells of cluster 2, and its name
  EXPECT_EQ(count_of(svg, "#ff7f0e"), 2 + 1);
  EXPECT_EQ(count_of(cells_figure({{"labels", DenseMatrix(8, 2), labels, {}}, panel}), "<circle"), 8 + 3 + 8 + 5);
}

TEST(Figures, AttentionIsOnTheScaleOfItsCell) {
  AttentionGrid grid{2, 4, 1, 2, std::vector<std::string>(8, "g"), {}};
  grid.cells.push_back({7, 0, {0, 0, 0, 0, 0, 0, 0, 4}, {0, 0, 0, 0.25F}});
  const std::string svg = attention_figure(grid, {"T cells"});
  EXPECT_THAT(svg, HasSubstr("cluster T cells"));
  // Most attention and most expression are the darkest blue, once each.
  EXPECT_EQ(count_of(svg, "#08306b"), 2);
  EXPECT_EQ(attention_figure({}, {}), "");
}

}  // namespace
}  // namespace masksc

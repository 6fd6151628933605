// The table of a comparison: means and deviations over seeds, failures, and text that spreadsheets and people read.
#include "masksc/study/comparison_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace masksc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::vector<ComparedPoint> points() {
  return {{"a", 0, {{"ari", 0.5}, {"clusters", 3}, {"silhouette", nullptr}}, ""},
          {"a", 1, {{"ari", 0.7}, {"clusters", 4}, {"silhouette", 0.25}}, ""},
          {"b", 0, nullptr, "no \"igraph\", sorry"},
          {"b", 1, {{"ari", 1.0}}, ""},
          {"c", 0, nullptr, "out of | memory"}};
}

TEST(ComparisonTable, MeansAndDeviationsOverTheSeedsThatWork) {
  const Json rows = comparison_rows({"a", "b", "c"}, points());
  EXPECT_DOUBLE_EQ(rows[0]["ari"], 0.6);
  EXPECT_NEAR(rows[0]["ari_sd"].get<double>(), 0.141421356, 1e-9);
  EXPECT_DOUBLE_EQ(rows[0]["silhouette"], 0.25);
  EXPECT_DOUBLE_EQ(rows[0]["silhouette_sd"], 0);
  EXPECT_TRUE(rows[0]["nmi"].is_null());
  EXPECT_EQ(rows[0]["status"], "done");
  EXPECT_EQ(rows[1]["status"], "partly failed");
  EXPECT_EQ(rows[1]["seeds"], 1);
  EXPECT_EQ(rows[1]["message"], "seed 0: no \"igraph\", sorry");
  EXPECT_EQ(rows[2]["status"], "failed");
  EXPECT_TRUE(rows[2]["ari"].is_null());
}

TEST(ComparisonTable, AsCommaSeparatedValues) {
  const std::string text = comparison_csv(comparison_rows({"a", "b"}, points()));
  EXPECT_TRUE(text.starts_with("method,ari,nmi,silhouette,")) << text;
  EXPECT_THAT(text, HasSubstr("\na,0.6,,0.25,"));
  EXPECT_THAT(text, HasSubstr(",2,done,\n"));
  EXPECT_THAT(text, HasSubstr(",1,partly failed,\"seed 0: no \"\"igraph\"\", sorry\"\n"));
  const std::string head = text.substr(0, text.find('\n'));
  EXPECT_EQ(std::count(head.begin(), head.end(), ','),
            2 * static_cast<std::ptrdiff_t>(comparison_columns().size()) + 3);
}

TEST(ComparisonTable, AsMarkdown) {
  Json comparison = {{"input", "a|b.h5ad"},
                     {"cells", 10},
                     {"labels", nullptr},
                     {"categories", 0},
                     {"preparation", "shared"},
                     {"seeds", {3, 4}},
                     {"ranks", 1},
                     {"version", "1"},
                     {"commands", {"masksc_compare --methods a", "masksc_compare --methods c"}}};
  comparison["methods"] = comparison_rows({"a", "c"}, points());
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("`a\\|b.h5ad`"));
  EXPECT_THAT(text, HasSubstr("| method | ARI | silhouette | clusters | seeds |")) << "what some method has";
  EXPECT_THAT(text, HasSubstr("| `a` | 0.600 ± 0.141 | 0.250 ± 0.000 | 3.5 | 2 |"));
  EXPECT_THAT(text, HasSubstr("| `c` | – | – | – | 0 |"));
  EXPECT_THAT(text, HasSubstr("- `c` failed: seed 0: out of \\| memory"));
  EXPECT_THAT(text,
              HasSubstr("seeds 3, 4; 1 rank; mask-sc 1\n\n    masksc_compare --methods a\n    masksc_compare --"));
  EXPECT_THAT(text, Not(HasSubstr("Compared with the labels")));
}

}  // namespace
}  // namespace masksc

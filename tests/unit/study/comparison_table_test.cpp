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
  EXPECT_TRUE(rows[0]["silhouette_sd"].is_null()) << "of one number";
  EXPECT_TRUE(rows[0]["nmi"].is_null());
  EXPECT_EQ(rows[0]["status"], "done");
  EXPECT_EQ(rows[1]["status"], "partly failed");
  EXPECT_EQ(rows[1]["seeds"], 1);
  EXPECT_EQ(rows[1]["message"], "seed 0: no \"igraph\", sorry");
  EXPECT_EQ(rows[2]["status"], "failed");
  EXPECT_TRUE(rows[2]["ari"].is_null());
}

TEST(ComparisonTable, EqualScoresDeviateByNothing) {
  std::vector<ComparedPoint> alike;  // three times .1 is more than .3
  for (const std::int64_t seed : {0, 1, 2}) alike.push_back({"a", seed, {{"ari", 0.1}, {"nmi", 0.462}}, ""});
  const Json rows = comparison_rows({"a"}, alike);
  EXPECT_EQ(rows[0]["ari"], 0.1);
  EXPECT_EQ(rows[0]["ari_sd"], 0.0);
  EXPECT_EQ(rows[0]["nmi_sd"], 0.0);
}

TEST(ComparisonTable, SaysWhereClustersAreThoseOfComponents) {
  const auto ours = [](std::int64_t seed, const char* clusters_in) {
    return ComparedPoint{"mask-sc", seed, {{"ari", 0.5}, {"clusters_in", clusters_in}}, ""};
  };
  std::vector<ComparedPoint> known = points();
  known.push_back(ours(0, "features"));
  EXPECT_EQ(comparison_note(known), "");
  known.push_back(ours(1, "components"));
  known.push_back({"mask-sc", 2, nullptr, "failed"});
  EXPECT_THAT(comparison_note(known), testing::StartsWith("In 1 of 2 runs of mask-sc the clusters are those of"));
  const Json rows = comparison_rows({"a", "mask-sc"}, known);
  EXPECT_TRUE(rows[0]["clusters_in"].is_null());
  EXPECT_EQ(rows[1]["clusters_in"], "features and components");
  EXPECT_TRUE(rows[1]["clusters_in_auto"].is_null());
  EXPECT_THAT(comparison_csv(rows), HasSubstr(",clusters_in,clusters_in_auto,seeds,status,message\n"));
  EXPECT_THAT(comparison_csv(rows), HasSubstr(",features and components,,2,partly failed,"));
}

TEST(ComparisonTable, AsCommaSeparatedValues) {
  const std::string text = comparison_csv(comparison_rows({"a", "b"}, points()));
  EXPECT_TRUE(text.starts_with("method,ari,nmi,silhouette,")) << text;
  EXPECT_THAT(text, HasSubstr("\na,0.6,,0.25,"));
  EXPECT_THAT(text, HasSubstr("\nb,1.0,,,,,,,,,,,,,,,,,")) << "no deviation of one seed";
  EXPECT_THAT(text, HasSubstr(",2,done,\n"));
  EXPECT_THAT(text, HasSubstr(",1,partly failed,\"seed 0: no \"\"igraph\"\", sorry\"\n"));
  const std::string head = text.substr(0, text.find('\n'));
  EXPECT_EQ(std::count(head.begin(), head.end(), ','),
            2 * static_cast<std::ptrdiff_t>(comparison_columns().size()) + 5);
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
                     {"note", "In 1 of 1 runs."},
                     {"commands", {"masksc_compare --methods a", "masksc_compare --methods c"}}};
  comparison["methods"] = comparison_rows({"a", "c"}, points());
  const std::string text = comparison_markdown(comparison);
  EXPECT_THAT(text, HasSubstr("`a\\|b.h5ad`"));
  EXPECT_THAT(text, HasSubstr("| method | ARI | silhouette | clusters | seeds |")) << "what some method has";
  EXPECT_THAT(text, HasSubstr("| `a` | 0.600 ± 0.141 | 0.250 | 3.5 | 2 |"));
  EXPECT_THAT(text, HasSubstr("| `c` | – | – | – | 0 |"));
  EXPECT_THAT(text, HasSubstr("|\n\nIn 1 of 1 runs.\n\n- "));
  EXPECT_THAT(text, HasSubstr("- `c` failed: seed 0: out of \\| memory"));
  EXPECT_THAT(text,
              HasSubstr("seeds 3, 4; 1 rank; mask-sc 1\n\n    masksc_compare --methods a\n    masksc_compare --"));
  EXPECT_THAT(text, Not(HasSubstr("Compared with the labels")));
}

}  // namespace
}  // namespace masksc

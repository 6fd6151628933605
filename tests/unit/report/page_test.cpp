#include "masksc/report/page.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "masksc/core/error.hpp"
#include "masksc/core/files.hpp"

namespace masksc {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Six cells in two clusters, with names that try to leave the page.
RunContent small_run() {
  RunContent run;
  run.folder = "runs/<b>x";
  run.metrics = {{"ari", nullptr},
                 {"nmi", nullptr},
                 {"silhouette", 0.5},
                 {"clusters", 2},
                 {"clusters_by", "auto"},
                 {"cells", 6},
                 {"genes", 3},
                 {"seconds", {{"total", 3.0}}},
                 {"ranks", 2},
                 {"cells_per_second", 10.0},
                 {"seed", 0},
                 {"peak_memory_bytes", {1024, 2048}}};
  run.all_cells = 6;
  run.shown = {0, 1, 2, 3, 4, 5};
  run.cells = {"a</script><script>alert(1)</script>", "b", "c", "d", "e", "f"};
  run.genes = {"g0", "<img src=x>", "g2"};
  run.counts.rows = 6;
  run.counts.columns = 3;
  for (std::int32_t cell = 0; cell < 6; ++cell) {
    for (const std::int32_t gene : {0, cell < 3 ? 1 : 2}) {
      run.counts.indices.push_back(gene);
      run.counts.values.push_back(2);
    }
    run.counts.row_start.push_back(static_cast<std::int64_t>(run.counts.indices.size()));
  }
  run.clusters = {{0, 0, 0, 1, 1, 1}, {"0", "1"}};
  run.columns = {{"masksc", run.clusters, {}},
                 {"type", {{0, 0, 1, 1, 1, -1}, {"T", "B"}}, {}},
                 {"donor", {{0, 1, 0, 1, 0, 0}, {"D1", "D2"}}, {}}};
  run.labels = "type";
  run.batches = "donor";
  run.features = DenseMatrix(6, 2);
  for (std::int64_t i = 0; i < 6; ++i) run.features.row(i)[0] = static_cast<float>(i < 3 ? i : 100 + i);
  run.components = DenseMatrix(6, 1);  // where the clusters are none
  for (std::int64_t i = 0; i < 6; ++i) run.components.row(i)[0] = static_cast<float>(i % 2);
  run.log = {{{"stage", "train"}, {"step", 1}, {"loss", 3.0}},
             {{"stage", "train"}, {"step", 2}, {"loss", 2.0}},
             {{"stage", "train"}, {"event", "end"}, {"step", 2}}};
  return run;
}

/// The note of the summary's card `name`; "no card" where there is none.
std::string note_of(const Json& metrics, const std::string& name) {
  RunContent run = small_run();
  run.metrics.update(metrics);
  const Json page = page_of_run(run, {});
  for (const Json& card : page.at("summary"))
    if (card.at("name") == name) return card.at("note");
  return "no card";
}

TEST(Page, SaysWhatGuidedAndWhatTheGpuHeld) {
  EXPECT_EQ(note_of(Json::object(), "guided by"), "no card");  // runs of older versions do not say
  EXPECT_EQ(note_of(Json::object({{"guided_by", "nothing"}}), "guided by"), "");
  EXPECT_EQ(note_of(Json::object({{"guided_by", "both"}}), "guided by"),
            "the sequence encoder's answers and principal components");
  EXPECT_EQ(note_of(Json::object({{"peak_gpu_memory_bytes", nullptr}}), "peak memory of a rank"), "");
  EXPECT_EQ(note_of(Json::object({{"peak_gpu_memory_bytes", {1 << 20, 3 << 20}}}), "peak memory of a rank"),
            "3.0 MiB on its GPU");
}

TEST(Page, HoldsWhatTheRunSays) {
  const Json page = page_of_run(small_run(), {});
  EXPECT_EQ(page.at("confusion").at("counts"), Json({{2, 0}, {1, 2}}));  // a cell without a label is left out
  EXPECT_EQ(page.at("markers").at(0).at(0).at("gene"), "<img src=x>");
  EXPECT_EQ(page.at("batches").at("counts"), Json({{2, 2}, {1, 1}}));
  EXPECT_EQ(page.at("columns").size(), 3U);
  EXPECT_EQ(page.at("columns").at(0).at("colours"), Json({0, 1})) << "those of the labels T and B";
  EXPECT_EQ(page.at("cells"), page.at("all_cells"));
  EXPECT_FALSE(page.at("training").at("train").at("loss").get<std::string>().empty());
  EXPECT_TRUE(page.at("attention").is_null());
  EXPECT_THAT(page.at("command").get<std::string>(), HasSubstr("--labels type"));
}

TEST(Page, SilhouettesAreOfTheFeaturesAndOfTheData) {
  RunContent run = small_run();
  Json spaces = page_of_run(run, {}).at("silhouettes").at("spaces");
  ASSERT_EQ(spaces.size(), 2U);
  EXPECT_EQ(spaces[0].at("name"), "learnt features");
  EXPECT_GT(spaces[0].at("mean").get<double>(), 0.9);
  EXPECT_EQ(spaces[1].at("name"), "principal components");
  EXPECT_LT(spaces[1].at("mean").get<double>(), 0.1);
  EXPECT_EQ(spaces[1].at("values").size(), 2U);
  run.components = {};  // of a file without them
  EXPECT_EQ(page_of_run(run, {}).at("silhouettes").at("spaces").size(), 1U);
}

TEST(Page, OfAComparisonHasItsNote) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "noted";
  std::filesystem::create_directories(folder);
  Json table = {
      {"input", "a.h5ad"}, {"cells", 6}, {"labels", nullptr}, {"preparation", "shared"}, {"methods", Json::array()}};
  write_file(folder / "comparison.json", table.dump());
  EXPECT_EQ(page_of_study(folder).at("comparison_note"), "") << "of an older version";
  table["note"] = "In 1 of 1 runs.";
  write_file(folder / "comparison.json", table.dump());
  EXPECT_EQ(page_of_study(folder).at("comparison_note"), "In 1 of 1 runs.");
  std::filesystem::remove_all(folder);
}

TEST(Page, NamesCannotLeaveTheirPlace) {
  const std::filesystem::path path = std::filesystem::path(testing::TempDir()) / "page.html";
  write_page(path, page_of_run(small_run(), {}));
  const std::string text = read_file(path);
  EXPECT_THAT(text, Not(HasSubstr("<script>alert")));
  EXPECT_THAT(text, Not(HasSubstr("<img src=x>")));
  EXPECT_THAT(text, HasSubstr("<title>&lt;b&gt;x"));
  std::filesystem::remove(path);
}

TEST(Page, AGeneThatThereIsNotIsNamed) {
  try {
    page_of_run(small_run(), {.genes = {"g22"}, .threads = 1});
    FAIL();
  } catch (const UserError& e) {
    EXPECT_THAT(e.what(), testing::AllOf(HasSubstr("g22"), HasSubstr("did you mean 'g2'")));
  }
}

TEST(Page, AskedForGenesComeFirst) {
  const Json page = page_of_run(small_run(), {.genes = {"g0"}, .threads = 1});
  EXPECT_EQ(page.at("genes").at(0).at("name"), "g0");
  EXPECT_EQ(page.at("genes").size(), 3U);
}

TEST(Page, FoldersWithoutAnythingToShowAreRefused) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "nothing";
  std::filesystem::create_directories(folder);
  EXPECT_THROW(page_of_study(folder), UserError);
  EXPECT_THROW(read_run(folder), UserError);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace masksc

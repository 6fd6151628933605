// From options to the points of a sweep, and from outcomes to tables and drawings.
#include "masksc/study/sweep.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "masksc/core/error.hpp"
#include "masksc/study/sweep_report.hpp"

namespace masksc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

RunOptions some_run() {
  RunOptions options;
  options.inputs = {"cells.h5ad"};
  options.output = "out";
  return options;
}

Sweep sweep_of(const std::vector<std::string>& factors, SweepSettings settings = {}) {
  settings.factors = factors;
  return make_sweep(some_run(), settings);
}

std::string message_of(const std::vector<std::string>& factors) {
  try {
    sweep_of(factors);
  } catch (const UserError& error) {
    return error.what();
  }
  return "no error";
}

PointOutcome done(double ari, double cells_per_second = 100, const Json& silhouette = nullptr) {
  PointOutcome outcome;
  outcome.status = PointStatus::done;
  outcome.result = {{"ari", ari},
                    {"silhouette", silhouette},
                    {"seconds", {{"train", 1.0}, {"total", 2.5}}},
                    {"cells_per_second", cells_per_second},
                    {"peak_memory_bytes", {10, 30, 20}}};
  return outcome;
}

TEST(MakeSweep, ValuesAreTheOptionsOwnText) {
  SweepSettings settings;
  settings.design = DesignKind::star;
  settings.seeds = 2;
  const Sweep sweep = sweep_of({"learning-rate=1e-3,0.002 mask-ratio=.25"}, settings);
  EXPECT_THAT(sweep.base, ::testing::ElementsAre("0.001", "0.5"));
  ASSERT_EQ(sweep.points.size(), 6U) << "1e-3 is the base";
  EXPECT_EQ(sweep.points[3].design.name, "learning-rate=0.002_seed=1");
  EXPECT_EQ(sweep.points[3].options.train.learning_rate, 0.002);
  EXPECT_EQ(sweep.points[3].options.train.seed, 1);
  EXPECT_EQ(sweep.points[4].options.model.mask_ratio, 0.25);
}

TEST(MakeSweep, OptionsMayChangeTogether) {
  const Sweep sweep = sweep_of({"target+guidance=raw+0,contrastive+2"});
  EXPECT_EQ(sweep.points[0].options.target.target, Target::raw);
  EXPECT_EQ(sweep.points[0].options.target.guidance, 0);
  EXPECT_EQ(sweep.points[1].options.target.guidance, 2);
}

TEST(MakeSweep, BatchesGrowWithTheRanksOfWeakScaling) {
  const Sweep sweep = sweep_of({"scaling=strong,weak ranks-per-point=1,4 batch-size=32"});
  std::vector<std::pair<int, std::int64_t>> found;
  for (const SweepPoint& point : sweep.points) found.emplace_back(point.ranks, point.options.train.batch_size);
  EXPECT_THAT(found, ::testing::ElementsAre(std::pair(1, 32), std::pair(4, 32), std::pair(1, 32), std::pair(4, 128)));
}

TEST(MakeSweep, SaysWhatIsWrong) {
  EXPECT_THAT(message_of({"mask-ration=0.5"}), HasSubstr("did you mean 'mask-ratio'"));
  EXPECT_THAT(message_of({"dim=many"}), HasSubstr("'many'"));
  EXPECT_THAT(message_of({"mask-ratio=0.5,2"}), HasSubstr("point mask-ratio=2_seed=0: --mask-ratio"));
  EXPECT_THAT(message_of({"dim=30 encoder-heads=4"}), HasSubstr("point dim=30_encoder-heads=4_seed=0"));
  for (const char* option : {"output=a", "seed=1", "design=grid", "sweep=x", "plan=yes", "resume=never"})
    EXPECT_THAT(message_of({option}), HasSubstr("--sweep ")) << option;
}

TEST(ChosenPoint, IsANumberOfTheList) {
  Sweep sweep = sweep_of({"dim=16,32"});
  EXPECT_EQ(chosen_point(sweep), -1);
  sweep.settings.point = "1";
  EXPECT_EQ(chosen_point(sweep), 1);
  for (const char* wrong : {"2", "-1", "one", ""}) {
    sweep.settings.point = wrong;
    EXPECT_THROW(chosen_point(sweep), UserError) << wrong;
  }
  EXPECT_THAT(list_points(sweep), HasSubstr("1\tdim=32_seed=0\t1 rank\t--dim 32 --seed 0\n"));
}

TEST(SweepReport, SummarisesOverTheSeedsThatAreDone) {
  SweepSettings settings;
  settings.seeds = 3;
  const Sweep sweep = sweep_of({"dim=16,32"}, settings);
  PointOutcome failed;
  failed.status = PointStatus::failed;
  failed.failure = {ExitCode::environment, "no \"space\", left\non it"};
  const Json json = sweep_json(sweep, {done(0.5), done(0.7), failed, {}, {}, done(0.25)});
  const Json& rows = json.at("summary");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_DOUBLE_EQ(rows[0].at("ari").at("mean").get<double>(), 0.6);
  EXPECT_NEAR(rows[0].at("ari").at("sd").get<double>(), std::sqrt(0.02), 1e-12);
  EXPECT_EQ(rows[0].at("done"), 2);
  EXPECT_EQ(rows[0].at("failed"), 1);
  EXPECT_EQ(rows[1].at("missing"), 2);
  EXPECT_TRUE(rows[1].at("ari").at("sd").is_null());
  EXPECT_TRUE(rows[0].at("nmi").at("mean").is_null());
  EXPECT_EQ(rows[0].at("seconds").at("mean"), 2.5);
  EXPECT_EQ(rows[0].at("peak_memory_bytes").at("mean"), 30);
  const std::string csv = sweep_csv(json);
  EXPECT_THAT(csv, HasSubstr("point,dim,seed,ranks,ari,nmi,silhouette,"));
  EXPECT_THAT(csv, HasSubstr("dim=16_seed=1,16,1,1,0.7,,,,,2.5,100.0,30,,,,,,done,\n"));
  EXPECT_THAT(csv, HasSubstr("failed,\"no \"\"space\"\", left\non it\"\n"));
  const std::string table = sweep_markdown(json);
  EXPECT_THAT(table, HasSubstr("| dim | seeds | ARI | seconds | cells/s | peak memory, MiB |\n"))
      << "what some row has";
  EXPECT_THAT(table, HasSubstr("| 16 | 2 | 0.600 ± 0.141 | 2 ± 0 |"));
  EXPECT_THAT(table, HasSubstr("- dim=16_seed=2: failed: no \"space\", left on it\n"));
  EXPECT_THAT(table, Not(HasSubstr("efficiency")));
}

TEST(SweepReport, SaysWhereClustersAreThoseOfComponents) {
  const Sweep sweep = sweep_of({"standardize=yes,residuals"});
  std::vector<PointOutcome> outcomes = {done(0.5, 100, 0.3), done(0.5, 100, 0.4)};
  outcomes[0].result.update(
      {{"clusters_in", "features"}, {"guided_by", "both"}, {"standardize", "yes"}, {"silhouette_pca", 0.25}});
  outcomes[1].result.update({{"clusters_in", "components"},
                             {"guided_by", "components"},
                             {"standardize", "residuals"},
                             {"silhouette_pca", 0.1}});
  const Json json = sweep_json(sweep, outcomes);
  const std::string csv = sweep_csv(json);
  EXPECT_THAT(csv, HasSubstr(",silhouette,silhouette_pca,"));
  EXPECT_THAT(csv, HasSubstr(",clusters_in,guided_by,standardize_found,status,error\n"));
  EXPECT_THAT(csv, HasSubstr(",components,components,residuals,done,\n"));
  const std::string table = sweep_markdown(json);
  EXPECT_THAT(table, HasSubstr("| ARI | silhouette | silhouette (PCA) |"));
  EXPECT_THAT(table, HasSubstr("| yes | 1 | 0.500 | 0.300 | 0.250 |"));
  EXPECT_THAT(table, HasSubstr("\n\nIn 1 of 2 runs the clusters are those of principal components"));
  outcomes[1].result["clusters_in"] = "features";
  EXPECT_EQ(sweep_json(sweep, outcomes).at("note"), "");
  EXPECT_THAT(sweep_markdown(sweep_json(sweep, outcomes)), Not(HasSubstr("clusters are")));
}

TEST(DescribeMetrics, HasTheSilhouetteInTheData) {
  Json metrics = {{"ari", 0.5}, {"silhouette", 0.4}, {"silhouette_pca", 0.125}};
  EXPECT_EQ(describe_metrics(metrics), "ARI 0.500, silhouette (PCA) 0.125");
  metrics["ari"] = nullptr;
  EXPECT_EQ(describe_metrics(metrics), "silhouette 0.400, silhouette (PCA) 0.125");
  metrics["silhouette_pca"] = nullptr;
  EXPECT_EQ(describe_metrics(metrics), "silhouette 0.400");
}

TEST(SweepReport, EfficiencyIsAgainstTheFewestRanks) {
  const Sweep sweep = sweep_of({"scaling=strong,weak ranks-per-point=2,4"});
  const Json json = sweep_json(sweep, {done(0.5, 100), done(0.5, 150), {}, done(0.5, 90)});
  const Json& points = json.at("points");
  EXPECT_EQ(points[0].at("efficiency"), 1);
  EXPECT_EQ(points[1].at("efficiency"), 0.75);
  EXPECT_EQ(points[3].at("efficiency"), 1) << "the fewest that are there";
  EXPECT_THAT(sweep_markdown(json), HasSubstr("| 0.750 |"));
}

TEST(SweepDrawings, ShowWhatThereIs) {
  const Sweep grid = sweep_of({"dim=16,32 mask-ratio=0.25,0.5,0.75"});
  std::vector<PointOutcome> outcomes(6);
  EXPECT_EQ(sweep_curves(sweep_json(grid, outcomes)), "");
  EXPECT_EQ(sweep_heatmap(sweep_json(grid, outcomes)), "");
  for (std::size_t i = 0; i < 5; ++i) {
    outcomes[i] = done(0.1 * static_cast<double>(i + 1), 100, 0.3);
    outcomes[i].result["silhouette_pca"] = 0.2;
  }
  Json json = sweep_json(grid, outcomes);
  const std::string map = sweep_heatmap(json);
  for (const char* text : {">0.500<", ">mask-ratio<", ">ARI<", ">silhouette<", ">silhouette (PCA)<", ">–<"})
    EXPECT_THAT(map, HasSubstr(text));
  EXPECT_THAT(map, Not(HasSubstr(">NMI<")));
  EXPECT_THAT(sweep_curves(json), HasSubstr(">cells/s in training<"));
  EXPECT_THAT(sweep_curves(json), HasSubstr(">silhouette (PCA)<"));
  for (Json& row : json.at("summary")) row.erase("silhouette_pca");
  for (Json& point : json.at("points")) point.erase("silhouette_pca");
  EXPECT_NE(sweep_curves(json), "") << "of an older version";
  EXPECT_NE(sweep_heatmap(json), "");
  const Sweep one = sweep_of({"dim=16,32 mask-ratio=0.5"});
  EXPECT_EQ(sweep_heatmap(sweep_json(one, {done(0.5), done(0.6)})), "") << "a grid of one factor";
  EXPECT_NE(sweep_curves(sweep_json(one, {done(0.5), done(0.6)})), "");
}

TEST(PlanSweep, SaysWhatEachPointCosts) {
  const Json points = plan_sweep(sweep_of({"ranks-per-point=1,2,128"})).at("points");
  EXPECT_EQ(points[0].at("efficiency"), 1);
  EXPECT_LT(points[1].at("efficiency").get<double>(), 1);
  EXPECT_GT(points[0].at("memory_bytes").get<double>(), 0);
  EXPECT_THAT(points[2].at("error").get<std::string>(), HasSubstr("128")) << "more ranks than cells of a batch";
}

}  // namespace
}  // namespace masksc

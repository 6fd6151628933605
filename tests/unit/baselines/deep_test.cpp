// What every method that trains a network promises, on simulated groups that are well apart, after a few epochs.
#include "masksc/baselines/deep.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <set>
#include <stdexcept>
#include <string>

#include "baseline_data.hpp"
#include "masksc/core/error.hpp"
#include "masksc/metrics/agreement.hpp"

namespace masksc {
namespace {

const BaselineData& groups() {
  static const BaselineData data = simulated_baseline_data();
  return data;
}

using Run = std::function<BaselineResult(const BaselineInput&, const BaselineSettings&)>;

struct Case {
  std::string method;
  Run run;       // trains long enough to find the groups
  Run run_once;  // trains for an epoch or two
  double floor;  // of the ARI with the true number of clusters
};
void PrintTo(const Case& given, std::ostream* out) { *out << given.method; }  // in the names of tests

/// `run` with settings changed by `change`.
template <typename Settings, typename Change>
Run with(BaselineResult (*run)(const BaselineInput&, const BaselineSettings&, const Settings&), Change change) {
  Settings settings;
  change(settings);
  return [=](const BaselineInput& input, const BaselineSettings& common) { return run(input, common, settings); };
}

std::vector<Case> cases() {
  return {
      {"dca", with(run_dca, [](auto& s) { s.epochs = 40; }), with(run_dca, [](auto& s) { s.epochs = 2; }), 0.9},
      {"scdeepcluster",
       with(run_scdeepcluster,
            [](auto& s) {
              s.pretrain_epochs = 40;
              s.batch_size = 64;
              s.epochs = 5;
            }),
       with(run_scdeepcluster, [](auto& s) { s.pretrain_epochs = s.epochs = 1; }), 0.9},
      {"scziDesk",
       with(run_sczidesk,
            [](auto& s) {
              s.pretrain_epochs = 40;
              s.batch_size = 64;
              s.epochs = 5;
              s.learning_rate = 1e-3;
            }),
       with(run_sczidesk, [](auto& s) { s.pretrain_epochs = s.epochs = 1; }), 0.9},
      {"contrastive-sc", with(run_contrastive_sc, [](auto& s) { s.epochs = 60; }),
       with(run_contrastive_sc, [](auto& s) { s.epochs = 1; }), 0.9},
      {"scmae", with(run_scmae, [](auto& s) { s.epochs = 30; }), with(run_scmae, [](auto& s) { s.epochs = 1; }), 0.9}};
}

class Deep : public testing::TestWithParam<Case> {};

TEST_P(Deep, FindsSimulatedGroups) {
  const BaselineResult found = GetParam().run(groups().input(), {.seed = 3, .clusters = {3, 0}});
  EXPECT_EQ(found.features.rows, groups().expression.cells);
  ASSERT_EQ(found.labels.size(), 2);
  for (const auto& labels : found.labels) ASSERT_EQ(std::ssize(labels), groups().expression.cells);
  EXPECT_EQ(std::set(found.labels[0].begin(), found.labels[0].end()), (std::set<std::int32_t>{0, 1, 2}));
  EXPECT_GT(adjusted_rand_index(found.labels[0], groups().groups), GetParam().floor);
  const auto size = [&](std::int32_t label) {
    return std::count(found.labels[0].begin(), found.labels[0].end(), label);
  };
  EXPECT_GE(size(0), size(1));
  EXPECT_GE(size(1), size(2));
}

TEST_P(Deep, GivesTheSameForTheSameSeed) {
  const BaselineSettings settings{.seed = 8, .clusters = {4}};
  const BaselineResult one = GetParam().run_once(groups().input(), settings);
  const BaselineResult two = GetParam().run_once(groups().input(), settings);
  EXPECT_EQ(one.features.values, two.features.values);
  EXPECT_EQ(one.labels, two.labels);
  const BaselineResult other = GetParam().run_once(groups().input(), {.seed = 9, .clusters = {4}});
  EXPECT_NE(one.features.values, other.features.values);
}

TEST_P(Deep, StopsWhenPollThrows) {
  for (const int after : {0, 2, 5}) {
    BaselineSettings settings{.clusters = {3}};
    int left = after;
    settings.poll = [&] {
      if (left-- == 0) throw std::runtime_error("stop");
    };
    EXPECT_THROW(GetParam().run_once(groups().input(), settings), std::runtime_error) << "call " << after;
    EXPECT_EQ(left, -1) << "is called again after it threw";
  }
}

TEST_P(Deep, IsListedAndSaysWhatItIs) {
  const Baseline& method = find_baseline(GetParam().method);
  EXPECT_TRUE(method.stochastic);
  EXPECT_FALSE(method.title.empty());
  EXPECT_FALSE(method.source.empty());
  EXPECT_NO_THROW(validate(method.published));
}

INSTANTIATE_TEST_SUITE_P(Methods, Deep, testing::ValuesIn(cases()), [](const auto& given) {
  std::string name = given.param.method;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

TEST(Dca, EndsWhenTheHeldBackCellsGainNoMore) {
  std::int64_t calls = 0;
  BaselineSettings settings{.clusters = {3}};
  settings.poll = [&] { ++calls; };
  DcaSettings never_better{.epochs = 8, .batch_size = 64, .learning_rate = 0};  // only batch norm's statistics change
  never_better.stop_patience = 1;
  run_dca(groups().input(), settings, never_better);
  const std::int64_t stopped = std::exchange(calls, 0);
  never_better.validation = 0;
  run_dca(groups().input(), settings, never_better);
  EXPECT_LT(stopped, calls);
}

TEST(ScDeepCluster, PretrainsOnceForAllNumbersOfClusters) {
  ScDeepClusterSettings method;
  method.learning_rate = 0;  // K-means has the same work then, however long the pretraining is
  method.pretrain_epochs = 3;
  method.epochs = 0;
  std::int64_t calls = 0;
  BaselineSettings settings{.clusters = {3}};
  settings.poll = [&] { ++calls; };
  const auto calls_for = [&](std::vector<std::int64_t> clusters) {
    settings.clusters = std::move(clusters);
    calls = 0;
    run_scdeepcluster(groups().input(), settings, method);
    return calls;
  };
  const std::int64_t one = calls_for({3});
  const std::int64_t second = calls_for({3, 3}) - one;  // K-means and features
  method.pretrain_epochs = 6;
  EXPECT_EQ(calls_for({3}) - one, 3 * 2);  // two batches an epoch
  EXPECT_EQ(calls_for({3, 3}) - one, 3 * 2 + second);
}

TEST(ContrastiveSc, PollsEveryStep) {
  std::int64_t calls = 0;
  BaselineSettings settings{.clusters = {3}};
  settings.poll = [&] { ++calls; };
  SequenceSettings sequence;
  sequence.batch_size = 4;
  sequence.epochs = 4;
  run_contrastive_sc(groups().input(), settings, sequence);
  EXPECT_GE(calls, 4 * 75) << "K-means alone makes fewer";
}

TEST(DeepBaselines, SayThatTrainingDiverges) {
  BaselineSettings settings{.clusters = {3}};
  try {
    run_scmae(groups().input(), settings, {.epochs = 30, .learning_rate = 1e30});
    FAIL();
  } catch (const UserError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("the loss of scmae is not finite"));
  }
}

}  // namespace
}  // namespace masksc

// Which run a folder holds, and whether another start may go on in it.
#include "masksc/run/folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>

#include "masksc/core/files.hpp"
#include "masksc/io/array_file.hpp"
#include "message_of.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

class Folder : public testing::Test {
 protected:
  Folder() {
    write_file(files / "cells.h5ad", "counts");
    options.inputs = {(files / "cells.h5ad").string()};
    options.output = (files / "run").string();
    options.train.epochs = 4;
  }

  /// A start that gets as far as the first stage.
  void begin(const std::string& standardized = "yes") {
    RunFolder folder(options, *alone);
    folder.make();
    InputIdentity input = identify(options.inputs);
    input.fingerprint = "f1";
    folder.check_data(input.fingerprint);
    folder.begin(input, resolved_configuration(options), standardized);
  }
  /// What a run leaves that comes to its end.
  void finish() {
    begin();
    write_file(root / "metrics.json", R"({"epochs": 4, "max_steps": 0})");
    write_file(root / "model/model.json", "{}");
    write_file(root / "checkpoints/step-00000004.h5", "state");
    static_cast<void>(ArrayFile::create(root / "result.h5ad"));
  }
  FolderState state() { return RunFolder(options, *alone).state(); }
  std::string refusal() {
    return message_of([&] { RunFolder folder(options, *alone); });
  }

  TemporaryFolder files;
  fs::path root = files / "run";
  RunOptions options;
  std::unique_ptr<Collectives> alone = single_rank();
};

TEST_F(Folder, IsEmptyBeforeARunAndInterruptedAfterItsBegin) {
  EXPECT_EQ(state(), FolderState::empty);
  fs::create_directories(root);
  EXPECT_EQ(state(), FolderState::empty);
  begin("residuals");
  EXPECT_EQ(state(), FolderState::interrupted);
  RunFolder folder(options, *alone);
  EXPECT_EQ(folder.recorded_input().fingerprint, "f1");
  EXPECT_TRUE(folder.recorded_input().same_file(identify(options.inputs)));
  EXPECT_EQ(folder.recorded_standardized(), "residuals");
}

TEST_F(Folder, IsFinishedWithAllThatARunLeaves) {
  finish();
  EXPECT_EQ(state(), FolderState::finished);
  fs::remove(root / "result.h5ad");
  EXPECT_EQ(state(), FolderState::interrupted);
  write_file(root / "result.h5ad", "half of it");
  EXPECT_EQ(state(), FolderState::interrupted);
}

TEST_F(Folder, GoesOnWithMoreEpochsAndNotWithFewer) {
  finish();
  options.train.epochs = 6;
  EXPECT_EQ(state(), FolderState::interrupted);
  options.train.epochs = 3;
  EXPECT_THAT(refusal(), HasSubstr("epochs"));
}

TEST_F(Folder, RefusesWhatChangesTheResultAndNamesIt) {
  begin();
  const std::pair<const char*, std::function<void(RunOptions&)>> changes[] = {
      {"seed = 0, now it is 3", [](RunOptions& o) { o.train.seed = 3; }},
      {"dim = 128, now it is 64", [](RunOptions& o) { o.model.dim = 64; }},
      {"labels = (none), now it is type", [](RunOptions& o) { o.counts.labels = "type"; }},
      {"sequence-model = (none), now it is other/model", [](RunOptions& o) { o.sequence.model = "other/model"; }}};
  for (const auto& [words, change] : changes) {
    const RunOptions before = options;
    change(options);
    EXPECT_THAT(refusal(), AllOf(HasSubstr(words), HasSubstr("--overwrite")));
    options.overwrite = true;
    EXPECT_EQ(state(), FolderState::empty) << words;
    options = before;
  }
  options.run.cadence.steps = 7;
  options.run.quiet = true;
  options.engine.micro_batch = 3;
  EXPECT_EQ(state(), FolderState::interrupted);
}

TEST_F(Folder, OverwrittenLosesTheRunAndNothingElse) {
  finish();
  write_file(root / "notes.txt", "mine");
  write_file(root / "trace-0.json", "[]");
  options.overwrite = true;
  options.train.seed = 3;
  begin();
  for (const char* gone :
       {"metrics.json", "result.h5ad", "model/model.json", "checkpoints/step-00000004.h5", "trace-0.json"})
    EXPECT_FALSE(fs::exists(root / gone)) << gone;
  EXPECT_EQ(read_file(root / "notes.txt"), "mine");
  options.overwrite = false;
  EXPECT_EQ(state(), FolderState::interrupted);
}

TEST_F(Folder, ResumeNeverStartsAnInterruptedRunAnewAndLeavesAFinishedOne) {
  begin("residuals");
  options.run.resume = "never";
  RunFolder folder(options, *alone);
  EXPECT_EQ(folder.state(), FolderState::empty);
  EXPECT_EQ(folder.recorded_standardized(), "");
  options.run.resume = "auto";
  finish();
  options.run.resume = "never";
  EXPECT_EQ(state(), FolderState::finished);
}

TEST_F(Folder, ResumeNeverReplacesWhatIsHalfGoneAndNoFilesOfOthers) {
  begin();
  fs::remove_all(root / "model");
  fs::remove(root / "config.ini");
  write_file(root / "log.jsonl", "");
  options.run.resume = "never";
  EXPECT_EQ(state(), FolderState::empty);
  for (const char* other : {"model/weights.bin", "checkpoints/epoch1.pt", "tensorboard/events"}) {
    fs::create_directories((root / other).parent_path());
    write_file(root / other, "mine");
    EXPECT_THAT(refusal(), HasSubstr("--overwrite")) << other;
    fs::remove(root / other);
    if (fs::is_empty((root / other).parent_path())) fs::remove((root / other).parent_path());
  }
}

TEST_F(Folder, OtherDataAreRefusedUnlessOverwritten) {
  begin();
  RunFolder folder(options, *alone);
  EXPECT_THAT(message_of([&] { folder.check_data("f2"); }), AllOf(HasSubstr("other data"), HasSubstr("cells.h5ad")));
  options.overwrite = true;
  options.keep_same = true;  // or the run would be replaced in any case
  RunFolder replaced(options, *alone);
  EXPECT_EQ(replaced.state(), FolderState::interrupted);
  replaced.check_data("f2");
  EXPECT_EQ(replaced.state(), FolderState::empty);
}

TEST_F(Folder, ARequeuedJobGoesOnWithWhatItOverwrote) {
  ::setenv("SLURM_JOB_ID", "17", 1);
  options.overwrite = true;
  begin();
  EXPECT_EQ(state(), FolderState::empty);  // the same start
  ::setenv("SLURM_RESTART_COUNT", "1", 1);
  EXPECT_EQ(state(), FolderState::interrupted);
  ::setenv("SLURM_JOB_ID", "18", 1);
  EXPECT_EQ(state(), FolderState::empty);
  ::unsetenv("SLURM_JOB_ID");
  ::unsetenv("SLURM_RESTART_COUNT");
}

TEST_F(Folder, WhatIsNoRunOrDamagedIsRefusedAndKept) {
  fs::create_directories(root);
  write_file(root / "notes.txt", "mine");
  EXPECT_THAT(refusal(), HasSubstr("files that are not a run of mask-sc"));
  fs::remove(root / "notes.txt");
  begin();
  for (const char* damaged : {"{", "[]", R"({"input": 3})", R"({"input": {"path": 3}})", R"({"standardized": 3})"}) {
    write_file(root / "checkpoints/run.json", damaged);
    EXPECT_THAT(refusal(), AllOf(HasSubstr("run.json"), HasSubstr("--overwrite"))) << damaged;
    EXPECT_EQ(read_file(root / "checkpoints/run.json"), damaged);
  }
  options.overwrite = true;
  EXPECT_EQ(state(), FolderState::empty);
}

TEST_F(Folder, ReplacesNoFileThatTheRunReads) {
  finish();
  options.inputs = {(root / "result.h5ad").string()};
  options.overwrite = true;
  EXPECT_THAT(refusal(), HasSubstr("result.h5ad"));
}

TEST_F(Folder, BelongsToOneRunAtATime) {
  RunFolder first(options, *alone);
  first.make();
  RunFolder second(options, *alone);
  EXPECT_THAT(message_of([&] { second.make(); }), HasSubstr("--output"));
}

TEST_F(Folder, OfARunThatNeverBeganIsGone) {
  {
    RunFolder folder(options, *alone);
    folder.make();
    write_file(root / prepared_name, "counts");
    folder.abandon();
  }
  EXPECT_FALSE(fs::exists(root));
  begin();
  RunFolder folder(options, *alone);
  folder.make();
  folder.abandon();
  EXPECT_TRUE(fs::exists(root / "checkpoints/run.json"));
}

TEST_F(Folder, IsTheSameToAllRanks) {
  begin("residuals");
  run_as_threads(3, [&](Collectives& ranks) {
    RunFolder folder(options, ranks);
    EXPECT_EQ(folder.state(), FolderState::interrupted);
    EXPECT_EQ(folder.recorded_input().fingerprint, "f1");
    EXPECT_EQ(folder.recorded_standardized(), "residuals");
    RunOptions other = options;
    other.train.seed = 3;
    EXPECT_THAT(message_of([&] { RunFolder refused(other, ranks); }), HasSubstr("seed"));
  });
}

}  // namespace
}  // namespace masksc

// The heartbeat's file, and the thread that writes it.
#include "masksc/dist/heartbeat.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>
#include <fstream>

#include "heartbeat_records.hpp"
#include "masksc/core/files.hpp"
#include "masksc/core/json.hpp"
#include "temporary_folder.hpp"

namespace masksc {
namespace {

TEST(HeartbeatRecord, IsJsonOfOneSizeAndComesBack) {
  for (const HeartbeatRecord& record : {computing(2), waiting(0, 3.5), ended(1, "no \"space\" left\n")}) {
    const std::string text = encode(record);
    ASSERT_EQ(text.size(), heartbeat_bytes);
    EXPECT_EQ(text.back(), '\n');
    const Json json = parse_json(text);
    EXPECT_EQ(json["host"], record.host);
    EXPECT_EQ(json["beat"], 1);
    const auto back = decode(text);
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(encode(*back), text);
  }
  EXPECT_FALSE(parse_json(encode(computing(0))).contains("operation"));
  EXPECT_EQ(parse_json(encode(waiting(0, 3.5)))["waiting_seconds"], 3.5);
}

TEST(HeartbeatRecord, CutsALongReason) {
  for (const std::string piece : {"x", "\n", "\xC3\xA4", "\xFF"}) {
    std::string reason;
    while (reason.size() < 3000) reason += piece;
    const std::string text = encode(ended(0, reason));
    ASSERT_EQ(text.size(), heartbeat_bytes);
    ASSERT_TRUE(decode(text).has_value());
    EXPECT_GT(decode(text)->reason.size(), 100U) << "and no shorter than it must be";
    EXPECT_GT(text.find_last_not_of(" \n"), heartbeat_bytes - 20);
  }
}

TEST(HeartbeatRecord, NothingComesOfTornText) {
  const std::string whole = encode(waiting(3, 1));
  EXPECT_FALSE(decode("").has_value());
  EXPECT_FALSE(decode(whole.substr(0, 100)).has_value());
  EXPECT_FALSE(decode(whole + "\n").has_value());
  EXPECT_FALSE(decode(whole.substr(0, whole.find('}') + 1) + "\n").has_value());
  EXPECT_FALSE(decode(std::string(heartbeat_bytes, ' ')).has_value());
  EXPECT_FALSE(decode(std::string(heartbeat_bytes, '\0')).has_value());
  const auto altered = [&](const char* from, const char* to) {
    std::string text = whole;
    text.replace(text.find(from), std::strlen(from), to);
    text.resize(heartbeat_bytes - 1, ' ');
    return text + '\n';
  };
  EXPECT_FALSE(decode(altered("waiting\"", "asleep\"")).has_value());
  EXPECT_FALSE(decode(altered("\"beat\":1", "\"beat\":\"1\"")).has_value());
  EXPECT_FALSE(decode(altered("\"operation\"", "\"other\"")).has_value());
  EXPECT_FALSE(decode(altered("{", "[")).has_value());
}

TEST(HeartbeatFile, IsRewrittenInPlace) {
  const TemporaryFolder folder;
  const std::filesystem::path path = heartbeat_path(folder.path(), 5);
  EXPECT_EQ(path, folder / "5.json");
  EXPECT_FALSE(write_heartbeat(path, computing(5), /*create=*/false));
  EXPECT_FALSE(std::filesystem::exists(path));
  ASSERT_TRUE(write_heartbeat(path, ended(5, "a long text that the next record must not show"), /*create=*/true));
  struct stat before {};
  ASSERT_EQ(::stat(path.c_str(), &before), 0);
  EXPECT_EQ(before.st_mode & 0777U, 0600U);
  ASSERT_TRUE(write_heartbeat(path, computing(5, 2), /*create=*/false));
  struct stat after {};
  ASSERT_EQ(::stat(path.c_str(), &after), 0);
  EXPECT_EQ(after.st_ino, before.st_ino);
  EXPECT_EQ(read_file(path), encode(computing(5, 2)));
  ASSERT_TRUE(read_heartbeat(path).has_value());
  EXPECT_EQ(read_heartbeat(path)->beat, 2U);
}

TEST(HeartbeatFile, NothingIsReadFromOtherFiles) {
  const TemporaryFolder folder;
  EXPECT_FALSE(read_heartbeat(folder / "0.json").has_value());
  EXPECT_FALSE(read_heartbeat(folder.path()).has_value());
  std::ofstream(folder / "1.json") << encode(computing(1)) << "more";
  EXPECT_FALSE(read_heartbeat(folder / "1.json").has_value());
}

TEST(HeartbeatFile, OnlyHeartbeatsAreRemoved) {
  const TemporaryFolder folder;
  EXPECT_FALSE(holds_only_heartbeats(folder / "ranks"));
  std::filesystem::create_directory(folder / "ranks");
  for (const char* name : {"0.json", "12.json"}) std::ofstream(folder / "ranks" / name) << "old";
  EXPECT_TRUE(holds_only_heartbeats(folder / "ranks"));
  std::ofstream(folder / "ranks" / "notes.json") << "mine";
  EXPECT_FALSE(holds_only_heartbeats(folder / "ranks"));
  remove_heartbeats(folder / "ranks");
  EXPECT_TRUE(std::filesystem::exists(folder / "ranks" / "notes.json"));
  EXPECT_FALSE(std::filesystem::exists(folder / "ranks" / "12.json"));
  std::filesystem::remove(folder / "ranks" / "notes.json");
  remove_heartbeats(folder / "ranks");
  EXPECT_FALSE(std::filesystem::exists(folder / "ranks"));
  remove_heartbeats(folder / "ranks");
}

TEST(HeartbeatFile, AFullDiskIsToldNotThrown) {
  const TemporaryFolder folder;
  std::filesystem::create_symlink("/dev/full", folder / "0.json");
  EXPECT_FALSE(write_heartbeat(folder / "0.json", computing(0), /*create=*/true));
}

HeartbeatSettings fast(const std::filesystem::path& folder) {
  HeartbeatSettings settings;
  settings.folder = folder;
  settings.period = std::chrono::milliseconds(5);
  return settings;
}

TEST(Heartbeat, BeatsFromTheFirstMomentUntilItSaysWhyItEnds) {
  const TemporaryFolder folder;
  const auto ranks = single_rank();
  Heartbeat heartbeat(*ranks, fast(folder / "ranks"));
  const std::filesystem::path path = folder / "ranks" / "0.json";
  std::optional<HeartbeatRecord> first = read_heartbeat(path);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->pid, ::getpid());
  EXPECT_EQ(first->stage, "prepare");
  EXPECT_EQ(first->state, RankState::computing);
  EXPECT_THAT(first->time, ::testing::MatchesRegex("20..-..-..T..:..:..Z"));
  heartbeat.begin_stage("train");
  std::uint64_t beat = first->beat;
  for (int times = 0; times < 20;) {
    const auto seen = read_heartbeat(path);
    if (!seen) continue;
    ASSERT_GE(seen->beat, beat);
    times += seen->beat > beat ? 1 : 0;
    beat = seen->beat;
  }
  EXPECT_EQ(read_heartbeat(path)->stage, "train");
  heartbeat.begin_stage("embed");
  heartbeat.end("stopped on request");
  heartbeat.end("nothing more");
  const auto last = read_heartbeat(path);
  ASSERT_TRUE(last.has_value());
  EXPECT_GT(last->beat, beat);
  EXPECT_EQ(last->stage, "embed") << "also where no beat came in between";
  EXPECT_EQ(last->state, RankState::ended);
  EXPECT_EQ(last->reason, "stopped on request");
}

TEST(Heartbeat, TellsOfAStageAtOnce) {
  const TemporaryFolder folder;
  const auto ranks = single_rank();
  HeartbeatSettings settings = fast(folder / "ranks");
  settings.period = std::chrono::hours(1);
  Heartbeat heartbeat(*ranks, settings);
  heartbeat.begin_stage("train");
  std::optional<HeartbeatRecord> seen;
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while ((!seen || seen->stage != "train") && std::chrono::steady_clock::now() < give_up)
    seen = read_heartbeat(folder / "ranks" / "0.json");
  ASSERT_TRUE(seen.has_value());
  EXPECT_EQ(seen->stage, "train");
}

TEST(Heartbeat, HeartbeatsOfEarlierRunsGo) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "ranks");
  for (const char* name : {"0.json", "7.json", "notes.json", "3.txt"}) std::ofstream(folder / "ranks" / name) << "old";
  run_as_threads(3, [&](Collectives& ranks) {
    const Heartbeat heartbeat(ranks, fast(folder / "ranks"));
    ranks.barrier();
    EXPECT_FALSE(std::filesystem::exists(folder / "ranks" / "7.json"));
    EXPECT_TRUE(std::filesystem::exists(folder / "ranks" / fmt::format("{}.json", ranks.rank())));
  });
  EXPECT_TRUE(std::filesystem::exists(folder / "ranks" / "notes.json"));
  EXPECT_TRUE(std::filesystem::exists(folder / "ranks" / "3.txt"));
}

TEST(Heartbeat, LivesWithoutAPlaceToWrite) {
  const TemporaryFolder folder;
  const auto ranks = single_rank();
  Heartbeat heartbeat(*ranks, fast(folder / "no" / "such" / "folder"));
  heartbeat.begin_stage("train");
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  heartbeat.end("done");
  EXPECT_FALSE(std::filesystem::exists(folder / "no"));
}

TEST(Heartbeat, WithoutSpaceTheFileGoesRatherThanStandStill) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "ranks");
  const auto ranks = single_rank();
  Heartbeat heartbeat(*ranks, fast(folder / "ranks"));
  const std::filesystem::path path = folder / "ranks" / "0.json";
  std::filesystem::create_symlink("/dev/full", folder / "full");
  std::filesystem::rename(folder / "full", path);
  const auto is_link = [&] { return std::filesystem::is_symlink(std::filesystem::symlink_status(path)); };
  while (is_link()) std::this_thread::yield();
  while (!read_heartbeat(path)) std::this_thread::yield();  // space again
  heartbeat.end("done");
  EXPECT_EQ(read_heartbeat(path)->reason, "done");
}

}  // namespace
}  // namespace masksc

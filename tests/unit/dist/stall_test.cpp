// What is made of the heartbeats of others.
#include "masksc/dist/stall.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "heartbeat_records.hpp"

namespace masksc {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using Kind = Verdict::Kind;
using Seen = std::vector<std::optional<HeartbeatRecord>>;

PeerViews views(const std::vector<std::pair<HeartbeatRecord, double>>& peers) {
  PeerViews all;
  for (const auto& [record, unchanged] : peers) all.push_back(PeerView{record, unchanged});
  return all;
}

TEST(Stall, AliveAndComputingIsNoVerdict) {
  EXPECT_EQ(judge(waiting(0, 100), views({{computing(1), 1}, {waiting(2, 100), 1}}), 20, true).kind, Kind::none);
  EXPECT_EQ(judge(waiting(0, 100), views({{computing(1), 19.9}}), 20, true).kind, Kind::none);
  EXPECT_EQ(judge(computing(0), {}, 20, true).kind, Kind::none);
}

TEST(Stall, NamesRanksThatAreSilent) {
  const PeerViews peers = views({{computing(1), 1}, {computing(2), 20}, {waiting(3, 4), 21}});
  for (const HeartbeatRecord& own : {waiting(0, 22), computing(0)}) {
    const Verdict verdict = judge(own, peers, 20, true);
    EXPECT_EQ(verdict.kind, Kind::silent);
    EXPECT_THAT(verdict.ranks, ElementsAre(2, 3));
  }
  const Verdict verdict = judge(waiting(0, 22), peers, 20, true);
  EXPECT_THAT(
      explain(verdict, waiting(0, 22), peers, 20, 4),
      AllOf(HasSubstr("rank 2 (host node2, pid 1002) has shown no sign of life for 20 s, last seen computing in "
                      "stage train at step 17"),
            HasSubstr("rank 3 (host node3, pid 1003)"), Not(HasSubstr("rank 1 (")),
            HasSubstr("Rank 0 of 4 (host node0) waits for 22 s in all-reduce in stage train at step 17"),
            HasSubstr("start the same command again"), HasSubstr("--stall-timeout")));
}

TEST(Stall, TheNetworkIsStuckWhenAllLiveAndWait) {
  const PeerViews peers = views({{waiting(1, 20), 1}, {waiting(2, 30), 2}});
  EXPECT_EQ(judge(waiting(0, 20), peers, 20, true).kind, Kind::network);
  EXPECT_THAT(explain({Kind::network, {}}, waiting(0, 20), peers, 20, 3),
              AllOf(HasSubstr("network"), HasSubstr("all 3 ranks live"), HasSubstr("host node0"),
                    HasSubstr("rank 1 (host node1, pid 1001) for 20 s in all-reduce in stage train at step 17"),
                    HasSubstr("rank 2 (host node2, pid 1002) for 30 s")));
  EXPECT_EQ(judge(waiting(0, 20), peers, 20, false).kind, Kind::none) << "other ranks are out of sight";
  EXPECT_EQ(judge(waiting(0, 19), peers, 20, true).kind, Kind::none);
  EXPECT_EQ(judge(computing(0), peers, 20, true).kind, Kind::none);
  EXPECT_EQ(judge(waiting(0, 20), views({{waiting(1, 20), 1}, {waiting(2, 19), 1}}), 20, true).kind, Kind::none);
}

TEST(Stall, NothingIsSaidOfWhatCannotBeRead) {
  PeerViews peers = views({{waiting(1, 40), 1}, {waiting(2, 40), 1}});
  peers[1].reset();
  EXPECT_EQ(judge(waiting(0, 40), peers, 20, true).kind, Kind::none);
}

TEST(Stall, ARankThatHasEndedIsMissedOnlyByThoseThatWait) {
  const PeerViews peers = views({{ended(1, "the disk is full"), 25}});
  EXPECT_EQ(judge(computing(0), peers, 20, true).kind, Kind::none);
  EXPECT_EQ(judge(waiting(0, 5), peers, 20, true).kind, Kind::none);
  const Verdict verdict = judge(waiting(0, 25), peers, 20, true);
  EXPECT_EQ(verdict.kind, Kind::ended);
  EXPECT_THAT(explain(verdict, waiting(0, 25), peers, 20, 2),
              AllOf(HasSubstr("rank 1 (host node1, pid 1001) ended in stage train at step 17: the disk is full")));
}

/// As `record`, in a step, after others that took up to `longest` seconds.
HeartbeatRecord in_step(HeartbeatRecord record, double longest, double seconds) {
  record.longest_step = longest;
  record.seconds = seconds;
  return record;
}

TEST(Stall, ARankIsLateThatStaysInAStepFarLongerThanAnyTook) {
  const HeartbeatRecord own = in_step(waiting(0, 25), 2, 25);
  const auto kind = [&](const HeartbeatRecord& mine, const HeartbeatRecord& peer, double busy) {
    return judge(mine, {PeerView{peer, 1, busy}}, 20, true).kind;
  };
  const HeartbeatRecord stuck = in_step(computing(1), 2, 22);
  EXPECT_EQ(kind(own, stuck, 21), Kind::late);
  EXPECT_EQ(kind(own, stuck, 19), Kind::none) << "we have not looked for long enough";
  EXPECT_EQ(kind(own, in_step(computing(1), 2, 19), 21), Kind::none) << "it was in a collective in between";
  EXPECT_EQ(kind(own, in_step(computing(1), 0, 22), 21), Kind::none) << "saving, or one of the first steps";
  EXPECT_EQ(kind(own, in_step(computing(1), 5, 22), 21), Kind::none) << "its steps are long";
  EXPECT_EQ(kind(own, in_step(waiting(1, 22), 2, 22), 21), Kind::network);
  EXPECT_EQ(kind(in_step(waiting(0, 25), 0, 25), stuck, 21), Kind::none);
  EXPECT_EQ(kind(in_step(waiting(0, 25), 2, 19), stuck, 21), Kind::none);
  EXPECT_EQ(kind(in_step(computing(0), 2, 25), stuck, 21), Kind::none);

  const PeerViews peers = {PeerView{stuck, 1, 21}, PeerView{in_step(waiting(2, 22), 2, 22), 1, 0}};
  const Verdict verdict = judge(own, peers, 20, true);
  EXPECT_THAT(verdict.ranks, ElementsAre(1));
  EXPECT_THAT(
      explain(verdict, own, peers, 20, 3),
      AllOf(HasSubstr("rank 1 (host node1, pid 1001) lives but has computed for 22 s in stage train at step 17, whose "
                      "steps took 2.0 s at most"),
            HasSubstr("Rank 0 of 3 (host node0) waits for 25 s in all-reduce"),
            HasSubstr("look there, then start the "), Not(HasSubstr("rank 2"))));
}

TEST(Stall, NamesNoMoreThanEight) {
  PeerViews peers;
  Verdict verdict{Kind::silent, {}};
  for (int rank = 1; rank <= 20; ++rank) {
    peers.push_back(PeerView{computing(rank), 30});
    verdict.ranks.push_back(rank);
  }
  const std::string text = explain(verdict, waiting(0, 30), peers, 20, 21);
  EXPECT_THAT(text, AllOf(HasSubstr("rank 8 "), Not(HasSubstr("rank 9 ")), HasSubstr("and 12 more")));
}

TEST(Stall, TellsWhoIsBusy) {
  EXPECT_THAT(
      describe_busy(views({{computing(1), 0.5}, {waiting(2, 9), 1}, {computing(3), 8}})),
      AllOf(HasSubstr("rank 1 (host node1, pid 1001) is computing in stage train at step 17"), Not(HasSubstr("rank 2")),
            HasSubstr("rank 3 (host node3, pid 1003) has shown no sign of life for 8 s")));
  EXPECT_THAT(describe_busy(views({{waiting(1, 2), 0}})), IsEmpty());
}

/// A run of looks, one a second.
class Looks : public ::testing::Test {
 protected:
  Verdict after(double seconds, const Seen& seen, const HeartbeatRecord& own = waiting(0, 100)) {
    now_ += std::chrono::duration_cast<Lookout::Clock::duration>(std::chrono::duration<double>(seconds));
    return lookout_.look(own, seen, now_);
  }
  Lookout lookout_{20, 2, true};
  Lookout::Clock::time_point now_{};
};

TEST_F(Looks, SilenceIsMeasuredByOurClockAndSeenTwice) {
  for (int second = 0; second <= 20; ++second)
    EXPECT_EQ(after(1, {computing(1, 7), computing(2, static_cast<std::uint64_t>(second))}).kind, Kind::none) << second;
  const Verdict verdict = after(1, {computing(1, 7), computing(2, 99)});
  EXPECT_EQ(verdict.kind, Kind::silent);
  EXPECT_THAT(verdict.ranks, ElementsAre(1));
}

TEST_F(Looks, ALateRankIsTimedByOurClock) {
  const HeartbeatRecord own = in_step(waiting(0, 100), 1, 100);
  const auto beat = [](int second, std::int64_t step) {
    HeartbeatRecord record = in_step(computing(1, static_cast<std::uint64_t>(second)), 1, 100);
    record.step = step;
    return record;
  };
  for (int second = 0; second <= 20; ++second) EXPECT_EQ(after(1, {beat(second, 17)}, own).kind, Kind::none) << second;
  EXPECT_EQ(after(1, {beat(21, 17)}, own).kind, Kind::late);
  for (int second = 22; second <= 42; ++second) EXPECT_EQ(after(1, {beat(second, 18)}, own).kind, Kind::none) << second;
  EXPECT_EQ(after(60, {beat(43, 18)}, own).kind, Kind::none) << "we were stopped ourselves";
}

TEST_F(Looks, ABeatBeginsTheSilenceAnew) {
  for (int second = 0; second <= 20; ++second) after(1, {computing(1, 7)});
  for (int second = 0; second <= 20; ++second) EXPECT_EQ(after(1, {computing(1, 8)}).kind, Kind::none);
  EXPECT_EQ(after(1, {computing(1, 8)}).kind, Kind::silent);
}

TEST_F(Looks, SoDoesAFileThatIsMissingOrTorn) {
  for (int second = 0; second <= 20; ++second) after(1, {computing(1, 7)});
  EXPECT_EQ(after(1, {std::nullopt}).kind, Kind::none);
  for (int second = 0; second <= 20; ++second) EXPECT_EQ(after(1, {computing(1, 7)}).kind, Kind::none);
  EXPECT_EQ(after(1, {computing(1, 7)}).kind, Kind::silent);
}

TEST_F(Looks, AndAnotherProcess) {
  HeartbeatRecord other = computing(1, 7);
  other.pid = 5;
  for (int second = 0; second <= 20; ++second) after(1, {computing(1, 7)});
  EXPECT_EQ(after(1, {other}).kind, Kind::none);
}

TEST_F(Looks, APauseOfOurOwnAccusesNobody) {
  for (int second = 0; second <= 20; ++second) after(1, {computing(1, 7)});
  EXPECT_EQ(after(60, {computing(1, 7)}).kind, Kind::none) << "we were stopped, perhaps all were";
  for (int second = 0; second < 20; ++second) EXPECT_EQ(after(1, {computing(1, 7)}).kind, Kind::none);
}

TEST_F(Looks, TheNetworkIsSeenTwiceToo) {
  std::uint64_t beat = 0;
  EXPECT_EQ(after(1, {waiting(1, 30, ++beat)}).kind, Kind::none);
  EXPECT_EQ(after(1, {computing(1, ++beat)}).kind, Kind::none);
  EXPECT_EQ(after(1, {waiting(1, 30, ++beat)}).kind, Kind::none);
  EXPECT_EQ(after(1, {waiting(1, 31, ++beat)}).kind, Kind::network);
}

TEST_F(Looks, OneLookAtEachOfTwoRanksIsNotTwoLooks) {
  for (int second = 0; second <= 20; ++second) after(1, {computing(1, 7), computing(2, second < 1 ? 1 : 2)});
  EXPECT_EQ(after(1, {computing(1, 8), computing(2, 2)}).kind, Kind::none) << "first rank 1 was silent, now rank 2 is";
  const Verdict verdict = after(1, {computing(1, 8), computing(2, 2)});
  EXPECT_EQ(verdict.kind, Kind::silent);
  EXPECT_THAT(verdict.ranks, ElementsAre(2));
}

}  // namespace
}  // namespace masksc

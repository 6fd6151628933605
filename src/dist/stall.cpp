#include "masksc/dist/stall.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace masksc {
namespace {

using Kind = Verdict::Kind;

double seconds(Lookout::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

bool has(const Verdict& verdict, int rank) {
  return std::find(verdict.ranks.begin(), verdict.ranks.end(), rank) != verdict.ranks.end();
}

bool waits_too_long(const HeartbeatRecord& record, double timeout) {
  return record.state == RankState::waiting && record.seconds >= timeout;
}

/// How long is too long for a step.
double step_limit(const HeartbeatRecord& record, double timeout) { return std::max(timeout, 5 * record.longest_step); }

bool is_late(const HeartbeatRecord& own, const PeerView& peer, double timeout) {
  const HeartbeatRecord& other = peer.record;
  if (own.longest_step <= 0 || other.longest_step <= 0 || other.state != RankState::computing) return false;
  const double limit = step_limit(other, timeout);
  return waits_too_long(own, step_limit(own, timeout)) && other.seconds >= limit && peer.busy >= limit;
}

std::string title(const HeartbeatRecord& r) { return fmt::format("rank {} (host {}, pid {})", r.rank, r.host, r.pid); }

std::string place(const HeartbeatRecord& r) {
  return r.step > 0 ? fmt::format("stage {} at step {}", r.stage, r.step) : fmt::format("stage {}", r.stage);
}

/// Those that `text` has something to say of, the first eight of them.
std::string list(const PeerViews& peers, const std::function<std::string(const PeerView&)>& text) {
  constexpr int most = 8;
  std::string all;
  int named = 0;
  for (const auto& peer : peers) {
    const std::string one = peer ? text(*peer) : std::string();
    if (one.empty()) continue;
    if (++named <= most) all += (named > 1 ? "; " : "") + one;
  }
  return named > most ? fmt::format("{}; and {} more", all, named - most) : all;
}

}  // namespace

Verdict judge(const HeartbeatRecord& own, const PeerViews& peers, double timeout, bool all_seen) {
  Verdict silent{Kind::silent, {}};
  Verdict ended{Kind::ended, {}};
  Verdict late{Kind::late, {}};
  bool all_wait = all_seen && waits_too_long(own, timeout);
  for (const auto& peer : peers) {
    all_wait = all_wait && peer && waits_too_long(peer->record, timeout);
    if (peer && is_late(own, *peer, timeout)) late.ranks.push_back(peer->record.rank);
    if (!peer || peer->unchanged < timeout) continue;
    (peer->record.state == RankState::ended ? ended : silent).ranks.push_back(peer->record.rank);
  }
  if (!silent.ranks.empty()) return silent;
  if (!late.ranks.empty()) return late;
  if (!ended.ranks.empty() && waits_too_long(own, timeout)) return ended;
  return {all_wait ? Kind::network : Kind::none, {}};
}

std::string explain(const Verdict& verdict, const HeartbeatRecord& own, const PeerViews& peers, double timeout,
                    int size) {
  const std::string here = own.state == RankState::waiting
                               ? fmt::format("waits for {:.0f} s in {} in {}", own.seconds, own.operation, place(own))
                               : fmt::format("computes in {}", place(own));
  constexpr const char* remedy = "start the same command again to go on from the last checkpoint";
  if (verdict.kind == Kind::network) {
    const auto waits = [](const PeerView& peer) {
      return fmt::format("{} for {:.0f} s in {} in {}", title(peer.record), peer.record.seconds, peer.record.operation,
                         place(peer.record));
    };
    return fmt::format(
        "the network is stuck: all {} ranks live, and all wait for each other. Rank {} of {} (host {}) {}; the others: "
        "{}. Check the network between these hosts, then {} (if it is only slow: a longer --stall-timeout)",
        size, own.rank, size, own.host, here, list(peers, waits), remedy);
  }
  const auto accused = [&](const PeerView& peer) {
    if (!has(verdict, peer.record.rank)) return std::string();
    if (verdict.kind == Kind::ended)
      return fmt::format("{} ended in {}: {}", title(peer.record), place(peer.record), peer.record.reason);
    if (verdict.kind == Kind::late)
      return fmt::format("{} lives but has computed for {:.0f} s in {}, whose steps took {:.1f} s at most",
                         title(peer.record), peer.record.seconds, place(peer.record), peer.record.longest_step);
    return fmt::format("{} has shown no sign of life for {:.0f} s, last seen {} in {}", title(peer.record),
                       peer.unchanged, peer.record.state == RankState::waiting ? "waiting" : "computing",
                       place(peer.record));
  };
  const char* advice = verdict.kind == Kind::silent
                           ? "The process is stopped, or its host or the file system there hangs: look there, then "
                       : verdict.kind == Kind::late ? "It is stuck, or its host is: look there, then "
                                                    : "";
  return fmt::format("{}. Rank {} of {} (host {}) {} and gives up. {}{} (--stall-timeout {:.0f} sets the limit)",
                     list(peers, accused), own.rank, size, own.host, here, advice,
                     verdict.kind == Kind::ended ? "Start the same command again" : remedy, timeout);
}

std::string describe_busy(const PeerViews& peers) {
  constexpr double lively = 5;  // seconds
  return list(peers, [](const PeerView& peer) {
    if (peer.unchanged > lively)
      return fmt::format("{} has shown no sign of life for {:.0f} s, last in {}", title(peer.record), peer.unchanged,
                         place(peer.record));
    if (peer.record.state != RankState::computing) return std::string();
    return fmt::format("{} is computing in {}", title(peer.record), place(peer.record));
  });
}

Verdict Lookout::look(const HeartbeatRecord& own, const std::vector<std::optional<HeartbeatRecord>>& seen,
                      Clock::time_point now) {
  update(seen, now);
  Verdict verdict = judge(own, peers_, timeout_, all_seen_);
  const bool again = verdict.kind == last_.kind &&
                     (verdict.kind == Kind::network || std::any_of(verdict.ranks.begin(), verdict.ranks.end(),
                                                                   [&](int rank) { return has(last_, rank); }));
  in_a_row_ = again ? in_a_row_ + 1 : 1;
  last_ = verdict;
  return in_a_row_ >= looks_ ? verdict : Verdict{};
}

void Lookout::update(const std::vector<std::optional<HeartbeatRecord>>& seen, Clock::time_point now) {
  const double longest_pause = std::max(timeout_ / 2, 3.0);
  if (!last_look_ || seconds(now - *last_look_) > longest_pause) {
    peers_.assign(seen.size(), std::nullopt);
    changed_.assign(seen.size(), now);
    busy_since_.assign(seen.size(), now);
    last_ = {};
    in_a_row_ = 0;
  }
  last_look_ = now;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    const bool same =
        seen[i] && peers_[i] && seen[i]->beat == peers_[i]->record.beat && seen[i]->pid == peers_[i]->record.pid;
    if (!same) changed_[i] = now;
    const bool busy = seen[i] && peers_[i] && seen[i]->state == RankState::computing &&
                      peers_[i]->record.state == RankState::computing && seen[i]->step == peers_[i]->record.step &&
                      seen[i]->pid == peers_[i]->record.pid;
    if (!busy) busy_since_[i] = now;
    peers_[i].reset();
    if (seen[i]) peers_[i] = PeerView{*seen[i], seconds(now - changed_[i]), seconds(now - busy_since_[i])};
  }
}

}  // namespace masksc

// Whether the run has stalled, judged by nothing but what the ranks' heartbeats look like from here.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "masksc/dist/heartbeat_record.hpp"

namespace masksc {

/// A peer's heartbeat, and for how many seconds of our own clock its beat has not changed under our eyes.
struct PeerView {
  HeartbeatRecord record;
  double unchanged = 0;
  double busy = 0;  // seconds of our clock for which we have seen it compute in the same step
};
/// Nothing where a file could not be read at this look: that says nothing about its rank.
using PeerViews = std::vector<std::optional<PeerView>>;

struct Verdict {
  enum class Kind {
    none,
    silent,   // ranks give no sign of life
    late,     // ranks live, but stay in a step for far longer than any step took
    ended,    // ranks have ended, but this one waits for them
    network,  // all live, and all wait
  };
  Kind kind = Kind::none;
  std::vector<int> ranks;  // that are silent or late or have ended
};

/// What to make of the `peers` when `timeout` seconds are too long. A rank is late when it computes, and this one waits
/// for it, in a step for `timeout` seconds and five times the longest step before. Only with `all_seen`, when the peers
/// are all other ranks, can it be the network.
Verdict judge(const HeartbeatRecord& own, const PeerViews& peers, double timeout, bool all_seen);

/// The message that ends the run: who gives up, because of which ranks on which hosts, where they and we are, and what
/// to do. `size`: number of ranks.
std::string explain(const Verdict& verdict, const HeartbeatRecord& own, const PeerViews& peers, double timeout,
                    int size);

/// The peers that compute, or show no sign of life, with host, stage and step; "" when there are none.
std::string describe_busy(const PeerViews& peers);

/// What one rank sees of its peers from look to look.
class Lookout {
 public:
  using Clock = std::chrono::steady_clock;

  /// A verdict counts once `looks` looks in a row agree on it.
  Lookout(double timeout, int looks, bool all_seen) : timeout_(timeout), looks_(looks), all_seen_(all_seen) {}

  /// `seen`: one record a peer, always in the same order. Long pauses between looks, in which this process was stopped
  /// itself or the files were out of reach, begin everything anew.
  Verdict look(const HeartbeatRecord& own, const std::vector<std::optional<HeartbeatRecord>>& seen,
               Clock::time_point now);
  /// As of the last look.
  [[nodiscard]] const PeerViews& peers() const { return peers_; }

 private:
  void update(const std::vector<std::optional<HeartbeatRecord>>& seen, Clock::time_point now);

  double timeout_;
  int looks_;
  bool all_seen_;
  PeerViews peers_;
  std::vector<Clock::time_point> changed_;
  std::vector<Clock::time_point> busy_since_;
  std::optional<Clock::time_point> last_look_;
  Verdict last_;
  int in_a_row_ = 0;
};

}  // namespace masksc

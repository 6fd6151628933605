// The heartbeat of a rank: a file that it rewrites once a second, and the eye that it keeps on the files of its peers.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "masksc/dist/collectives.hpp"
#include "masksc/dist/heartbeat_record.hpp"
#include "masksc/dist/stall.hpp"

namespace masksc {

struct HeartbeatSettings {
  std::filesystem::path folder;  // of RANK.json; seen by all ranks
  /// After so long without a sign of life a rank counts as hung.
  std::chrono::seconds stall_timeout{20};
  std::chrono::milliseconds period{1000};
  /// Called once, by the heartbeat's thread. Unless given, it logs the message and ends the process with exit code 3;
  /// MPI's launcher then ends the other ranks.
  std::function<void(const std::string& message)> on_stall = nullptr;
};

/// Beats until it ends. Once this rank has neither begun nor ended a collective nor a step for a second, it looks at
/// its peers: rank 0 at all, the others at rank 0. What it sees is judged as in stall.hpp.
/// A disk that is full or gone never hurts the run: without heartbeats there is no judgement.
class Heartbeat {
 public:
  /// Removes the heartbeats of earlier runs, then begins to beat. A collective, after `ranks.watch`.
  Heartbeat(Collectives& ranks, HeartbeatSettings settings);
  /// Ends for no reason that it knows of.
  ~Heartbeat() { end("unknown"); }
  Heartbeat(const Heartbeat&) = delete;
  Heartbeat& operator=(const Heartbeat&) = delete;

  /// The stage that the record names from now on, from step 0 on.
  void begin_stage(const std::string& stage);
  /// The last record: state "ended", and why. Later calls do nothing.
  void end(const std::string& reason) noexcept;
  /// What other ranks do as of the last look, for the message of Collectives::watch. May outlive this object.
  [[nodiscard]] std::function<std::string()> peers() const;

 private:
  struct Notes {
    std::mutex mutex;
    std::string text;
  };

  void run();
  void write(const RankActivity& activity);
  void look();

  Collectives& ranks_;
  HeartbeatSettings settings_;
  HeartbeatRecord record_;  // the thread's, but for the stage
  bool lost_ = false;       // the last writing failed
  Lookout lookout_;
  std::shared_ptr<Notes> notes_ = std::make_shared<Notes>();
  std::mutex mutex_;
  std::condition_variable wakes_;  // at the end, and for a beat where a stage begins
  bool ended_ = false;
  std::string stage_ = "prepare";
  std::thread thread_;
};

}  // namespace masksc

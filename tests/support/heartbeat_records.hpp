// Heartbeats of ranks in the middle of training, for tests.
#pragma once

#include <fmt/format.h>

#include "masksc/dist/heartbeat_record.hpp"

namespace masksc {

inline HeartbeatRecord computing(int rank, std::uint64_t beat = 1) {
  HeartbeatRecord record;
  record.rank = rank;
  record.host = fmt::format("node{}", rank);
  record.pid = 1000 + rank;
  record.stage = "train";
  record.step = 17;
  record.beat = beat;
  record.time = "2026-11-24T12:00:00Z";
  return record;
}

inline HeartbeatRecord waiting(int rank, double seconds, std::uint64_t beat = 1) {
  HeartbeatRecord record = computing(rank, beat);
  record.state = RankState::waiting;
  record.operation = "all-reduce";
  record.seconds = seconds;
  return record;
}

inline HeartbeatRecord ended(int rank, const std::string& reason) {
  HeartbeatRecord record = computing(rank);
  record.state = RankState::ended;
  record.reason = reason;
  return record;
}

}  // namespace masksc

// A rank of the NCCL tests.
#pragma once

#include <chrono>
#include <future>
#include <string>

#include "host_nccl.hpp"

namespace masksc {

/// What a rank has in a test; `failure` gets the watch's message.
struct HostRank {
  HostRank(HostNccl& host, Collectives& world, std::chrono::milliseconds timeout = std::chrono::minutes(1))
      : nccl(host.api(world.rank()), world,
             {.device = world.rank(),
              .timeout = timeout,
              .poll = std::chrono::milliseconds(1),
              .on_failure = [this](const std::string& message) { failure.set_value(message); }}) {}

  std::promise<std::string> failure;
  HostStream compute;
  NcclCollectives nccl;
};

}  // namespace masksc

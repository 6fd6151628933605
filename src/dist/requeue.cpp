#include "masksc/dist/requeue.hpp"

#include <cstdint>
#include <cstdlib>

namespace masksc {

Json slurm_start() {
  const char* const job = std::getenv("SLURM_JOB_ID");
  if (job == nullptr) return nullptr;
  const char* const restarts = std::getenv("SLURM_RESTART_COUNT");  // set once it was requeued
  return {{"job", job}, {"restarts", restarts != nullptr ? std::atoi(restarts) : 0}};
}

bool is_requeued(const Json& record) {
  const Json now = slurm_start();
  const Json then = record.value("slurm", Json());
  return now.is_object() && then.is_object() && then.value("job", Json()) == now.at("job") &&
         then.value("restarts", std::int64_t{0}) < now.at("restarts").get<std::int64_t>();
}

}  // namespace masksc

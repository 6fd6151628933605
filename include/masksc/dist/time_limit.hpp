// The time limit of a run, its own or that of its Slurm job, and the deadline at which it stops by itself.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "masksc/dist/collectives.hpp"

namespace masksc {

/// Seconds of a limit as Slurm writes it: MINUTES, MINUTES:SECONDS, HOURS:MINUTES:SECONDS, DAYS-HOURS,
/// DAYS-HOURS:MINUTES or DAYS-HOURS:MINUTES:SECONDS; nothing for "none". Throws UserError.
std::optional<std::int64_t> parse_time_limit(const std::string& limit);

/// When Slurm ends this job, in seconds since the epoch: SLURM_JOB_END_TIME, or what squeue says. Nothing outside of a
/// job, for a job without a limit, and where squeue fails (a debug message tells).
std::optional<std::int64_t> slurm_job_end();

/// Sets the deadline of set_stop_deadline() on all ranks, `grace` seconds (--grace) before the limit, and tells it in
/// the log: the limit is `limit` (--time-limit) counted from the program's start, or where that is "none" the end of
/// rank 0's Slurm job. A collective.
void watch_time_limit(const std::string& limit, std::int64_t grace, Collectives& ranks);

}  // namespace masksc

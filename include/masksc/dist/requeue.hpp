// Starts of one Slurm job: a requeued job is started again with the same arguments.
#pragma once

#include "masksc/core/json.hpp"

namespace masksc {

/// The Slurm job of this process and how often it was requeued, as run.json has it; null outside of jobs.
Json slurm_start();

/// Whether the process that wrote run.json, whose content `record` is, was an earlier start of this very job. Throws
/// Json::exception for a record of another form.
bool is_requeued(const Json& record);

}  // namespace masksc

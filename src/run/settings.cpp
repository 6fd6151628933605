#include "masksc/run/settings.hpp"

#include <fmt/format.h>

#include <optional>

#include "masksc/core/error.hpp"
#include "masksc/core/stop.hpp"
#include "masksc/dist/time_limit.hpp"

namespace masksc {

void describe(OptionTable& table, RunSettings& s) {
  table.begin_group("Run", OptionRole::runtime);
  table.add("device", s.device, "where to train; auto takes a GPU when there is one", "auto|cpu|cuda");
  table.add("collectives", s.collectives, "how gradients travel; auto: nccl where every rank has a GPU of its own",
            "auto|nccl|mpi");
  table.add("collective-timeout", s.collective_timeout, "seconds that a rank waits for the others before all give up");
  table.add("stall-timeout", s.stall_timeout,
            "seconds without a sign of life after which a rank counts as hung and all end");
  table.add("threads", s.threads, "CPU threads a rank (0: its share of the cores that it may use)");
  table.add("checkpoint-every-steps", s.cadence.steps,
            "save every N steps (all three 0: at epochs' ends and every 10 minutes, in under 1% of the time)");
  table.add("checkpoint-every-epochs", s.cadence.epochs, "save at the end of every Nth epoch");
  table.add("checkpoint-every-minutes", s.cadence.minutes, "save after so many minutes");
  table.add_switch("async-checkpoint", s.cadence.background, "train on while a snapshot is written to disk");
  table.add("keep-last", s.keep_last, "newest checkpoints to keep");
  table.add("keep-every", s.keep_every, "also keep one checkpoint of every N steps for good (0: none)");
  table.add("max-bad-steps", s.max_bad_steps,
            "steps in a row with a loss or gradient that is not finite, before going back to the last checkpoint");
  table.add(
      "resume", s.resume,
      "auto: go on where a stopped run was; never: start it anew (a finished one stays: --overwrite); or a checkpoint",
      "auto|never|PATH");
  table.add("stop-signals", s.stop_signals,
            "these stop the run after a checkpoint, to be resumed; another, a second later, at once", "none|LIST");
  table.add(
      "time-limit", s.time_limit,
      "MINUTES, [HOURS:]MINUTES:SECONDS or DAYS-HOURS[:MINUTES[:SECONDS]] from the start; none: a Slurm job's own",
      "none|TIME");
  table.add("grace", s.grace, "seconds before the time limit at which the run stops by itself");
  table.add_switch("tensorboard", s.tensorboard, "the steps of log.jsonl as curves in DIR/tensorboard as well");
  table.add("progress-seconds", s.progress_seconds,
            "seconds between lines of progress in a file (0: none); on a terminal one line moves");
  table.add_switch("quiet", s.quiet, "only warnings, errors and the final table");
}

void validate(const RunSettings& s) {
  require_one_of("device", s.device, {"auto", "cpu", "cuda"});
  require_one_of("collectives", s.collectives, {"auto", "nccl", "mpi"});
  require_at_least("collective-timeout", s.collective_timeout, 1);
  require_at_least("stall-timeout", s.stall_timeout, 5);
  require_at_least("threads", s.threads, 0);
  require_at_least("checkpoint-every-steps", s.cadence.steps, 0);
  require_at_least("checkpoint-every-epochs", s.cadence.epochs, 0);
  require_not_negative("checkpoint-every-minutes", s.cadence.minutes);
  require_at_least("keep-last", s.keep_last, 1);
  require_at_least("keep-every", s.keep_every, 0);
  require_at_least("max-bad-steps", s.max_bad_steps, 1);
  require_not_negative("progress-seconds", s.progress_seconds);
  parse_stop_signals(s.stop_signals);
  require_at_least("grace", s.grace, 0);
  const std::optional<std::int64_t> limit = parse_time_limit(s.time_limit);
  if (limit && *limit <= s.grace)
    throw UserError(
        fmt::format("--time-limit {} is {} s, no more than the {} s of --grace that it ends with; raise the "
                    "limit or lower --grace",
                    s.time_limit, *limit, s.grace));
}

}  // namespace masksc

#include "masksc/train/settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "masksc/core/error.hpp"

namespace masksc {
namespace {

void in_range(const char* option, double value, double least, double most) {
  if (!(value >= least && value <= most))
    throw UserError(fmt::format("--{} must lie between {} and {}, not {}", option, least, most, value));
}

void at_least(const char* option, std::int64_t value, std::int64_t least) {
  if (value < least) throw UserError(fmt::format("--{} must be at least {}, not {}", option, least, value));
}

/// `later` are values of the contract whose engine this version lacks.
void one_of(const char* option, const std::string& value, const std::vector<std::string>& now,
            const std::vector<std::string>& later) {
  if (std::find(now.begin(), now.end(), value) != now.end()) return;
  if (std::find(later.begin(), later.end(), value) != later.end() || value.rfind("every=", 0) == 0)
    throw UserError(
        fmt::format("--{} {} is not available in this version; use {}", option, value, fmt::join(now, " or ")));
  throw UserError(fmt::format("--{} needs one of {}, not '{}'", option, fmt::join(now, ", "), value));
}

}  // namespace

void describe(OptionTable& table, TrainSettings& s) {
  table.begin_group("Training (stage 2)");
  table.add("epochs", s.epochs, "passes over all cells; a finished run continues when given more");
  table.add("max-steps", s.max_steps, "stop after so many steps (0: all epochs)");
  table.add("batch-size", s.batch_size, "cells of a global batch, over all ranks");
  table.add("learning-rate", s.learning_rate, "peak learning rate of AdamW; warm-up, then cosine");
  table.add("weight-decay", s.weight_decay, "decay of matrices (not of biases, norms and tokens)");
  table.add("warmup", s.warmup, "share of the steps with a rising learning rate, from 0 to 1");
  table.add("clip", s.clip, "largest norm of the gradient");
  table.add("seed", s.seed, "seed of everything random");
  table.add("precision", s.precision, "arithmetic of stage 2", "auto|fp32");
  table.add("gradient-checkpointing", s.gradient_checkpointing, "recompute activations in the backward pass", "none");
}

void describe(OptionTable& table, RunSettings& s) {
  table.begin_group("Run", OptionRole::runtime);
  table.add("device", s.device, "where to train; auto takes a GPU when there is one", "auto|cpu|cuda");
  table.add("collectives", s.collectives, "how ranks exchange data", "auto|mpi");
  table.add("threads", s.threads, "CPU threads a rank (0: the cores it has)");
  table.add("checkpoint-every-steps", s.checkpoint_every_steps,
            "save every N steps of stage 2 (0: at the ends of epochs, in at most 5% of the time)");
  table.add("keep-last", s.keep_last, "checkpoints to keep");
  table.add("resume", s.resume, "auto: go on where a stopped run was; never: start anew; or a checkpoint",
            "auto|never|PATH");
  table.add_switch("quiet", s.quiet, "only warnings, errors and the final table");
}

void validate(const TrainSettings& s) {
  at_least("epochs", s.epochs, 1);
  at_least("max-steps", s.max_steps, 0);
  at_least("batch-size", s.batch_size, 1);
  at_least("seed", s.seed, 0);
  if (!(s.learning_rate > 0)) throw UserError(fmt::format("--learning-rate must be positive, not {}", s.learning_rate));
  if (!(s.clip > 0)) throw UserError(fmt::format("--clip must be positive, not {}", s.clip));
  in_range("weight-decay", s.weight_decay, 0, 1e6);
  in_range("warmup", s.warmup, 0, 1);
  one_of("precision", s.precision, {"auto", "fp32"}, {"bf16", "fp16"});
  one_of("gradient-checkpointing", s.gradient_checkpointing, {"none"}, {"blocks"});
}

void validate(const RunSettings& s) {
  one_of("device", s.device, {"auto", "cpu", "cuda"}, {});
  one_of("collectives", s.collectives, {"auto", "mpi"}, {"nccl"});
  at_least("threads", s.threads, 0);
  at_least("checkpoint-every-steps", s.checkpoint_every_steps, 0);
  at_least("keep-last", s.keep_last, 1);
}

}  // namespace masksc

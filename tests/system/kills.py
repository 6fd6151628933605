"""Kills runs at chosen moments and compares what they become with a run that was never killed."""
import random
import time

import anndata

import support


class Moment:
    """When to kill: once `stage` has logged `step`; in the nth save (`step` counts them) of `stage` (or "any"); or some time
    after `stage` began."""

    def __init__(self, kind, stage, step=0, delay=0.0):
        self.kind, self.stage, self.step, self.delay = kind, stage, step, delay

    def __str__(self):
        return f"{self.kind} {self.stage} {self.step or ''}{f'+{1000 * self.delay:.0f} ms' if self.delay else ''}"

    def wait(self, running, output):
        """False when the run ended before."""
        if self.kind == "save":
            return self._wait_for_save(running, output)
        if self.kind == "begin":
            began = support.wait_for(lambda: any(line["stage"] == self.stage for line in lines(output)), 120, running)
            time.sleep(self.delay)
            return began
        return support.wait_for(lambda: last_step(output, self.stage) >= self.step, 120, running)

    def _wait_for_save(self, running, output):
        """In the middle of the nth save of the run: its staging file is there."""
        seen, inside = 0, False
        files = {"any": "", "train": "step-"}[self.stage]

        def now():
            nonlocal seen, inside
            partial = any(output.glob(f"checkpoints/.{files}*.h5.partial"))
            seen += partial and not inside
            inside = partial
            return partial and seen >= self.step

        end = time.monotonic() + 120
        while time.monotonic() < end and running.process.poll() is None:
            if now():
                return True
        return False


def lines(output):
    try:
        return support.log_lines(output)
    except ValueError:  # the last line is being written
        return []


def last_step(output, stage):
    return max((line["step"] for line in support.whole_steps(output, stage)), default=0)


def killed(output, moment, options, ranks=2):
    """Starts the run (anew or again) and kills all of its processes at that moment; whether it came."""
    running = support.Running("masksc_train", *options, "--output", output, ranks=ranks)
    came = moment.wait(running, output)
    running.kill()
    return came


def result(output):
    """All that must not depend on kills."""
    metrics = support.metrics(output)
    clusters = list(anndata.read_h5ad(output / "result.h5ad").obs["masksc"])
    return {"weights": metrics["weights_hash"], "embedding": metrics["embedding_hash"], "clusters": clusters}


def resumed_steps(log):
    """(stage, step) of every event of going on."""
    return [(line["stage"], line["step"]) for line in log if line.get("event") == "resumed"]


def random_moments(count, seed, sequence_steps, train_steps, steps_per_epoch):
    """Moments in all stages: first, last and boundary steps, random ones, inside saves."""
    draw = random.Random(seed)
    fixed = [Moment("step", "sequence", 2), Moment("step", "sequence", sequence_steps),
             Moment("step", "train", 2), Moment("step", "train", train_steps),
             Moment("step", "train", steps_per_epoch), Moment("step", "train", steps_per_epoch + 1),
             Moment("step", "train", 2 * steps_per_epoch), Moment("step", "train", 2 * steps_per_epoch + 1)]
    moments = fixed[:count]
    while len(moments) < count:
        kind = draw.choice(["sequence", "train", "train", "save", "save", "embed", "cluster"])
        if kind == "sequence":
            moments.append(Moment("step", "sequence", draw.randint(6, sequence_steps)))
        elif kind == "train":
            moments.append(Moment("step", "train", draw.randint(3, train_steps)))
        elif kind == "save":
            moments.append(Moment("save", "any", draw.randint(3, 8)))
        else:
            moments.append(Moment("begin", kind, delay=draw.uniform(0, 0.02 if kind == "embed" else 0.005)))
    return moments

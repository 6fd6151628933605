"""launch/slurm/train.sbatch in a real Slurm: whatever ends a job on the way, the run goes on and ends with the bits of one
that nothing stopped.

The test starts a Slurm of its own on this machine (slurm_cluster.py), with two partitions, of which one preempts the
other.
"""
import csv
import shutil
import time
import unittest

import anndata

import slurm_cluster
import support

SCRIPT = support.ROOT / "launch" / "slurm" / "train.sbatch"
SEEDS = (0, 1, 2)
EPOCHS = 120        # seconds, on a free machine: long enough to be stopped on the way
LONG_EPOCHS = 1200  # longer than test_time_limit lets a run go at once
cluster = None


def setUpModule():
    global cluster
    missing = slurm_cluster.missing_programs()
    if missing:
        raise RuntimeError(f"{', '.join(missing)} not found: run launch/setup.sh --with-slurm")
    support.fresh("slurm").mkdir(parents=True)
    cluster = slurm_cluster.Cluster()
    unittest.addModuleCleanup(cluster.stop)
    cluster.start()
    for seed in SEEDS:
        trained(reference(seed), "--seed", seed, epochs=EPOCHS)


def reference(seed):
    return support.WORK / "slurm" / f"seed-{seed}"


def trained(output, *arguments, epochs):
    """A run that nothing stops, by mpirun."""
    done = support.train(output, *arguments, "--epochs", epochs, "--threads", 1, timeout=support.patience(300))
    assert done.codes == [0, 0], done


def arguments(output, *more, epochs=EPOCHS):
    options = ["--epochs", epochs, "--threads", 1, *more]
    return [str(word) for word in ["--input", support.SIMULATED, "--output", output, "--labels", "group",
                                   *support.without(support.SMALL, ["--epochs"]), *options]]


def events(output, *names):
    return [line for line in support.log_lines(output) if line.get("event") in names and line["stage"] == "train"]


def has_step(output, step):
    try:
        return any(line["step"] >= step for line in support.steps(output))
    except ValueError:  # the last line is being written
        return False


class Slurm(unittest.TestCase):
    def setUp(self):
        self.folder = support.fresh("slurm", self._testMethodName)
        self.folder.mkdir()
        self.output = self.folder / "run"

    def submit(self, *sbatch, train, **variables):
        return cluster.submit("--ntasks=2", f"--output={self.folder}/%A_%a.out", *sbatch, SCRIPT, *train,
                              MASKSC_HOME=support.ROOT, MASKSC_BUILD=support.BUILD, OMP_NUM_THREADS=1, **variables)

    def told(self):
        files = sorted(self.folder.glob("*.out"))
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in files) + "\n" + cluster.logs()

    def wait_for(self, condition, what, seconds=300):
        self.assertTrue(support.wait_for(condition, support.patience(seconds)), f"{what} never came\n{self.told()}")

    def wait_for_step(self, job, step, output=None):
        self.wait_for(lambda: has_step(output or self.output, step) or cluster.job(job).ended(), f"step {step}")
        self.assertFalse(cluster.job(job).ended(), self.told())

    def wait_for_end(self, job):
        """Of a job, which must have ended complete; its restarts."""
        ended = []

        def check():
            time.sleep(0.3)
            ended[:] = [cluster.job(job)]
            return ended[0].ended()

        self.wait_for(check, f"the end of job {job}", 600)
        self.assertEqual((ended[0].state, ended[0].code), ("COMPLETED", 0), self.told())
        return ended[0].restarts

    def assert_equal(self, output, expected):
        got, wanted = support.metrics(output), support.metrics(expected)
        for name in ("weights_hash", "embedding_hash", "ranks", "steps"):
            self.assertEqual(got[name], wanted[name], name)
        labels = [list(anndata.read_h5ad(folder / "result.h5ad").obs["masksc"]) for folder in (output, expected)]
        self.assertEqual(labels[0], labels[1])

    def assert_stopped_in_order(self, output, times, reasons):
        """`times` stops, each with a checkpoint at its step, where the next part went on."""
        stops, resumed = events(output, "stop"), events(output, "resumed")
        self.assertEqual([line["step"] for line in stops], [line["step"] for line in resumed], self.told())
        self.assertEqual(len(stops), times, self.told())
        for line in stops:
            self.assertIn(line["reason"], reasons)
        saved = {line["step"] for line in events(output, "checkpoint")}
        self.assertLessEqual({line["step"] for line in stops}, saved)

    def test_time_limit(self):
        expected = support.WORK / "slurm" / "long"
        trained(expected, epochs=LONG_EPOCHS)
        for _ in range(3):  # a machine that is slow at first and fast then may reach the end before its limit
            shutil.rmtree(self.output, ignore_errors=True)
            # Of the two minutes that the job has, the run takes 12 s. Slurm's own warning (--signal) stays out of it.
            job = self.submit("--time=2", "--signal=B:URG@1", MASKSC_LAUNCHER="srun",
                              train=arguments(self.output, "--grace", 108, epochs=LONG_EPOCHS))
            self.wait_for(lambda job=job: cluster.job(job).restarts > 0 or cluster.job(job).ended(), "the requeue")
            if not cluster.job(job).ended():
                break
        cluster.call("scontrol", "update", f"jobid={job}", "timelimit=60")  # once is enough, on slow machines too
        restarts = self.wait_for_end(job)
        self.assertGreaterEqual(restarts, 1, self.told())
        self.assert_stopped_in_order(self.output, restarts, ["time limit"])
        self.assert_equal(self.output, expected)

    def test_warning_before_the_time_limit(self):
        job = self.submit("--time=10", train=arguments(self.output), MASKSC_LAUNCHER="mpirun")
        self.wait_for_step(job, 5)
        cluster.call("scancel", "--batch", "--signal=USR1", job)  # as Slurm does by --signal=B:USR1@120
        self.assertEqual(self.wait_for_end(job), 1)
        self.assert_stopped_in_order(self.output, 1, ["signal USR1"])
        self.assert_equal(self.output, reference(0))

    def test_requeued(self):
        job = self.submit("--time=10", train=arguments(self.output))
        self.wait_for_step(job, 5)
        cluster.call("scontrol", "requeue", job)
        self.assertEqual(self.wait_for_end(job), 1)
        self.assert_stopped_in_order(self.output, 1, ["signal TERM", "signal USR1"])
        self.assert_equal(self.output, reference(0))

    def test_not_requeued_after_scancel_or_when_not_wanted(self):
        job = self.submit("--time=10", train=arguments(self.output), MASKSC_LAUNCHER="mpirun")
        self.wait_for_step(job, 5)
        cluster.call("scancel", job)
        self.wait_for(lambda: cluster.job(job).ended(), "the end")
        self.assertEqual(cluster.job(job).state, "CANCELLED")
        stop = events(self.output, "stop")
        self.assertEqual(len(stop), 1, self.told())

        job = self.submit("--time=10", train=arguments(self.output), MASKSC_REQUEUE="no")
        self.wait_for_step(job, stop[0]["step"] + 5)
        cluster.call("scancel", "--batch", "--signal=TERM", job)
        self.wait_for(lambda: cluster.job(job).ended(), "the end")
        self.assertEqual((cluster.job(job).state, cluster.job(job).code), ("FAILED", 75), self.told())

        self.wait_for_end(self.submit("--time=10", train=arguments(self.output)))
        self.assert_stopped_in_order(self.output, 2, ["signal TERM", "signal USR1"])
        self.assert_equal(self.output, reference(0))

    def preempt(self, launcher):
        job = self.submit("--time=10", "--partition=low", train=arguments(self.output), MASKSC_LAUNCHER=launcher)
        self.wait_for_step(job, 5)
        urgent = cluster.submit("--partition=high", f"--ntasks={slurm_cluster.CPUS}", "--time=1", "--output=/dev/null",
                                "--wrap=sleep 3")
        self.wait_for_end(urgent)
        self.assertEqual(self.wait_for_end(job), 1)
        self.assert_stopped_in_order(self.output, 1, ["signal TERM", "signal USR1"])
        self.assert_equal(self.output, reference(0))

    def test_preempted_under_srun(self):
        self.preempt("srun")

    def test_preempted_under_mpirun(self):
        self.preempt("mpirun")

    def test_sweep_with_a_requeued_task(self):
        points = self.folder / "points"
        points.write_text("".join(f"--seed {seed}\n" for seed in SEEDS))
        sweep = self.folder / "sweep"
        job = self.submit("--time=10", "--array=0-2", train=arguments(f"{sweep}/"), MASKSC_POINTS=points)
        self.wait_for_step(f"{job}_1", 5, sweep / "point-1")
        cluster.call("scancel", "--batch", "--signal=USR1", f"{job}_1")
        self.assertEqual([self.wait_for_end(f"{job}_{task}") for task in range(3)], [0, 1, 0], self.told())
        for task, seed in enumerate(SEEDS):
            self.assert_equal(sweep / f"point-{task}", reference(seed))
        self.assert_stopped_in_order(sweep / "point-1", 1, ["signal USR1"])

    def test_points_of_a_sweep_as_an_array(self):
        """masksc_sweep --point array: a stopped task goes on, and --collect tells what mpirun's sweep tells."""
        seeds = ["--sweep", "guidance-token=mean,global", "--seeds", 2]
        wanted, sweep = self.folder / "mpirun", self.folder / "sweep"
        done = support.run("masksc_sweep", *arguments(wanted, *seeds, "--ranks-per-point", 2),
                           timeout=support.patience(600))
        self.assertEqual(done.codes, [0, 0], done)
        options = arguments(sweep, *seeds, "--ranks-per-point", 2)
        job = self.submit("--time=10", "--array=0-3", train=[*options, "--point", "array"],
                          MASKSC_PROGRAM="masksc_sweep")
        self.wait_for_step(f"{job}_1", 5, sweep / "points" / "guidance-token=mean_seed=1")
        cluster.call("scancel", "--batch", "--signal=USR1", f"{job}_1")
        restarts = [self.wait_for_end(f"{job}_{task}") for task in range(4)]
        self.assertGreaterEqual(restarts[1], 1, self.told())  # scancel repeats a signal that Slurm was too busy for
        self.assertEqual(sum(restarts), restarts[1], self.told())
        # Repeated, the signal may come before the run that goes on has made itself ready for it: that ends at once.
        parts = (self.folder / f"{job}_1.out").read_text().split("goes back into the queue")
        unready = sum("User defined signal 1" in part for part in parts)
        self.assertLess(unready, restarts[1], self.told())
        self.assert_stopped_in_order(sweep / "points" / "guidance-token=mean_seed=1", restarts[1] - unready, ["signal USR1"])
        collected = support.run("masksc_sweep", *options, "--collect", ranks=1)
        self.assertEqual(collected.codes, [0], collected)
        timed = ("seconds", "memory", "cells_per_s")
        tables = [[{name: value for name, value in row.items() if not any(word in name for word in timed)}
                   for row in csv.DictReader((folder / "sweep.csv").read_text().splitlines())]
                  for folder in (sweep, wanted)]
        self.assertEqual([row["status"] for row in tables[0]], ["done"] * 4)
        self.assertEqual(tables[0], tables[1])

    def test_what_is_wrong_ends_the_job_with_2(self):
        points = self.folder / "points"
        points.write_text("--seed 1\n")
        jobs = [self.submit("--array=1", train=["--output", self.output], MASKSC_POINTS=points),
                self.submit("--array=0", train=["--input", "x"], MASKSC_POINTS=points),
                self.submit("--array=0", train=["--output", self.output], MASKSC_POINTS=self.folder / "none"),
                self.submit(train=["--output", self.output], MASKSC_LAUNCHER="ssh"),
                self.submit(train=["--no-such-option", self.output])]
        for job, word in zip(jobs, ["has 1 lines", "--output DIR", "cannot read", "ssh", "no-such-option"]):
            self.wait_for(lambda job=job: cluster.job(job).ended(), "the end")
            self.assertEqual((cluster.job(job).state, cluster.job(job).code), ("FAILED", 2), word)
            self.assertTrue(any(word in path.read_text() for path in self.folder.glob(f"{job}_*.out")), self.told())


if __name__ == "__main__":
    unittest.main()

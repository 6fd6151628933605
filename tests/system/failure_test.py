"""A rank that dies, hangs or throws ends the job within 30 seconds, and its name is told; then the run goes on."""
import ctypes
import json
import os
import re
import resource
import signal
import stat
import time
import unittest

import support

RANKS = 3
# Some seconds of training, so that there is a middle to fail in.
LONGER = support.without(support.SMALL, ["--epochs"]) + ["--epochs", "25", "--checkpoint-every-steps", "10"]
WITHIN = 30  # seconds, from the failure to the end of mpirun


def heartbeat(output, rank):
    """The rank's record; an empty one while it is not there."""
    while True:
        try:
            return json.loads((output / "ranks" / f"{rank}.json").read_text())
        except FileNotFoundError:
            return {}
        except ValueError:  # read while it is written
            pass


def options(output, *more):
    return ["--input", support.SIMULATED, "--labels", "group", "--output", output, *support.without(LONGER, more),
            *more]


class StoppedThread:
    """The main thread of a process stands still, as if it computed forever; its other threads go on."""

    SEIZE, INTERRUPT, DETACH, ALL_CHILDREN = 0x4206, 0x4207, 17, 0x40000000

    def __init__(self, pid):
        self.pid = pid
        self.call(self.SEIZE)
        self.call(self.INTERRUPT)
        os.waitpid(pid, self.ALL_CHILDREN)

    def call(self, request):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.ptrace(ctypes.c_long(request), ctypes.c_long(self.pid), None, None) != 0:
            raise OSError(ctypes.get_errno(), "ptrace, which this test needs, is not allowed")

    def go_on(self):
        self.call(self.DETACH)


class Failure(unittest.TestCase):
    def run_until(self, name, stage, step, *more):
        """The folder of a run that is at `step` of `stage`, and the run."""
        output = support.fresh("failure", name)
        running = support.Running("masksc_train", *options(output, *more), ranks=RANKS)
        self.addCleanup(running.kill)
        steps = lambda: (line["step"] for line in support.whole_steps(output, stage))
        self.assertTrue(support.wait_for(lambda: max(steps(), default=0) >= step, 120, running), "it never came so far")
        self.assertTrue(support.wait_for(lambda: heartbeat(output, RANKS - 1).get("stage") == stage, 20))
        return output, running

    def ends(self, running, since):
        """Its exit code and what it said, in time."""
        error = running.process.communicate(timeout=120)[1]
        self.assertLess(time.monotonic() - since, WITHIN, error)
        self.assertNotEqual(running.process.returncode, 0, error)
        return running.process.returncode, error

    def goes_on(self, output, *more):
        done = support.run("masksc_train", *options(output, *more), ranks=RANKS)
        self.assertEqual(done.codes, [0] * RANKS, done)
        events = [line["step"] for line in support.log_lines(output) if line.get("event") == "resumed"]
        self.assertEqual([step > 0 for step in events], [True])
        for rank in range(RANKS):
            self.assertEqual((heartbeat(output, rank)["state"], heartbeat(output, rank)["reason"]), ("ended", "done"))

    def hang(self, name, stage, step, victim, *more):
        """A stopped rank: the others see that its heart has stopped."""
        output, running = self.run_until(name, stage, step, *more)
        stopped = heartbeat(output, victim)
        os.kill(stopped["pid"], signal.SIGSTOP)
        code, error = self.ends(running, time.monotonic())
        self.assertEqual(code, 3, error)
        place = rf"in stage {stage}(?: at step \d+)?"
        said = re.search(rf"rank {victim} \(host {stopped['host']}, pid {stopped['pid']}\) has shown no sign of life "
                         rf"for \d+ s, last seen \w+ {place}\. "
                         rf"Rank (\d) of {RANKS} \(host \S+\) waits for \d+ s in [a-z-]+ {place}", error)
        self.assertTrue(said, error)
        self.assertEqual(said[1], "1" if victim == 0 else "0")
        return output

    def test_a_rank_hangs_in_training(self):
        self.goes_on(self.hang("train", "train", 20, 2))  # with the default of --stall-timeout

    def test_rank_0_hangs(self):
        self.goes_on(self.hang("root", "train", 20, 0, "--stall-timeout", "6"), "--stall-timeout", "6")

    def test_a_rank_hangs_in_the_sequence_encoder(self):
        shorter = ["--sequence-epochs", "150", "--epochs", "4", "--stall-timeout", "6"]
        self.goes_on(self.hang("sequence", "sequence", 30, 1, *shorter), *shorter)

    def endless(self, name, *more):
        """What a run says whose rank 1 computes and never returns, and its folder."""
        output, running = self.run_until(name, "train", 20, "--epochs", "5000", *more)
        for _ in range(50):  # until it is caught while it computes, and not in the middle of an allocation
            thread = StoppedThread(heartbeat(output, 1)["pid"])
            beat = heartbeat(output, 1)["beat"]
            beats = support.wait_for(lambda: heartbeat(output, 1)["beat"] > beat + 1, 4)
            if beats and heartbeat(output, 1)["state"] == "computing":
                break
            thread.go_on()
            time.sleep(0.5)
        else:
            self.fail("rank 1 was never caught while it computes")
        code, error = self.ends(running, time.monotonic())
        self.assertEqual(code, 3, error)
        return error

    def test_a_rank_never_returns(self):
        error = self.endless("endless", "--stall-timeout", "6")
        self.assertRegex(error, r"rank 1 \(host \S+, pid \d+\) lives but has computed for \d+ s in stage train at step "
                                r"\d+, whose steps took \d+\.\d s at most\. Rank 0 of 3 \(host \S+\) waits for \d+ s in "
                                r"[a-z-]+ in stage train at step \d+ and gives up")

    def test_the_limit_of_a_collective(self):
        error = self.endless("busy", "--collective-timeout", "8")
        self.assertRegex(error, r"rank 0 of 3 has waited \d+ s for the others in [a-z-]+ at step \d+: rank 1 "
                                r"\(host \S+, pid \d+\) is computing in stage train at step \d+;.*--collective-timeout")

    def test_a_rank_is_killed(self):
        output, running = self.run_until("killed", "train", 20)
        victim = heartbeat(output, 1)
        os.kill(victim["pid"], signal.SIGKILL)
        _, error = self.ends(running, time.monotonic())
        self.assertRegex(error, r"process rank 1 with PID \d+ on node \S+ exited on signal 9")  # Open MPI says it
        self.goes_on(output)

    def test_a_rank_throws(self):
        """A rank that gets no more memory throws wherever it asks next, alone: the others wait for it meanwhile."""
        output, running = self.run_until("throws", "train", 20)
        resource.prlimit(heartbeat(output, 1)["pid"], resource.RLIMIT_AS, (1 << 20, resource.RLIM_INFINITY))
        _, error = self.ends(running, time.monotonic())
        self.assertIn("error [rank 1] ", error)
        last = heartbeat(output, 1)
        self.assertEqual(last["state"], "ended", error)
        self.assertIn(last["reason"], error)
        self.goes_on(output)


class Heartbeats(unittest.TestCase):
    def test_tell_what_each_rank_does(self):
        output = support.fresh("failure", "heartbeats")
        (output / "ranks").mkdir(parents=True)
        (output / "ranks" / "7.json").write_text("of a run on more ranks")
        running = support.Running("masksc_train", *options(output, "--epochs", "5000"), ranks=RANKS)
        self.addCleanup(running.kill)
        self.assertTrue(support.wait_for(lambda: heartbeat(output, 1).get("stage") == "train", 60, running))
        before = [heartbeat(output, rank) for rank in range(RANKS)]
        inode = (output / "ranks" / "1.json").stat().st_ino
        self.assertFalse((output / "ranks" / "7.json").exists())
        for rank, record in enumerate(before):
            self.assertEqual(list(record)[:8], ["rank", "host", "pid", "stage", "step", "beat", "time", "state"])
            self.assertEqual((record["rank"], record["host"]), (rank, os.uname().nodename))
            self.assertIn(record["state"], ("computing", "waiting"))
            self.assertEqual("operation" in record, record["state"] == "waiting")
            self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            os.kill(record["pid"], 0)
            status = (output / "ranks" / f"{rank}.json").stat()
            self.assertEqual((stat.S_IMODE(status.st_mode), status.st_size), (0o600, 1024))
        self.assertTrue(support.wait_for(lambda: heartbeat(output, 1).get("beat", 0) > before[1]["beat"] + 1, 20))
        self.assertEqual((output / "ranks" / "1.json").stat().st_ino, inode)
        running.process.send_signal(signal.SIGUSR1)
        running.process.communicate(timeout=60)
        for rank in range(RANKS):
            self.assertEqual(heartbeat(output, rank)["state"], "ended")
            self.assertRegex(heartbeat(output, rank)["reason"], "stopped on request")


if __name__ == "__main__":
    unittest.main()

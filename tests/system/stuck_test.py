"""What is stuck, and what is only slow: a file that gets HDF5 stuck is given up after a minute of processor time
(unit_core's Apart tests it in a second); a read that takes longer than --stall-timeout ends nothing."""
import os
import pathlib
import re
import shutil
import subprocess
import unittest

import hostile_test
import support


class Stuck(hostile_test.Hostile):
    FOLDER = "stuck"

    def test_objects_of_no_size(self):
        """HDF5 1.10 never gets to the end of the heap."""
        data = bytearray(self.file.read_bytes())
        for match in re.finditer(b"GCOL\1", bytes(data)):
            size = int.from_bytes(data[match.start() + 8:match.start() + 16], "little")
            data[match.start() + 16:match.start() + size] = bytes(size - 16)
        self.file.write_bytes(data)
        done = self.prepare()
        self.refused(done, self.file, "damaged")
        self.assertRegex(done.err, "stuck|crashes|pointing nowhere|cannot")


@unittest.skipUnless(shutil.which("cc"), "SKIPPED: no C compiler here, which this test needs")
class SlowDisk(unittest.TestCase):
    TIMEOUT, SECONDS = 5, 12

    def test_a_slow_read_is_no_stuck_rank(self):
        folder = support.fresh("stuck", "disk")
        folder.mkdir(parents=True)
        library, flag, output = folder / "slow_disk.so", folder / "now", folder / "run"
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, pathlib.Path(__file__).parent / "slow_disk.c", "-ldl"],
                       check=True)
        options = [*support.without(support.SMALL, ["--epochs"]), "--epochs", "40", "--data-memory", "1e-6",
                   "--shuffle-block", "8", "--shuffle-buffer", "100", "--stall-timeout", self.TIMEOUT]
        for name, value in (("LD_PRELOAD", library), ("SLOW_DISK_WHEN", flag), ("SLOW_DISK_SECONDS", self.SECONDS)):
            os.environ[name] = str(value)
            self.addCleanup(os.environ.pop, name)
        running = support.Running("masksc_train", "--input", support.SIMULATED, "--output", output, *options, ranks=2)
        self.addCleanup(running.kill)
        steps = lambda: max((line["step"] for line in support.whole_steps(output)), default=0)
        self.assertTrue(support.wait_for(lambda: steps() >= 20, 120, running), "it never came so far")
        flag.touch()
        error = running.process.communicate(timeout=120)[1]
        self.assertEqual(running.process.returncode, 0, error)
        self.assertFalse(flag.exists(), "no read was slow")
        self.assertGreater(max(line["seconds"]["data"] for line in support.steps(output)), self.SECONDS - 2)


if __name__ == "__main__":
    unittest.main()

"""The scripts of launch/, and the tree that cmake --install leaves."""
import os
import shutil
import signal
import subprocess
import time
import unittest

import support

LAUNCH = support.ROOT / "launch"


def script(name, *arguments, **variables):
    return subprocess.run([LAUNCH / name, *map(str, arguments)], capture_output=True, text=True, timeout=120,
                          env={**os.environ, **{k: str(v) for k, v in variables.items()}})


class Scripts(unittest.TestCase):
    def test_all_have_help(self):
        for path in sorted(LAUNCH.glob("*.sh")):
            if path.name != "env.sh":
                done = script(path.name, "--help")
                self.assertEqual(done.returncode, 0, path.name)
                self.assertIn(f"launch/{path.name}", done.stdout)

    def test_unknown_options_are_refused(self):
        for name in ("setup.sh", "quickstart.sh", "download_data.sh"):
            self.assertEqual(script(name, "--no-such-option").returncode, 2, name)

    def test_setup_does_nothing_when_all_is_there(self):
        began = time.monotonic()
        done = script("setup.sh")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertLess(time.monotonic() - began, support.patience(1))

    def test_setup_refuses_a_folder_that_is_no_libtorch(self):
        done = script("setup.sh", Torch_DIR="/nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertIn("/nowhere", done.stderr)

    def test_downloaded_files_are_checked_and_never_replaced(self):
        folder = support.fresh("launch-data")
        shutil.copytree(support.DATA, folder)
        done = script("download_data.sh", folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        spoilt = folder / "worm_neuron_cell.h5"
        spoilt.chmod(0o644)
        spoilt.write_bytes(b"mine")
        done = script("download_data.sh", folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertEqual(spoilt.read_bytes(), b"mine")


class Run(unittest.TestCase):
    def test_starts_the_ranks_and_hands_the_code_back(self):
        done = script("run.sh", 3, "/bin/sh", "-c", "echo rank $OMPI_COMM_WORLD_RANK of $OMPI_COMM_WORLD_SIZE")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(done.stdout.split("\n"))[1:], [f"rank {r} of 3" for r in range(3)])
        self.assertEqual(script("run.sh", 2, "/bin/sh", "-c", "exit 75").returncode, 75)

    def test_refuses_what_it_cannot_start(self):
        for arguments in (["two", "masksc_train"], ["0", "masksc_train"], ["2"], ["2", "no-such-program"]):
            self.assertEqual(script("run.sh", *arguments).returncode, 2, arguments)

    def test_term_reaches_the_ranks_as_usr1(self):
        ready = support.fresh("launch-ready")
        waiting = f"trap 'exit 75' USR1; touch {ready}; while true; do sleep 0.1; done"
        process = subprocess.Popen([LAUNCH / "run.sh", "2", "/bin/sh", "-c", waiting], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL)
        self.assertTrue(support.wait_for(ready.exists, 30))
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 75)


class Installed(unittest.TestCase):
    def test_runs_after_it_was_moved(self):
        first, second = support.fresh("installed"), support.fresh("moved")
        done = subprocess.run(["cmake", "--install", support.BUILD, "--prefix", first], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        first.rename(second)
        for name in ("masksc_train", "masksc_prepare", "masksc_simulate"):
            version = subprocess.run([second / "bin" / name, "--version"], capture_output=True, text=True,
                                     env=support.environment())
            self.assertEqual(version.returncode, 0, version.stderr)
        share = second / "share" / "masksc"
        self.assertTrue((share / "configs" / "pbmc_cpu.ini").exists() and (share / "LICENSE").exists())
        done = subprocess.run([share / "launch" / "run.sh", "2", "masksc_train", "--version"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()

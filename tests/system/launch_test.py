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
        self.assertIn("sbatch [OPTIONS OF SBATCH]", script("slurm/train.sbatch", "--help").stdout)

    def test_job_scripts_are_for_jobs(self):
        done = script("slurm/train.sbatch", "--output", "x", SLURM_JOB_ID="")
        self.assertEqual(done.returncode, 2)
        self.assertIn("sbatch", done.stderr)

    def test_unknown_options_are_refused(self):
        for name in ("setup.sh", "quickstart.sh", "download_data.sh"):
            self.assertEqual(script(name, "--no-such-option").returncode, 2, name)

    def test_setup_does_nothing_when_all_is_there(self):
        began = time.monotonic()
        done = script("setup.sh")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertLess(time.monotonic() - began, support.patience(1))

    def test_without_an_administrator_packages_may_come_from_conda(self):
        """On a machine that looks as if nothing of Debian's were installed and its user were not root."""
        tools, conda = support.fresh("launch-tools"), support.fresh("launch-conda")
        tools.mkdir()
        for name, body in (("id", "echo 1000"), ("dpkg-query", "exit 1"), ("mpicc", "true"), ("h5pcc", "true")):
            (tools / name).write_text(f"#!/bin/sh\n{body}\n")
            (tools / name).chmod(0o755)
        headers = ["boost/program_options.hpp", "spdlog/spdlog.h", "fmt/core.h", "nlohmann/json.hpp", "igraph/igraph.h",
                   "xxhash.h", "zlib.h", "gtest/gtest.h", "gmock/gmock.h"]
        for header in headers[1:]:
            path = conda / "include" / header
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        variables = {"PATH": f"{tools}:{os.environ['PATH']}", "CONDA_PREFIX": conda}
        done = script("setup.sh", **variables)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("apt-get install libboost-program-options-dev,", done.stderr)
        self.assertNotIn("libspdlog-dev", done.stderr)
        self.assertIn("launch/environment.yml", done.stderr)
        (conda / "include" / "boost").mkdir()
        (conda / "include" / headers[0]).touch()
        done = script("setup.sh", **variables)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("libspdlog-dev", script("setup.sh", **{**variables, "CONDA_PREFIX": ""}).stderr)

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

    def start(self, on_usr1):
        """run.sh as the foreground job of a terminal, with ranks that wait for USR1."""
        ready = support.fresh("launch-ready")
        ready.mkdir()
        waiting = f"trap '{on_usr1}' USR1; touch {ready}/$OMPI_COMM_WORLD_RANK; while true; do sleep 0.1; done"
        process = subprocess.Popen([LAUNCH / "run.sh", "2", "/bin/sh", "-c", waiting], stderr=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, start_new_session=True,
                                   preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        self.addCleanup(lambda: (support.kill_session(process.pid), process.wait()))
        self.assertTrue(support.wait_for(lambda: len(list(ready.iterdir())) == 2, support.patience(30)))
        return process

    def test_term_reaches_the_ranks_as_usr1(self):
        process = self.start("exit 75")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(20), 75)

    def test_term_to_every_process_of_a_job_does_not_kill_the_ranks(self):
        if subprocess.run(["env", "--block-signal=TERM", "true"], capture_output=True).returncode != 0:
            self.skipTest("env has no --block-signal here (coreutils before 8.31): mpirun sees TERM, and kills the ranks")
        process = self.start("exit 75")
        support.kill_session(process.pid, signal.SIGTERM, ["bash", "mpirun"])  # bash is run.sh; the ranks are sh
        self.assertEqual(process.wait(20), 75)

    def test_ctrl_c_reaches_the_ranks_as_usr1(self):
        process = self.start("exit 75")
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        self.assertEqual(process.wait(20), 75)

    def test_ranks_that_never_listen_are_killed_at_the_third_ctrl_c(self):
        process = self.start("")
        for pause in (0.1, 4, 0):
            os.killpg(process.pid, signal.SIGINT)
            self.assertIsNone(process.poll())
            time.sleep(pause)
        self.assertNotIn(process.wait(20), (0, 75))


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
        self.assertIn("sbatch", script(share / "launch" / "slurm" / "train.sbatch", "--help").stdout)
        for name in (path.name for path in (second / "bin").iterdir()):
            for arguments, file in ((["--completion", "bash"], f"bash-completion/completions/{name}"),
                                    (["--completion", "zsh"], f"zsh/site-functions/_{name}"),
                                    (["--completion", "fish"], f"fish/vendor_completions.d/{name}.fish"),
                                    (["--man"], f"man/man1/{name}.1")):
                if name == "masksc_simulate":  # the other files are made in the same way
                    printed = subprocess.run([second / "bin" / name, *arguments], capture_output=True, text=True)
                    self.assertEqual((second / "share" / file).read_text(), printed.stdout, file)
                self.assertIn(name, (second / "share" / file).read_text().lower())
        done = subprocess.run([share / "launch" / "run.sh", "2", "masksc_train", "--version"], capture_output=True,
                              text=True)
        self.assertEqual(done.returncode, 0, done.stderr)


if __name__ == "__main__":
    unittest.main()

"""Two hosts on one machine (network namespaces, joined by a virtual cable): the cable is cut, or a host dies, and the
job ends within 30 seconds with the reason; the same command on the host that is left goes on. Needs root and ip."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time
import unittest

import support

HOSTS = {"masksc1": "10.79.0.1", "masksc2": "10.79.0.2"}
CABLE = {"masksc1": "msc-a", "masksc2": "msc-b"}
WITHIN = 30  # seconds, from the failure to the end of mpirun
LONGER = support.without(support.SMALL, ["--epochs"]) + [
    "--epochs", "40", "--checkpoint-every-steps", "10", "--threads", "1"]  # a host with one rank would use all cores

# mpirun "logs in" to a host by entering its namespace, under a host name of its own.
ENTER = """#!/usr/bin/env bash
host=$1; shift
case $host in {masksc1}) space=masksc1 ;; *) space=masksc2 ;; esac
exec ip netns exec "$space" unshare --uts bash -c "hostname $space; $*"
""".format(**HOSTS)


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def processes(host):
    return [int(pid) for pid in ip("netns", "pids", host).split()]


def kill(host):
    for pid in processes(host):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def remove_hosts():
    for host in HOSTS:
        if pathlib.Path("/run/netns", host).exists():
            kill(host)
            subprocess.run(["ip", "netns", "del", host], check=False)


def setUpModule():
    missing = [tool for tool in ("ip", "unshare", "hostname", "mpirun") if not shutil.which(tool)]
    if missing or os.geteuid() != 0:
        raise AssertionError(f"this test needs root{''.join(f' and the program {tool}' for tool in missing)} (Debian: "
                             "iproute2, util-linux, hostname, openmpi-bin)")
    remove_hosts()
    unittest.addModuleCleanup(remove_hosts)
    for host in HOSTS:
        ip("netns", "add", host)
    first, second = HOSTS
    ip("link", "add", CABLE[first], "netns", first, "type", "veth", "peer", "name", CABLE[second], "netns", second)
    for host, address in HOSTS.items():
        ip("-n", host, "addr", "add", f"{address}/24", "dev", CABLE[host])
        ip("-n", host, "link", "set", "lo", "up")
        ip("-n", host, "link", "set", CABLE[host], "up")


def command(output):
    return ["--input", support.SIMULATED, "--labels", "group", "--output", output, *LONGER]


class OnTwoHosts:
    """launch/run.sh on the first host, with a rank on each."""

    def __init__(self, output, **variables):
        enter = support.WORK / "enter-host"
        enter.write_text(ENTER)
        enter.chmod(0o755)
        network = "10.79.0.0/24"
        mpirun = ["--host", ",".join(f"{address}:1" for address in HOSTS.values()), "--mca", "plm_rsh_agent", enter,
                  "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", network, "--mca", "oob_tcp_if_include", network]
        first = next(iter(HOSTS))
        words = [support.ROOT / "launch" / "run.sh", "2", support.program("masksc_train"), *command(output)]
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", first, "unshare", "--uts", "bash", "-c", f"hostname {first}; exec \"$@\"", "bash",
             *map(str, words)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=support.WORK,
            env={**support.environment(), "MPIRUN_OPTIONS": " ".join(map(str, mpirun)), **variables})


class Hosts(unittest.TestCase):
    def start(self, name, **variables):
        self.output = support.fresh("netns", name)
        running = OnTwoHosts(self.output, **variables)
        self.addCleanup(self.mend, running)
        return running

    def mend(self, running):
        for host in HOSTS:
            kill(host)
        running.process.communicate()
        (a, b), (at, bt) = HOSTS, HOSTS.values()
        for host, other in ((a, bt), (b, at)):
            subprocess.run(["ip", "-n", host, "neigh", "del", other, "dev", CABLE[host]], check=False, capture_output=True)
            ip("-n", host, "link", "set", CABLE[host], "up")

    def start_and_reach(self, name, step, **variables):
        running = self.start(name, **variables)
        reached = support.wait_for(lambda: any(line["step"] >= step for line in support.whole_steps(self.output)), 120,
                                   running)
        self.assertTrue(reached, running.process.poll() is not None and running.process.communicate()[1])
        hosts = {json.loads((self.output / "ranks" / f"{rank}.json").read_text())["host"] for rank in (0, 1)}
        self.assertEqual(hosts, set(HOSTS))
        return running

    def ends(self, running, failure):
        failure()
        since = time.monotonic()
        error = running.process.communicate(timeout=120)[1]
        self.assertLess(time.monotonic() - since, WITHIN, error)
        self.assertNotEqual(running.process.returncode, 0, error)
        self.assertRegex(error, "lost communication with a remote daemon|the network is stuck|no sign of life")
        self.assertRegex(error, "masksc2|10.79.0.2")
        # Nothing may be left on the lost host that still writes into the folder.
        self.assertTrue(support.wait_for(lambda: not processes("masksc2"), WITHIN), "ranks are left on the other host")
        return error

    def goes_on_alone(self):
        done = support.run("masksc_train", *command(self.output), ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        resumed = [line["step"] for line in support.log_lines(self.output) if line.get("event") == "resumed"]
        self.assertEqual([step > 0 for step in resumed], [True])

    def cut(self):
        ip("-n", "masksc2", "link", "set", CABLE["masksc2"], "down")

    def swallow(self):
        """A switch that forwards nothing more: both ends still have a carrier, and nobody is told."""
        (a, b), (at, bt) = HOSTS, HOSTS.values()
        for host, other in ((a, bt), (b, at)):
            ip("-n", host, "neigh", "replace", other, "lladdr", "02:00:00:00:00:99", "dev", CABLE[host], "nud", "permanent")

    def test_two_hosts_give_the_bits_of_one(self):
        running = self.start("whole")
        error = running.process.communicate(timeout=300)[1]
        self.assertEqual(running.process.returncode, 0, error)
        whole = support.fresh("netns", "one-host")
        done = support.run("masksc_train", *command(whole), ranks=2)
        self.assertEqual(done.codes, [0, 0], done)
        for name in ("weights_hash", "embedding_hash"):
            self.assertEqual(support.metrics(self.output)[name], support.metrics(whole)[name])

    def test_the_cable_is_cut(self):
        self.ends(self.start_and_reach("cut", 20), self.cut)
        self.goes_on_alone()

    def test_the_network_swallows_everything(self):
        self.ends(self.start_and_reach("swallowed", 20), self.swallow)
        self.goes_on_alone()

    def test_a_host_dies(self):
        self.ends(self.start_and_reach("dead", 20), lambda: kill("masksc2"))
        self.goes_on_alone()

    def test_without_keepalive_the_ranks_tell(self):
        """Where mpirun itself notices nothing: our own verdict, in time."""
        running = self.start_and_reach("ranks-tell", 20, OMPI_MCA_oob_tcp_keepalive_time="0")
        self.swallow()
        since = time.monotonic()
        error = ""
        while "network is stuck" not in error:
            line = running.process.stderr.readline()
            self.assertTrue(line, error)
            error += line
        self.assertLess(time.monotonic() - since, WITHIN)
        self.assertRegex(error, r"rank 1 \(host masksc2, pid \d+\) for \d+ s in [a-z-]+ in stage train at step \d+")


if __name__ == "__main__":
    unittest.main()

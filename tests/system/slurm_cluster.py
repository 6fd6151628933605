"""A Slurm of its own on this machine: munged, slurmctld and slurmd with own ports, key and folders, for tests alone."""
import ctypes
import getpass
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "scancel", "squeue", "srun")
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"  # where Debian has the daemons

# One node, which may have fewer cores than its CPUS: jobs of two ranks, two at a time.
CPUS = 4
GRACE = 20  # seconds from a preemption's first TERM to its end
_CONFIGURATION = """\
ClusterName=masksc
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
# A requeued job may begin again so many seconds later; 120 without this.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=1,sched_interval=2,batch_sched_delay=0
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=low Nodes={host} Default=YES PriorityTier=1 PreemptMode=REQUEUE GraceTime={grace}
PartitionName=high Nodes={host} PriorityTier=10 PreemptMode=OFF
"""


def missing_programs():
    return [name for name in PROGRAMS if not shutil.which(name, path=PATH)]


def _free_ports(count):
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def _end_with_parent():
    """A daemon does not outlive a test that is killed."""
    pr_set_pdeathsig = 1
    ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGTERM)


class Job:
    """What `scontrol show job` tells of a job."""

    def __init__(self, text):
        fields = dict(re.findall(r"(\w+)=(\S*)", text))
        self.state, self.restarts = fields.get("JobState", "UNKNOWN"), int(fields.get("Restarts", 0))
        self.code = int(fields.get("ExitCode", "0:0").split(":")[0])

    def ended(self):
        return self.state in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "PREEMPTED", "NODE_FAIL")


class Cluster:
    def __init__(self):
        # A socket's path may have 107 letters: not below the folder of the build.
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="masksc-slurm-"))
        self.folder.chmod(0o755)
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        (self.folder / "slurm.conf").write_text(_CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], user=getpass.getuser(), folder=self.folder, cpus=CPUS,
            grace=GRACE, ports=_free_ports(2)))
        self.environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_"))},
                            "PATH": PATH, "SLURM_CONF": str(self.folder / "slurm.conf")}
        self._daemons = []

    def start(self):
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o400)
        self._daemon("munged", "--foreground", "--force", f"--socket={self.folder}/munge.socket", f"--key-file={key}",
                     f"--pid-file={self.folder}/munged.pid", f"--log-file={self.folder}/munged.log",
                     f"--seed-file={self.folder}/munged.seed")
        self._await((self.folder / "munge.socket").exists)
        self._daemon("slurmctld", "-D")
        self._await(lambda: self.call("scontrol", "ping", check=False).returncode == 0)
        self._daemon("slurmd", "-D")
        self._await(lambda: "idle" in self.call("sinfo", "-h", "-o", "%T", check=False).stdout)

    def _daemon(self, name, *arguments):
        with open(self.folder / f"{name}.out", "wb") as out:
            self._daemons.append(subprocess.Popen(
                [shutil.which(name, path=PATH), *arguments], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                env=self.environment, start_new_session=True, preexec_fn=_end_with_parent))

    def _await(self, condition):
        end = time.monotonic() + 120
        while not condition():
            if time.monotonic() > end or any(daemon.poll() is not None for daemon in self._daemons):
                raise RuntimeError("Slurm does not come up:\n" + self.logs())
            time.sleep(0.2)

    def stop(self):
        """Ends jobs, daemons and the folder."""
        if len(self._daemons) == 3:
            self.call("scancel", "--full", "--state=RUNNING", "--user", getpass.getuser(), check=False)
            self.call("scancel", "--user", getpass.getuser(), check=False)
            end = time.monotonic() + 60
            while self.call("squeue", "-h", check=False).stdout.strip() and time.monotonic() < end:
                time.sleep(0.5)
        for daemon in reversed(self._daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def call(self, *command, check=True, **variables):
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=120,
                              env={**self.environment, **{k: str(v) for k, v in variables.items()}})
        if check and done.returncode != 0:
            raise RuntimeError(f"{command}: code {done.returncode}\n{done.stderr}")
        return done

    def submit(self, *arguments, **variables):
        return self.call("sbatch", "--parsable", *arguments, **variables).stdout.strip()

    def job(self, name):
        """Of a job, or of a task: ARRAY_TASK."""
        return Job(self.call("scontrol", "show", "job", name).stdout)

    def logs(self):
        paths = sorted([*self.folder.glob("*.log"), *self.folder.glob("*.out")])
        return "\n".join(f"--- {path.name}\n{path.read_text(errors='replace')[-3000:]}" for path in paths)

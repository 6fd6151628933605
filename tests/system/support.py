"""Drives the programs of mask-sc as a user does, and makes the small files that the tests feed them."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import anndata
import h5py
import numpy as np
import pandas as pd
import scipy.sparse

BUILD = pathlib.Path(os.environ["MASKSC_BUILD"])
WORK = pathlib.Path(os.environ["MASKSC_WORK"])
DATA = pathlib.Path(os.environ["MASKSC_DATA"])
ROOT = pathlib.Path(__file__).resolve().parents[2]

# What system.shared_runs leaves for the other tests.
CELLS, GENES, GROUPS = 290, 420, 4
SIMULATED = WORK / "shared" / "simulated.h5ad"
BASE = WORK / "shared" / "base"

# A model that trains in a second: 16 tokens of 16 genes; 290 cells in batches of 50, so that the last one is ragged. Maps
# and page would take another: who looks at them asks for them.
SMALL = ["--matrix", "16x16", "--patch", "4", "--dim", "32", "--encoder-depth", "2", "--encoder-heads", "2",
         "--decoder-depth", "1", "--decoder-heads", "2", "--sequence-epochs", "5", "--epochs", "4",
         "--batch-size", "50", "--clusters", str(GROUPS), "--report", "no"]
STEPS_PER_EPOCH = 6


def program(name):
    return str(BUILD / "bin" / name)


def environment():
    """One thread a rank, and ranks that wait leave their core to others: there are more of them than cores. With a spin
    count given a program doesn't start itself anew, which takes a third of a second."""
    return {**os.environ, "GOMP_SPINCOUNT": "1000", "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1",
            "OMPI_MCA_mpi_yield_when_idle": "1"}


def prepared_counts(path):
    """The matrix of a prepared file."""
    with h5py.File(path) as file:
        values = file["values"][:].astype(np.float32)
        values[values == 0] = file["large"][:]
        return scipy.sparse.csr_matrix((values, file["indices"][:], file["row_start"][:]),
                                       shape=(len(file["row_start"]) - 1, len(file["gene_names/start"]) - 1))


class Finished:
    """What came of a program: `codes` by rank, `out` and `err` as text."""

    def __init__(self, codes, out, err, seconds):
        self.codes, self.out, self.err, self.seconds = codes, out, err, seconds

    def __str__(self):
        return f"exit codes {self.codes} after {self.seconds:.1f} s\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


# Notes each rank's exit code, then waits for the others' notes: mpirun kills the other ranks as soon as one fails (and
# would wait for two seconds then, but for the timeout below).
_NOTE_CODE = """
folder=$1; shift
"$@"; code=$?
echo $code > "$folder/$OMPI_COMM_WORLD_RANK.tmp"; mv "$folder/$OMPI_COMM_WORLD_RANK.tmp" "$folder/$OMPI_COMM_WORLD_RANK"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  [ $(ls "$folder" | grep -vc tmp) -ge $OMPI_COMM_WORLD_SIZE ] && break; sleep 0.1
done
exit $code
"""


def mpirun(ranks, command):
    return ["mpirun", "-np", str(ranks), "--oversubscribe", "--bind-to", "none", *map(str, command)]


def run(name, *arguments, ranks=2, timeout=300):
    """Runs a program on `ranks` ranks to its end."""
    WORK.mkdir(parents=True, exist_ok=True)
    codes = WORK / f"codes-{os.getpid()}-{time.monotonic_ns()}"
    codes.mkdir()
    command = mpirun(ranks, ["sh", "-c", _NOTE_CODE, "sh", codes, program(name), *arguments])
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, cwd=WORK,
                          env={**environment(), "OMPI_MCA_odls_base_sigkill_timeout": "0"})
    seconds = time.monotonic() - began
    noted = {int(p.name): int(p.read_text()) for p in codes.iterdir()}
    shutil.rmtree(codes)
    return Finished([noted.get(rank, done.returncode) for rank in range(ranks)], done.stdout, done.stderr, seconds)


def train(output, *arguments, ranks=2, data=SIMULATED, labels="group", small=True, timeout=300):
    """masksc_train on the small data set with the small model; later arguments win."""
    options = ["--input", data, "--output", output, *(["--labels", labels] if labels else [])]
    return run("masksc_train", *options, *without(SMALL if small else [], arguments), *arguments, ranks=ranks,
               timeout=timeout)


def without(options, overriding):
    """The (name, value) pairs of `options` whose name is not in `overriding`."""
    pairs = zip(options[::2], options[1::2])
    return [word for name, value in pairs if name not in overriding for word in (name, value)]


def kill_session(leader, number=signal.SIGKILL, names=None):
    """Signals the processes of the session that `leader` leads: all, or those of these names."""
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            name, fields = status.read_text().split("(", 1)[1].rsplit(")", 1)
            if int(fields.split()[3]) == leader and (names is None or name in names):
                os.kill(int(status.parent.name), number)
        except (ProcessLookupError, FileNotFoundError):
            pass


class Running:
    """A program that is killed or signalled on the way."""

    def __init__(self, name, *arguments, ranks=2):
        self.process = subprocess.Popen(mpirun(ranks, [program(name), *arguments]), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.PIPE, text=True, env=environment(), cwd=WORK,
                                        start_new_session=True)

    def kill(self):
        """SIGKILL to mpirun and to its ranks, which have process groups of their own but share the session."""
        kill_session(self.process.pid)
        if not self.process.stderr.closed:  # not killed before
            self.process.communicate()


def wait_for(condition, seconds, running=None):
    """Polls until `condition()`; False when time is up or the program has ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        if running is not None and running.process.poll() is not None:
            return condition()
        time.sleep(0.005)
    return False


def patience(seconds):
    """`seconds` on a machine that is ours alone, more on one that others load too (this test keeps two cores busy)."""
    return seconds * max(1.0, os.getloadavg()[0] / max(2, os.cpu_count()))


def log_lines(output):
    path = pathlib.Path(output) / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def steps(output, stage="train"):
    return [line for line in log_lines(output) if line["stage"] == stage and "loss" in line]


def whole_steps(output, stage="train"):
    """The steps of a run under way: none while the last line is being written."""
    try:
        return steps(output, stage)
    except ValueError:
        return []


def metrics(output):
    return json.loads((pathlib.Path(output) / "metrics.json").read_text())


def page_data(page):
    """The data that a page of ours draws."""
    text = pathlib.Path(page).read_text()
    return json.loads(text.split('<script id="data" type="application/json">')[1].split("</script>")[0])


def fresh(*names):
    """An empty place for the output of a test: the path is not there yet."""
    path = WORK.joinpath(*names)
    shutil.rmtree(path, ignore_errors=True)
    if path.exists():
        path.unlink()
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def small_counts(cells=60, genes=300, groups=3, seed=1):
    """Counts with plain structure, and the group of each cell."""
    random = np.random.default_rng(seed)
    group = random.integers(groups, size=cells)
    means = random.gamma(0.8, 2.0, size=(groups, genes))
    counts = random.poisson(means[group]).astype(np.float32)
    counts[0, 0] = counts[-1, -1] = 1
    return counts, group


def write_h5ad(path, counts, group=None, layers=None):
    """An h5ad as anndata writes it; `counts` dense or sparse; names cell0..., gene0...; obs['group']."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    cells, genes = counts.shape
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(cells)])
    if group is not None:
        obs["group"] = pd.Categorical([f"type{g}" for g in group])
    data = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=[f"gene{j}" for j in range(genes)]))
    for name, layer in (layers or {}).items():
        data.layers[name] = layer
    data.write_h5ad(path)
    return path


def write_xy(path, counts, labels=None):
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        file.create_dataset("X", data=counts, compression="gzip")
        if labels is not None:
            file.create_dataset("Y", data=labels)
    return path


def dense(matrix):
    return np.asarray(matrix.todense()) if scipy.sparse.issparse(matrix) else np.asarray(matrix)

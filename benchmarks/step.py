"""The training step beside PyTorch's, in one run: cells/s and peak memory.

    python benchmarks/step.py BUILD PEER [--device cuda] [--rounds 3] > benchmarks/results/step-HARDWARE.md

PEER is torch_peer.py (idiomatic PyTorch: DistributedDataParallel, autocast, fused AdamW), untouched, eager and compiled;
the better one counts. Both sides get the same shapes, synthetic cells and targets in memory, so only the step is timed:
masks, forward, backward, averaging of gradients, clipping, AdamW. Rounds alternate between the sides; medians are
compared. Peak memory is that of the process (CPU) or of the allocator (GPU). A TERM ends the measurement early: the
tables have what was measured until then, and the exit code is 1.
"""
import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

SMALL = dict(side=64, patch=4, dim=192, enc=4, dec=2, heads=6, batch=64)
SMALL_DEC = {"dec-heads": 6}
PAPER = {**dict(side=64, patch=4, dim=768, enc=12, dec=8, heads=12, batch=256), "dec-heads": 16}


class Stopped(Exception):
    pass


def stop(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped("stopped by a signal before all rounds were done")


def flags(options):
    return [word for name, value in options.items() for word in (f"--{name}", str(value))]


def last_json(command, environment):
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0 or not lines:
        raise RuntimeError(f"{' '.join(command)} failed ({done.returncode}):\n{done.stderr[-3000:]}")
    return json.loads(lines[-1])


def ours(build, ranks, threads, options):
    command = [f"{build}/bin/benchmark_step", *flags({**options, "threads": threads})]
    if ranks > 1:
        command = ["mpirun", "-np", str(ranks), "--bind-to", "none", *command]  # as PyTorch's launcher
    return last_json(command, {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                               "OMP_NUM_THREADS": str(threads)})


def peer(script, ranks, threads, options, compiled):
    start = [sys.executable] if ranks == 1 else [sys.executable, "-m", "torch.distributed.run", "--standalone",
                                                 "--nproc-per-node", str(ranks)]
    return last_json([*start, script, *flags({**options, "threads": threads}), *(["--compile"] if compiled else [])],
                     {"OMP_NUM_THREADS": str(threads)})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("peer")
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--amp", default="no", help="no or bf16")
    a = parser.parse_args()
    model = {**SMALL, **SMALL_DEC} if a.device == "cpu" else PAPER
    options = {**model, "device": a.device, "steps": a.steps, "warmup": 3, "amp": a.amp}
    layouts = [(1, 2), (2, 1)] if a.device == "cpu" else [(1, 4)]
    commit = os.environ.get("MASKSC_COMMIT") or subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, cwd=Path(__file__).parent).stdout.strip()
    print(f"Command: `python benchmarks/step.py {' '.join(sys.argv[1:])}`, commit {commit}; "
          f"model {json.dumps(model)}, mask 0.75, {a.amp if a.amp != 'no' else 'fp32'}; medians of {a.rounds} rounds of {a.steps} steps.\n")
    signal.signal(signal.SIGTERM, stop)
    if a.device == "cuda":  # the short part first
        memory(a, options, layouts[0])
        print()
    print("| ranks x threads | side | cells/s | sd | TFLOP/s | peak GiB a rank |\n|---|---|---|---|---|---|")
    for ranks, threads in layouts:
        sides = {"mask-sc": lambda: ours(a.build, ranks, threads, options),
                 "PyTorch eager": lambda: peer(a.peer, ranks, threads, options, False),
                 "PyTorch compiled": lambda: peer(a.peer, ranks, threads, options, True)}
        results = {name: [] for name in sides}
        try:
            measure(sides, a.rounds, results)
        finally:
            tell(f"{ranks} x {threads}", results)
    if a.device == "cpu":
        scaling(a, options)
        memory(a, options, layouts[0])


def measure(sides, rounds, results):
    """Alternating runs, appended to results as they end."""
    for _ in range(rounds):
        for name, run in sides.items():
            try:
                results[name].append(run())
            except RuntimeError as error:
                if name != "PyTorch compiled":
                    raise
                print(error, file=sys.stderr)  # the peer's best is then the eager one


def tell(layout, results):
    speeds = {}
    for name, runs in results.items():
        if not runs:
            print(f"| {layout} | {name} | not measured | | | |", flush=True)
            continue
        cells = [run["cells_per_s"] for run in runs]
        speeds[name] = statistics.median(cells)
        print(f"| {layout} | {name} | {speeds[name]:.1f} | {statistics.stdev(cells) if len(cells) > 1 else 0:.1f} "
              f"| {statistics.median(r['tflops'] for r in runs):.3f} | {statistics.median(r['peak_gib'] for r in runs):.2f} |",
              flush=True)
    peers = [speed for name, speed in speeds.items() if name != "mask-sc"]
    if peers and "mask-sc" in speeds:
        print(f"| {layout} | mask-sc / best peer | {speeds['mask-sc'] / max(peers):.2f} x | | | |", flush=True)


def scaling(a, options):
    """1 and 2 ranks of one thread, a fixed batch a rank, in alternating runs."""
    pairs = [[ours(a.build, ranks, 1, options)["cells_per_s"] for ranks in (1, 2)] for _ in range(a.rounds)]
    one, two = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
    print(f"\nWeak scaling, one thread a rank: {one:.1f} cells/s on 1 rank, {two:.1f} on 2: efficiency {two / one / 2:.2f}.")


def memory(a, options, layout):
    """What gradient checkpointing saves and costs in a deep model, 32 cells in one pass."""
    deep = {**options, "enc": 12, "dec": 8, "batch": 32, "micro-batch": 32, "steps": 2, "warmup": 1}
    print("\nGradient checkpointing, 12 + 8 blocks, 32 cells in one pass:\n")
    print("| checkpointing | peak GiB | cells/s |\n|---|---|---|")
    for mode in ("none", "every=4", "blocks"):
        run = ours(a.build, 1, 1 if layout[1] <= 2 else layout[1], {**deep, "checkpointing": mode})
        print(f"| {mode} | {run['peak_gib']:.2f} | {run['cells_per_s']:.1f} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except (RuntimeError, Stopped) as failure:
        sys.exit(str(failure))

"""Where the device's time goes in a trace of `masksc_train --profile`: its kernels by name, as a table.

    python benchmarks/kernels.py TRACE.json[.gz] [ROWS]

Share: of the time from the first kernel's start to the last one's end; what is left the device spent idle, or copying.
"""
import collections
import gzip
import json
import re
import sys


def short(name):
    """The function that a kernel runs and, of LibTorch's general ones, what with: no types, namespaces and parameters."""
    start = re.split(r"[<(]", re.sub(r"^void |\(anonymous namespace\)::", "", name))[0].split("::")[-1]
    parts = re.findall(r"\w*(?:KernelImpl|Functor|functor|_kernel_cuda|_kernel_impl)\w*", name)
    return ", ".join(dict.fromkeys([start, *parts[:1]]))[:80]


def main():
    path, rows = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    with (gzip.open if path.endswith(".gz") else open)(path, "rt") as file:
        events = json.load(file)["traceEvents"]
    kernels = [e for e in events if e.get("cat") == "kernel" and "dur" in e]
    if not kernels:
        sys.exit(f"no kernels of a GPU in '{path}'")
    steps = max(1, len({e["name"] for e in events if str(e.get("name", "")).startswith("ProfilerStep#")}))
    span = max(e["ts"] + e["dur"] for e in kernels) - min(e["ts"] for e in kernels)
    time, count = collections.Counter(), collections.Counter()
    for e in kernels:
        time[short(e["name"])] += e["dur"]
        count[short(e["name"])] += 1
    print("| kernel | ms a step | share | launches a step |\n|---|---|---|---|")
    for name, micros in time.most_common(rows):
        print(f"| `{name}` | {micros / 1e3 / steps:.2f} | {100 * micros / span:.1f} % | {count[name] / steps:.0f} |")
    busy = sum(time.values())
    print(f"| all {len(time)} | {busy / 1e3 / steps:.2f} | {100 * busy / span:.1f} % | {len(kernels) / steps:.0f} |")


main()

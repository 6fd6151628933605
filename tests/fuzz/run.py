"""Mutated input files through the readers of mask-sc: an error or the right counts; no crash, no hang, no report.

    run.py CASES READER PREPARE WORK [SEED]

READER: fuzz_read_files, built with or without sanitizers. PREPARE: masksc_prepare. WORK: a folder that is emptied.
"""
import collections
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

import h5py
import numpy as np

import bases
import flips
import mutate

ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "ASAN_OPTIONS": "detect_leaks=0:hard_rss_limit_mb=4096:allocator_may_return_null=1:"
                               "max_allocation_size_mb=8192",
               "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}


def sound_files(work, prepare):
    files = bases.write_bases(work / "bases")
    prepared = work / "bases" / "prepared.h5"
    subprocess.run([prepare, "--input", files[0], "--labels", "group", "--output", prepared, "--quiet"], check=True,
                   env=ENVIRONMENT)
    return files + [prepared]


def secrets(work):
    """Where no file may lead."""
    folder = work / "secrets"
    folder.mkdir()
    (folder / "secret.txt").write_bytes(b"\x42\x42\x00\x00" * 4000)
    with h5py.File(folder / "secret.h5", "w") as file:
        file["X"] = np.full((24, 40), 77, np.float32)
    return folder


def make_cases(work, files, count, seed, canary):
    """Half with structured mutations, half with damaged bytes; the sound ones too."""
    random = np.random.default_rng(seed)
    lines = [f"{file}\tsound" for file in files]
    for i in range(count):
        source = files[i % len(files)]
        target = work / f"{i:05}-{source.name}"
        kind = flips.damage(source, target, random) if i // len(files) % 2 else \
            mutate.mutate(source, target, random, canary)
        lines.append(f"{target}\t{kind}")
    cases = work / "cases.txt"
    cases.write_text("\n".join(lines) + "\n")
    return cases


def second_reading(work):
    """Runs second.py on what was accepted; h5py may crash, then the rest follows."""
    names = [str(path)[:-len(".counts")] for path in sorted(work.rglob("*.counts"))]
    table, different, done = collections.Counter(), [], 0
    while done < len(names):
        (work / "accepted.txt").write_text("\n".join(names[done:]) + "\n")
        lines = []
        try:
            lines = subprocess.run([sys.executable, pathlib.Path(__file__).parent / "second.py", work / "accepted.txt"],
                                   stdout=subprocess.PIPE, text=True, timeout=300).stdout.splitlines()
        except subprocess.TimeoutExpired as late:
            lines = (late.stdout or b"").decode().splitlines()
        for line in lines:
            name, verdict = line.split("\t")
            table[verdict] += 1
            different += [name] if verdict == "DIFFERS" else []
        done += len(lines)
        if done < len(names):
            table["h5py crashed or hung"] += 1
            done += 1
    return table, different


def main(count, reader, prepare, work, seed=2026):
    warnings.simplefilter("ignore")
    work = pathlib.Path(work)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    files, canary = sound_files(work, prepare), secrets(work)
    cases = make_cases(work, files, int(count), int(seed), canary)
    failed = subprocess.run([reader, cases, canary, work / "failed"], env=ENVIRONMENT, cwd=work).returncode
    table, different = second_reading(work)
    print("counts as h5py reads them:", ", ".join(f"{n} {what}" for what, n in sorted(table.items())))
    for name in different:
        print("DIFFERS:", name)
    strangers = [path for path in work.rglob("*") if path.suffix not in
                 (".h5", ".h5ad", ".log", ".counts", ".txt", "") or path.name.endswith(".partial")]
    for path in strangers:
        print("LEFT BEHIND:", path)
    return 1 if failed or different or strangers or not table["same"] else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

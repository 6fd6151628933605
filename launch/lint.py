#!/usr/bin/env python3
"""Checks the style of the C++ files.

lint.py format             clang-format, all files
lint.py tidy BUILD_FOLDER  clang-tidy on the files of src/ that do not see LibTorch (those take over a minute each)

With MASKSC_BASE=COMMIT tidy takes only the files that changed since then, those with LibTorch as well.
A file that passed is not checked again until it, a header of ours or the checks change.
Exit codes: 0 clean, 1 findings, 3 a tool is missing.
"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sources(folders, suffixes):
    return sorted(p for f in folders for p in (ROOT / f).rglob("*") if p.suffix in suffixes)


def find_tool(name):
    """Beside this Python first: launch/requirements.txt pins clang-format."""
    path = shutil.which(name, path=os.path.dirname(sys.executable)) or shutil.which(name)
    if not path:
        print(f"no {name}: run launch/setup.sh", file=sys.stderr)
        sys.exit(3)
    return path


def check_format():
    files = sources(["include", "src", "tests", "benchmarks"], {".hpp", ".cpp", ".cu", ".cuh"})
    return subprocess.run([find_tool("clang-format"), "--dry-run", "--Werror", *files]).returncode


def changed_files():
    base = os.environ.get("MASKSC_BASE")
    if not base:
        return None
    git = ["git", "-C", str(ROOT)]
    changed = subprocess.run([*git, "diff", "--name-only", base], check=True, capture_output=True, text=True).stdout
    added = subprocess.run([*git, "ls-files", "-o", "--exclude-standard"], check=True, capture_output=True, text=True)
    return {ROOT / line for line in (changed + added.stdout).splitlines()}


def chosen_commands(build):
    """Entries of compile_commands.json to check, without gcc's precompiled header, which clang cannot read."""
    changed = changed_files()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        file = pathlib.Path(entry["file"])
        sees_torch = "torch/csrc/api/include" in entry["command"]
        if not file.is_relative_to(ROOT / "src") or (file not in changed if changed is not None else sees_torch):
            continue
        entry["command"] = re.sub(r"-include \S+cmake_pch\.hxx|-Winvalid-pch", "", entry["command"])
        yield entry


def check_tidy(build):
    tidy = find_tool("clang-tidy")
    folder = build / "tidy"
    (folder / "passed").mkdir(parents=True, exist_ok=True)
    entries = list(chosen_commands(build))
    (folder / "compile_commands.json").write_text(json.dumps(entries))
    common = hashlib.sha256((ROOT / ".clang-tidy").read_bytes())
    for header in sources(["include"], {".hpp"}):
        common.update(header.read_bytes())

    def check(entry):
        key = common.copy()
        key.update(entry["command"].encode() + pathlib.Path(entry["file"]).read_bytes())
        passed = folder / "passed" / key.hexdigest()
        if passed.exists():
            return True
        command = [tidy, "--quiet", "-p", folder, entry["file"]]
        run = subprocess.run(command, capture_output=True, text=True)
        if run.returncode == 0:
            passed.touch()
        else:
            print(run.stdout + run.stderr, flush=True)
        return run.returncode == 0

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(check, entries))
    print(f"clang-tidy: {sum(results)} of {len(results)} files clean")
    return 0 if all(results) else 1


def main(arguments):
    match arguments:
        case ["format"]:
            return check_format()
        case ["tidy", build]:
            return check_tidy(pathlib.Path(build).resolve())
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

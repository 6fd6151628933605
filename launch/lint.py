#!/usr/bin/env python3
"""Checks the style of the C++ files, and the recipes that bring mask-sc to other machines.

lint.py format             clang-format, all files
lint.py tidy BUILD_FOLDER  clang-tidy on the files of src/ that do not see LibTorch (those take over a minute each)
lint.py rooms              a folder of src/ includes only folders before it in src/CMakeLists.txt, and the libraries that
                           it is there for
lint.py recipes            launch/environment.yml names all that CMake looks for; launch/apptainer.def has all parts and
                           copies what there is; shellcheck, where it is there, finds nothing in the shell scripts

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


# What CMake and launch/setup.sh look for, as conda-forge calls it; None: not from conda-forge.
CONDA_NAMES = {
    "Threads": None, "MPI": "openmpi", "HDF5": "hdf5", "Boost": "libboost-devel", "spdlog": "spdlog", "fmt": "fmt",
    "nlohmann_json": "nlohmann_json", "ZLIB": "zlib", "xxhash": "xxhash", "igraph": "igraph", "PkgConfig": "pkg-config", "GTest": "gtest",
    "Python3": "python", "torch_cpu": None, "torch_cuda": None, "c10": None,  # LibTorch: launch/requirements.txt
    "cmake": "cmake", "ninja": "ninja", "g++": "gxx", "git": "git", "ccache": "ccache", "clang-tidy": "clang-tools"}


def wanted_by_the_build():
    """Names of packages, libraries and tools that CMake's files and launch/setup.sh look for."""
    files = [*sorted((ROOT / "cmake").glob("*.cmake")), ROOT / "CMakeLists.txt", ROOT / "src/CMakeLists.txt",
             ROOT / "tests/CMakeLists.txt"]
    text = "\n".join(re.sub(r"#.*", "", file.read_text()) for file in files)
    names = re.findall(r"find_package\((\w+)", text) + re.findall(r"find_library\(\w+ (\w+)", text)
    tools = re.search(r"for tool in (.*); do", (ROOT / "launch/setup.sh").read_text()).group(1)
    return set(names) | set(re.findall(r"([\w+-]+):[\w+-]+", tools.replace("${with_tests:+", " ")))


TORCH = r"(ATen|c10|torch)/.*"
HANDED_ON = {"Device", "Tensor"}  # by folders that compute nothing with them

# Headers of libraries, and the folders that may see them.
LIBRARIES = {
    r"mpi\.h": {"dist"},
    r"hdf5\.h": {"io"},
    r"zlib\.h": {"io"},
    r"boost/.*": {"apps"},
    r"spdlog/.*": {"core"},
    r"xxhash\.h": {"core"},
    r"igraph.*": {"cluster"},
    TORCH: {"model", "train", "embed", "baselines"},
    r"(Eigen|irlba)/.*": {"baselines"},
    r"(scran_|tatami|qdtsne|umappp|knncolle).*": {"report"},
    r"(cairo|librsvg).*": {"apps"},
}


def check_rooms():
    order = re.findall(r"^masksc_library\((\w+)", (ROOT / "src/CMakeLists.txt").read_text(), re.MULTILINE) + ["apps"]
    found = []
    for file in sources(["include/masksc", "src"], {".hpp", ".cpp"}):
        parts = file.relative_to(ROOT).parts
        room = parts[1] if parts[0] == "src" else parts[2]
        for header in re.findall(r'^#include [<"](.+)[>"]', file.read_text(), re.MULTILINE):
            of_ours = re.match(r"masksc/(\w+)/", header)
            if of_ours and order.index(of_ours[1]) > order.index(room):
                found.append(f"{file.relative_to(ROOT)}: {room} comes before {of_ours[1]} ({header})")
            for library, rooms in LIBRARIES.items():
                if re.fullmatch(library, header) and room not in rooms:
                    found.append(f"{file.relative_to(ROOT)}: {header} is for {', '.join(sorted(rooms))}")
        for name in re.findall(r"\b(?:at|torch)::(\w+)", file.read_text()):
            if room not in LIBRARIES[TORCH] and name not in HANDED_ON and not name.startswith("k"):
                found.append(f"{file.relative_to(ROOT)}: {name} of LibTorch is for {', '.join(sorted(LIBRARIES[TORCH]))}")
    print("\n".join(found), file=sys.stderr, end="\n" if found else "")
    return 1 if found else 0


def check_environment():
    import yaml
    path = ROOT / "launch/environment.yml"
    content = yaml.safe_load(path.read_text())
    entries = content.get("dependencies")
    if content.get("name") != "masksc" or "conda-forge" not in content.get("channels", []) or not isinstance(entries, list):
        return [f"{path}: it needs name: masksc, the channel conda-forge, and dependencies"]
    findings = [f"{path}: {entry!r} is no name with a version" for entry in entries
                if not isinstance(entry, str) or not re.fullmatch(r"[a-z0-9_.-]+([=<>]=?[0-9a-z_.*]+(,<[0-9.]+)?(=[a-z_*]+)?)?", entry)]
    names = {re.match(r"[a-z0-9_.-]+", str(entry)).group() for entry in entries}
    for wanted in sorted(wanted_by_the_build()):
        if wanted not in CONDA_NAMES:
            findings.append(f"{path}: the build looks for {wanted}; name its package here and in launch/lint.py")
        elif CONDA_NAMES[wanted] not in names | {None}:
            findings.append(f"{path}: no {CONDA_NAMES[wanted]}, which the build needs for {wanted}")
    if not any(str(entry).startswith("hdf5") and "mpi_openmpi" in str(entry) for entry in entries):
        findings.append(f"{path}: hdf5 must be the build with Open MPI (hdf5=*=mpi_openmpi*)")
    return findings


def shellcheck(name, text_or_path, *options):
    tool = shutil.which("shellcheck")
    if not tool:
        print(f"no shellcheck: {name} is not checked by it")
        return []
    given = {} if isinstance(text_or_path, pathlib.Path) else {"input": text_or_path}
    run = subprocess.run([tool, "-x", *options, str(text_or_path) if not given else "-"], capture_output=True, text=True,
                         cwd=ROOT, **given)
    return [] if run.returncode == 0 else [f"{name}: {run.stdout}"]


def check_apptainer():
    path = ROOT / "launch/apptainer.def"
    head, *parts = re.split(r"^%(\w+)\n", path.read_text(), flags=re.MULTILINE)
    sections = dict(zip(parts[::2], parts[1::2]))
    findings = [f"{path}: no {key}: at its head" for key in ("Bootstrap", "From")
                if not re.search(rf"^{key}: \S+$", head, re.MULTILINE)]
    findings += [f"{path}: no %{name}" for name in ("files", "post", "environment", "runscript", "test", "labels", "help")
                 if not sections.get(name, "").strip()]
    for line in sections.get("files", "").split("\n"):
        if line.strip() and not (ROOT / line.split()[0]).exists():
            findings.append(f"{path}: there is no '{line.split()[0]}' to copy")
    copied = {line.split()[0] for line in sections.get("files", "").split("\n") if line.strip()}
    top = set(re.findall(r"^(?:add_subdirectory|include)\((\w+)", (ROOT / "CMakeLists.txt").read_text(), re.MULTILINE))
    findings += [f"{path}: CMakeLists.txt adds '{name}', which is not copied" for name in sorted(top)
                 if (ROOT / name).is_dir() and name not in copied]
    for name in ("post", "environment", "runscript", "test"):
        findings += shellcheck(f"{path}, %{name}", sections.get(name, ""), "--shell=sh")
    return findings


def check_recipes():
    findings = check_environment() + check_apptainer()
    for script in sorted([*(ROOT / "launch").rglob("*.sh"), *(ROOT / "launch").rglob("*.sbatch")]):
        findings += shellcheck(script, script)
    print("\n".join(findings) or "recipes: nothing found")
    return 1 if findings else 0


def main(arguments):
    match arguments:
        case ["format"]:
            return check_format()
        case ["rooms"]:
            return check_rooms()
        case ["recipes"]:
            return check_recipes()
        case ["tidy", build]:
            return check_tidy(pathlib.Path(build).resolve())
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Compiles the gateway that is measured, as `deploy/compile.py` does it, and checks that this is what runs."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gateway.system.compiled import LIBRARY, VARIABLE

ROOT = Path(__file__).parents[2]
CACHE = Path(sys.prefix) / "lib" / "gateway-bench"
"""Has a folder for each gateway that was compiled here, by what it was made of."""
KEPT = 6
"""Of them, the last ones."""
COMPILES_WITHIN_S = 1800.0

_TOOLS = """
import json, os, shutil, sys, sysconfig
from importlib import metadata, util
from pathlib import Path
missing = [name for name in ("mypyc", "setuptools") if util.find_spec(name) is None]
compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0]
if shutil.which(compiler) is None:
    missing.append(compiler)
if not Path(sysconfig.get_path("include"), "Python.h").exists():
    missing.append("Python.h")
found = "" if "mypyc" in missing else metadata.version("mypy")
print(json.dumps({"missing": missing, "identity": f"{sys.executable} {sys.version} mypy {found}"}))
"""
_PROGRAM = f"""
import importlib, os, runpy, sys
from gateway.system.compiled import use_compiled_modules
use_compiled_modules(os.environ)
importlib.import_module({LIBRARY!r})
sys.argv[:] = sys.argv[1:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
"""Runs a module on the compiled modules, and ends with an error when they cannot be imported."""


class Tools(NamedTuple):
    """`missing` is what an interpreter lacks to compile for itself, `identity` what else the result depends on."""

    missing: list[str]
    identity: str


def tools(python: str) -> Tools:
    """Look for what `deploy/compile.py` needs. Raises SystemExit when that is no interpreter."""
    done = subprocess.run([python, "-c", _TOOLS], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(f"{python} is no interpreter that can be used: {done.stderr}")
    return Tools(**json.loads(done.stdout))


def compiled(tree: Path, python: str, cache: Path = CACHE) -> Path | None:
    """Return a folder with the compiled modules of the gateway in `tree`, for `python`; None when it cannot compile.

    They are compiled once and kept in `cache`. Says on standard error what it does. Raises SystemExit when the compiler
    fails.
    """
    script = tree / "deploy" / "compile.py"
    if not script.exists():
        print(f"{tree} has no deploy/compile.py: its sources are measured", file=sys.stderr)
        return None
    missing, identity = tools(python)
    if missing:
        print(f"{python} cannot compile without {', '.join(missing)}: sources are measured", file=sys.stderr)
        return None
    folder = cache / _digest(tree, identity)
    if not folder.exists():
        print(f"compiling the gateway of {tree} (once; a minute or two) ...", file=sys.stderr)
        _compile(script, python, folder)
    os.utime(folder)
    return folder


def _digest(tree: Path, identity: str) -> str:
    """Return a digest of everything that decides what is compiled."""
    found = hashlib.sha256(identity.encode())
    for file in [tree / "deploy" / "compile.py", *sorted((tree / "gateway").rglob("*.py"))]:
        found.update(f"{file.relative_to(tree)} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return found.hexdigest()[:32]


def _compile(script: Path, python: str, folder: Path) -> None:
    """Fill `folder`, which appears when it is whole, and remove the oldest ones beside it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
        made = Path(temporary) / "made"
        done = subprocess.run(
            [python, str(script), str(made)],
            cwd=script.parents[1],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=COMPILES_WITHIN_S,
        )
        if done.returncode:
            raise SystemExit(f"{script} failed, and --sources measures the sources:\n{done.stdout[-3000:]}")
        made.rename(folder)
    others = sorted((each for each in folder.parent.iterdir() if each != folder), key=lambda each: each.stat().st_mtime)
    for old in others[: max(0, len(others) + 1 - KEPT)]:
        shutil.rmtree(old, ignore_errors=True)


def check_runs(pids: Sequence[int], folder: Path | None) -> None:
    """Raises SystemExit unless each process runs the compiled modules of `folder`, or sources if that is None."""
    if not pids:
        raise SystemExit("there is no worker whose code could be looked at")
    for pid in pids:
        mapped = {line.split(maxsplit=5)[-1].strip() for line in Path(f"/proc/{pid}/maps").read_text().splitlines()}
        libraries = {name for name in mapped if Path(name).name.startswith(LIBRARY)}
        wanted = {str(folder.resolve() / f"{LIBRARY}.so")} if folder else set()
        if libraries != wanted:
            raise SystemExit(f"process {pid} should run {_listed(wanted)}, and runs {_listed(libraries)}")


def _listed(libraries: set[str]) -> str:
    return ", ".join(sorted(libraries)) or "the sources"


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let a command line say what is measured."""
    parser.add_argument("--sources", action="store_true", help="measure the sources; left out: the compiled gateway")


def choose(*, sources: bool) -> Path | None:
    """Have each gateway that this process starts from now on run the compiled modules of this tree, or its sources.

    Returns what `check_runs` needs to know, and says on standard error which it is.
    """
    folder = None if sources else compiled(ROOT, sys.executable)
    os.environ[VARIABLE] = str(folder or "")
    print(f"the gateway is measured {'compiled' if folder else 'as sources'}", file=sys.stderr)
    return folder


def choose_here(module: str, *, sources: bool) -> None:
    """Run `module` anew on the compiled modules, as a program that imports those of the gateway itself, if it does not.

    `module` is the one that has just been started, with the same arguments.
    """
    if LIBRARY not in sys.modules and choose(sources=sources):
        os.execv(sys.executable, [sys.executable, "-c", _PROGRAM, module, *sys.argv[1:]])

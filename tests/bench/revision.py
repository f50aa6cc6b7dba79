"""The code that is measured, and the interpreter that runs it."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from gateway.system.compiled import VARIABLE
from tests.bench.compiled import ROOT, compiled

_LOOP = """
import json, platform, sys, sysconfig, time
def loop():
    begun, total, names = time.perf_counter(), 0, {}
    for n in range(1_000_000):
        names[n & 255] = total = (total + n) & 65535
    return time.perf_counter() - begun
options = " ".join(str(sysconfig.get_config_var(name) or "") for name in ("CONFIG_ARGS", "PY_CFLAGS", "PY_CORE_LDFLAGS"))
print(json.dumps({
    "version": platform.python_version(), "implementation": platform.python_implementation(), "compiler": platform.python_compiler(),
    "pgo": "--enable-optimizations" in options or "-fprofile-use" in options, "lto": "lto" in options,
    "loop_ms": round(min(loop() for _ in range(15)) * 1e3, 1),
}))
"""

Form = Literal["compiled", "sources"]
"""What of a gateway runs."""


@dataclass(frozen=True)
class Code:
    """The gateway in a folder, run by `python`. `revision` is None for the tree that this file is in.

    `compiled` is where its compiled modules are, None if it runs its sources.
    """

    folder: Path
    python: str
    revision: str | None = None
    compiled: Path | None = None

    @property
    def form(self) -> Form:
        """What of it runs."""
        return "compiled" if self.compiled else "sources"

    @property
    def environ(self) -> dict[str, str]:
        """The variables with which it runs, whatever the environment of the benchmark says."""
        return {"PYTHONPATH": str(self.folder), VARIABLE: str(self.compiled or "")}

    def labels(self, name: str, about: str) -> tuple[str, str]:
        """Name and description of a peer that runs it."""
        if self.revision is None:
            return name, about
        return f"{name}@{self.revision}", f"{about}, at {self.revision}{'' if self.compiled else ', sources'}"


def here(python: str, *, sources: bool) -> Code:
    """The tree that this file is in, compiled unless only its `sources` are to run."""
    return Code(ROOT, python, compiled=None if sources else compiled(ROOT, python))


@contextmanager
def checked_out(revision: str, python: str, *, sources: bool) -> Iterator[Code]:
    """A revision in a git worktree of its own, in a temporary folder, compiled if it can be and not `sources`.

    Raises SystemExit if it does not exist.
    """
    name = _git("rev-parse", "--short", "--verify", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), name)
        try:
            code = Code(tree, python, name)
            check(code)
            yield code if sources else replace(code, compiled=compiled(tree, python))
        finally:
            with suppress(SystemExit):  # the folder goes in any case, and git forgets worktrees whose folder is gone
                _git("worktree", "remove", "--force", str(tree))


def described() -> str:
    """The revision of the tree that this file is in, with "-dirty" if something was changed since."""
    try:
        return _git("describe", "--always", "--dirty")
    except SystemExit:
        return "unknown"


def interpreter(python: str) -> dict[str, object]:
    """What is known of one: among other things how it was built, and the milliseconds that it takes for a loop."""
    done = subprocess.run([python, "-c", _LOOP], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise SystemExit(f"{python} is no interpreter that can be used: {done.stderr}")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def spelled(facts: dict[str, object], form: Form) -> str:
    """What gateways run, and the facts about their interpreter, in a few words."""
    built = [word for name, word in (("pgo", "PGO"), ("lto", "LTO")) if facts[name]]
    how = f"built with {' and '.join(built)}" if built else "built without PGO and LTO, as far as it says"
    return f"{run_by(facts, form)} ({facts['compiler']}), {how}; {facts['loop_ms']} ms for a loop of a million"


def run_by(facts: dict[str, object], form: Form) -> str:
    """What gateways run, and the name and version of their interpreter."""
    code = "compiled, run" if form == "compiled" else "run from their sources"
    return f"{code} by {facts['implementation']} {facts['version']}"


def check(code: Code) -> None:
    """Raises SystemExit unless that interpreter runs the gateway of that folder, and not an installed one."""
    command = [code.python, "-c", "import gateway.cli; print(gateway.__file__)"]
    done = subprocess.run(command, cwd=code.folder, env=code.environ, capture_output=True, text=True, check=False)
    if done.returncode or not Path(done.stdout.strip()).is_relative_to(code.folder):
        raise SystemExit(
            f"{code.revision} does not run with the packages of {code.python}:\n{done.stdout}{done.stderr}"
        )


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    except FileNotFoundError as error:
        raise SystemExit("--compare needs git: apt-get install --no-install-recommends git") from error
    if done.returncode:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()

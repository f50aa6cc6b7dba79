"""The code that is measured, and the interpreter that runs it."""

import json
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

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


@dataclass(frozen=True)
class Code:
    """The gateway in a folder, run by `python`. `revision` is None for the tree that this file is in."""

    folder: Path
    python: str
    revision: str | None = None

    def labels(self, name: str, about: str) -> tuple[str, str]:
        """Name and description of a peer that runs it."""
        return (name, about) if self.revision is None else (f"{name}@{self.revision}", f"{about}, at {self.revision}")


def here(python: str) -> Code:
    return Code(ROOT, python)


@contextmanager
def checked_out(revision: str, python: str) -> Iterator[Code]:
    """A revision in a git worktree of its own, in a temporary folder. Raises SystemExit if it does not exist."""
    name = _git("rev-parse", "--short", "--verify", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        _git("worktree", "add", "--detach", str(tree), name)
        try:
            code = Code(tree, python, name)
            check(code)
            yield code
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


def spelled(facts: dict[str, object]) -> str:
    """The facts about an interpreter in a few words."""
    built = [word for name, word in (("pgo", "PGO"), ("lto", "LTO")) if facts[name]]
    how = f"built with {' and '.join(built)}" if built else "built without PGO and LTO, as far as it says"
    return f"{facts['implementation']} {facts['version']} ({facts['compiler']}), {how}; {facts['loop_ms']} ms for a loop of a million"


def check(code: Code) -> None:
    """Raises SystemExit unless that interpreter runs the gateway of that folder, and not an installed one."""
    command = [code.python, "-c", "import gateway.cli; print(gateway.__file__)"]
    done = subprocess.run(
        command, cwd=code.folder, env={"PYTHONPATH": str(code.folder)}, capture_output=True, text=True, check=False
    )
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

"""deploy/venv: when it compiles, and that the gateway starts whatever comes of it. Python is a script that records."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.architecture.files import ROOT

RUN, TEST = "deploy/requirements.lock", "tests/requirements.lock"
PYTHON = """#!/bin/sh
echo "$*" >>called
case "$*" in
"-m venv --without-pip .venv") mkdir -p .venv/bin && cp "$0" .venv/bin/python ;;
*Python.h*) test -e compiler ;;
deploy/compile.py) . ./compilation ;;
*"--target"*) . ./download ;;
esac
"""


class Clone:
    """A clone with one module, whose Python only writes down what it is asked to do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("deploy", "tests", "gateway"):
            (folder / name).mkdir()
        shutil.copy(ROOT / "deploy" / "venv", folder / "deploy")
        for name in (RUN, TEST, "deploy/compile.lock", "deploy/compile.py", "gateway/module.py", "pyproject.toml"):
            (folder / name).write_text(name)
        for name in ("compiler", "compilation", "download", "called"):
            (folder / name).write_text("")
        self._python = folder / "python"
        self._python.write_text(PYTHON)
        self._python.chmod(0o755)

    def make(self, lock: str = RUN, *options: str, **environ: str) -> str:
        """Make `.venv`. Return what it said."""
        kept = {name: value for name, value in os.environ.items() if name != "GATEWAY_COMPILED"}
        done = subprocess.run(
            ["sh", "deploy/venv", lock, *options],
            cwd=self.folder,
            env={**kept, "PYTHON": str(self._python), **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, ""), done.stderr
        return done.stderr

    @property
    def compilations(self) -> int:
        return (self.folder / "called").read_text().splitlines().count("deploy/compile.py")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


def test_modules_are_compiled_once_and_again_when_a_source_changes(clone: Clone) -> None:
    assert "Compiling" in clone.make()
    assert clone.make() == ""
    assert clone.compilations == 1
    (clone.folder / "gateway" / "module.py").write_text("another one")
    assert "Compiling" in clone.make()
    assert clone.compilations == 2
    assert not (clone.folder / ".venv" / "compiling").exists()


def test_nobody_waits_for_what_is_compiled_meanwhile(clone: Clone) -> None:
    gate = clone.folder / "gate"
    os.mkfifo(gate)
    (clone.folder / "compilation").write_text("read -r _ <gate")
    assert "for the next start" in clone.make(RUN, "--meanwhile")
    with gate.open("w") as opened:  # as soon as it compiles
        assert clone.make(RUN, "--meanwhile") == ""
        assert clone.make() == ""
        opened.write("\n")
    subprocess.run(["flock", "deploy/compile.lock", "true"], cwd=clone.folder, check=True, timeout=60)
    assert clone.make(RUN, "--meanwhile") == ""
    assert clone.compilations == 1


def test_tools_are_not_among_the_packages_of_the_gateway(clone: Clone) -> None:
    clone.make()
    (tools,) = [line for line in (clone.folder / "called").read_text().splitlines() if "compile.lock" in line]
    assert f"--target {clone.folder}/.venv/compiling/tools" in tools
    assert "--require-hashes --no-deps" in tools


def test_without_a_compiler_it_says_once_what_to_install(clone: Clone) -> None:
    (clone.folder / "compiler").unlink()
    assert "apt-get install gcc python3-dev" in clone.make()
    assert clone.make() == ""
    assert clone.compilations == 0
    (clone.folder / "compiler").write_text("")
    assert "Compiling" in clone.make()
    assert clone.compilations == 1


@pytest.mark.parametrize("step", ["compilation", "download"])
def test_what_failed_is_tried_again_when_a_source_changes_or_somebody_asks(clone: Clone, step: str) -> None:
    (clone.folder / step).write_text("echo why; exit 1")
    assert "it could not be compiled" in clone.make()
    assert (clone.folder / ".venv" / "compiling.log").read_text() == "why\n"
    assert clone.make() == ""
    (clone.folder / step).write_text("")
    (clone.folder / ".venv" / "not-compiled").unlink()
    assert "could not" not in clone.make()
    assert clone.make() == ""
    assert clone.compilations == (2 if step == "compilation" else 1)


def test_a_compilation_that_was_killed_is_done_again(clone: Clone) -> None:
    (clone.folder / "compilation").write_text("kill -KILL $$")
    assert "interrupted" in clone.make()
    (clone.folder / "compilation").write_text("")
    assert "Compiling" in clone.make()
    assert clone.compilations == 2


@pytest.mark.parametrize("folder", ["", "/compiled/elsewhere"])
def test_the_variable_keeps_it_from_compiling(clone: Clone, folder: str) -> None:
    assert "ompil" not in clone.make(GATEWAY_COMPILED=folder)
    assert clone.compilations == 0


def test_the_environment_of_the_tests_is_not_compiled_for(clone: Clone) -> None:
    assert "ompil" not in clone.make(TEST)
    assert clone.compilations == 0

"""Tests of what a benchmark compiles and of the check that it runs. The compiler is stood in for by a script."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.system.compiled import LIBRARY, VARIABLE
from tests.bench.compiled import KEPT, check_runs, compiled, tools
from tests.bench.revision import Code, here

COMPILER = """
import sys
from pathlib import Path
folder = Path(sys.argv[1])
folder.mkdir(parents=True)
(folder / "made").write_text(str(Path.cwd()))
"""
"""What stands in for `deploy/compile.py`."""
LACKING = """#!/bin/sh
echo '{"missing": ["mypyc", "gcc"], "identity": "one that cannot compile"}'
"""
"""What stands in for an interpreter, as far as it is asked."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A gateway of one module."""
    for name, text in {"deploy/compile.py": COMPILER, "gateway/module.py": "1"}.items():
        file = tmp_path / "tree" / name
        file.parent.mkdir(parents=True)
        file.write_text(text)
    return tmp_path / "tree"


def test_a_gateway_is_compiled_once_until_it_changes(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cache = tmp_path / "cache"
    first = compiled(tree, sys.executable, cache)
    assert first is not None
    assert (first / "made").read_text() == str(tree)
    assert compiled(tree, sys.executable, cache) == first
    assert capsys.readouterr().err.count("compiling") == 1
    (tree / "gateway" / "module.py").write_text("2")
    assert compiled(tree, sys.executable, cache) not in (first, None)


def test_the_last_ones_are_kept(tree: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for number in range(KEPT):
        old = cache / f"old{number}"
        old.mkdir(parents=True)
        os.utime(old, (number, number))
    now = compiled(tree, sys.executable, cache)
    assert set(cache.iterdir()) == {now, *(cache / f"old{number}" for number in range(1, KEPT))}


def test_sources_are_measured_where_nothing_can_be_compiled(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lacking = tmp_path / "python"
    lacking.write_text(LACKING)
    lacking.chmod(0o755)
    assert compiled(tree, str(lacking), tmp_path / "cache") is None
    assert "cannot compile without mypyc, gcc: sources are measured" in capsys.readouterr().err
    (tree / "deploy" / "compile.py").unlink()
    assert compiled(tree, sys.executable, tmp_path / "cache") is None
    assert "has no deploy/compile.py" in capsys.readouterr().err


def test_an_error_of_the_compiler_ends_the_benchmark(tree: Path, tmp_path: Path) -> None:
    (tree / "deploy" / "compile.py").write_text("raise SystemExit('no such type')")
    with pytest.raises(SystemExit, match="failed, and --sources measures the sources:\nno such type"):
        compiled(tree, sys.executable, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_is_compiled_depends_on_the_interpreter() -> None:
    assert sys.version in tools(sys.executable).identity
    with pytest.raises(SystemExit, match="no interpreter that can be used"):
        tools("/bin/false")


@contextmanager
def waiting(statement: str) -> Iterator[int]:
    """A process that has run `statement`, by its id."""
    program = [sys.executable, "-c", f"{statement}\nprint(flush=True)\ninput()"]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
        process.communicate(b"\n")


def test_a_worker_that_runs_something_else_is_found_out(tmp_path: Path) -> None:
    library = tmp_path / f"{LIBRARY}.so"
    library.write_bytes(bytes(4096))
    mapped = f"import mmap, os\nheld = mmap.mmap(os.open({str(library)!r}, os.O_RDONLY), 0, prot=mmap.PROT_READ)"
    with waiting(mapped) as pid:
        check_runs([pid], tmp_path)
        with pytest.raises(SystemExit, match=f"should run the sources, and runs {re.escape(str(library))}"):
            check_runs([pid], None)
        with pytest.raises(SystemExit, match=f"should run .*/elsewhere/{LIBRARY}.so, and runs {tmp_path}/"):
            check_runs([pid], tmp_path / "elsewhere")
    with waiting("") as pid:
        check_runs([pid], None)
        with pytest.raises(SystemExit, match=f"should run {re.escape(str(library))}, and runs the sources"):
            check_runs([pid], tmp_path)
    with pytest.raises(SystemExit, match="no worker"):
        check_runs([], None)


def test_the_environment_of_the_benchmark_does_not_decide_what_runs(tmp_path: Path) -> None:
    assert here(sys.executable, sources=True).environ[VARIABLE] == ""
    assert Code(tmp_path, sys.executable, compiled=tmp_path / "made").environ[VARIABLE] == str(tmp_path / "made")


def test_labels_say_what_of_another_revision_runs(tmp_path: Path) -> None:
    code = Code(tmp_path, sys.executable, "abc1234", tmp_path)
    assert code.labels("redis", "gateway") == ("redis@abc1234", "gateway, at abc1234")
    sources = Code(tmp_path, sys.executable, "abc1234")
    assert sources.labels("redis", "gateway") == ("redis@abc1234", "gateway, at abc1234, sources")
    assert Code(tmp_path, sys.executable).labels("redis", "gateway") == ("redis", "gateway")

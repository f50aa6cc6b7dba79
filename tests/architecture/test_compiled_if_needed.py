"""deploy/compile.py --if-needed: what was made of these sources by the script as it is is not made again."""

import os
from pathlib import Path

from gateway.system.compiled import SOURCES
from tests.architecture.test_compiled_structs import COMPILER


def test_what_an_older_script_has_made_is_made_again(tmp_path: Path) -> None:
    assert not COMPILER.is_made(tmp_path)
    (tmp_path / "gateway.exchange.so").touch()
    (tmp_path / SOURCES).write_text("{}")
    assert COMPILER.is_made(tmp_path)
    (tmp_path / SOURCES).write_text('{"gateway.exchange": "of another one"}')
    assert not COMPILER.is_made(tmp_path)
    (tmp_path / SOURCES).write_text("{}")
    os.utime(tmp_path / SOURCES, (0, 0))
    assert not COMPILER.is_made(tmp_path)

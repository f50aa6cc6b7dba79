"""system/compiled.py: which modules are found in a folder, and when none is."""

import json
import sys
from collections.abc import Iterator
from importlib.machinery import ExtensionFileLoader
from pathlib import Path
from types import ModuleType

import pytest

from gateway.system.compiled import (
    LIBRARY,
    SOURCES,
    VARIABLE,
    default_folder,
    digest,
    in_use,
    modules_in,
    use_compiled_modules,
)

NAME = "deploy.compile"
"""A source that is here, and that nobody imports by this name."""


@pytest.fixture(autouse=True)
def _same_finders() -> Iterator[None]:
    before = [*sys.meta_path]
    yield
    sys.meta_path[:] = before


def folder_of(path: Path, sources: dict[str, str]) -> Path:
    """Return `path`, with a module of each name and what says that they were made of these sources."""
    for name in sources:
        (path / f"{name}.so").touch()
    (path / SOURCES).write_text(json.dumps(sources))
    return path


def test_modules_of_these_sources_are_found_before_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path, {NAME: digest(NAME)})
    monkeypatch.setitem(sys.modules, LIBRARY, ModuleType(LIBRARY))
    before = [*sys.meta_path]
    assert use_compiled_modules({VARIABLE: str(tmp_path)})
    assert in_use()
    finder, *others = sys.meta_path
    assert others == before
    for name in (NAME, LIBRARY):
        spec = finder.find_spec(name, None)
        assert spec is not None
        assert spec.origin == str(tmp_path / f"{name}.so")
        assert isinstance(spec.loader, ExtensionFileLoader)
    assert finder.find_spec("deploy.other", None) is None


def test_without_a_library_that_can_be_loaded_there_are_none(tmp_path: Path) -> None:
    folder_of(tmp_path, {NAME: digest(NAME)})
    before = [*sys.meta_path]
    for content in (None, b"not for this machine"):
        if content is not None:
            (tmp_path / f"{LIBRARY}.so").write_bytes(content)
        assert not use_compiled_modules({VARIABLE: str(tmp_path)})
        assert not in_use()
        assert sys.meta_path == before


@pytest.mark.parametrize(
    "sources",
    [{NAME: digest(NAME), "gateway.gone": digest(NAME)}, {NAME: digest("gateway.system.compiled")}, {NAME: ""}, {}],
    ids=["a source that is gone", "another source", "no digest", "nothing"],
)
def test_without_these_sources_there_are_none(tmp_path: Path, sources: dict[str, str]) -> None:
    folder_of(tmp_path, sources)
    before = [*sys.meta_path]
    assert modules_in(tmp_path) == set()
    assert not use_compiled_modules({VARIABLE: str(tmp_path)})
    assert sys.meta_path == before


def test_sources_that_are_not_compiled_count_like_those_that_are(tmp_path: Path) -> None:
    folder_of(tmp_path, {NAME: digest(NAME), "gateway.__init__": digest("gateway.__init__")})
    (tmp_path / "gateway.__init__.so").unlink()
    assert modules_in(tmp_path) == {NAME}
    folder_of(tmp_path, {NAME: digest(NAME), "gateway.__init__": digest(NAME)})
    assert modules_in(tmp_path) == set()


def test_a_folder_that_is_not_there_or_half_written_has_none(tmp_path: Path) -> None:
    assert modules_in(tmp_path / "none") == set()
    (tmp_path / SOURCES).write_text('{"gateway.')
    assert modules_in(tmp_path) == set()


def test_they_can_be_switched_off() -> None:
    assert not use_compiled_modules({VARIABLE: ""})


def test_this_process_has_imported_sources_and_goes_on_with_them() -> None:
    assert not use_compiled_modules({})


def test_none_is_used_beside_a_source_that_was_imported(tmp_path: Path) -> None:
    folder_of(tmp_path, {NAME: digest(NAME), "gateway.system.compiled": digest("gateway.system.compiled")})
    assert modules_in(tmp_path) == {NAME, "gateway.system.compiled"}
    assert not use_compiled_modules({VARIABLE: str(tmp_path)})


def test_the_folder_is_in_the_environment_of_this_python() -> None:
    assert default_folder().is_relative_to(sys.prefix)
    assert default_folder().name == sys.implementation.cache_tag


def test_the_digest_of_what_is_not_there_is_empty() -> None:
    assert digest("gateway.gone") == ""
    assert len(digest(NAME)) == 64

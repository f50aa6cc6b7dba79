"""YAML and JSON that is no configuration."""

from pathlib import Path
from typing import Any

from gateway.settings.document.plain import read_plain
from gateway.settings.positions import BROKEN, SourceFile


def read(text: str) -> tuple[Any, list[str]]:
    found: list[str] = []
    source = SourceFile.of("d", text, Path())
    value = read_plain(
        source, text, lambda position, loc, what: found.append(f"{position.line}:{position.column} {what}")
    )
    return value, found


def test_values() -> None:
    text = 'a: ${A}\nb: [~, "$$", null, 1]\nc: null\nd: !!str 3\ne: !!int "4"\nf: ! 5\n200: x\n'
    assert read(text) == (
        {"a": "${A}", "b": [None, "$$", None, 1], "c": None, "d": "3", "e": 4, "f": "5", "200": "x"},
        [],
    )


def test_surrogates_in_json() -> None:
    assert read(r'{"a": "\ud83d\ude00 \ud800 \/"}') == ({"a": "😀 \ufffd /"}, [])


def test_depth() -> None:
    value, found = read("[" * 200 + "]" * 200)
    assert value is not BROKEN
    assert found == []
    value, found = read("[" * 201 + "]" * 201)
    assert value is BROKEN
    assert found == ["1:201 nested more than 200 levels deep"]

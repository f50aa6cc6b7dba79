from pathlib import Path
from typing import Any

import pytest

from gateway.settings.document.reader import read
from gateway.settings.positions import BROKEN, Items, Loc, Position, SourceFile, Table, locate, position_of_key, spell


def reading(text: str, **environ: str) -> tuple[Any, list[str]]:
    message: list[str] = []
    outside: list[str] = []

    def report(position: Position, loc: Loc, problem: str) -> None:
        message.append(f"{position.line}:{position.column} {spell(loc)}: {problem}")

    return read(SourceFile.of("f", text, Path()), text, environ, report, outside.append), message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("--- \n", None),
        ("a: 1\nb: [x, 'y', \"1\"]\n", {"a": 1, "b": ["x", "y", "1"]}),
        ("on: no\n", {"on": "no"}),
        ("1: one\n", {"1": "one"}),
        ("a: !!str 5\n", {"a": "5"}),
        ("a: ! 5\n", {"a": "5"}),
        ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
        ("base: &b {x: 1, y: 2}\nother: {<<: *b, y: 3}\n", {"base": {"x": 1, "y": 2}, "other": {"x": 1, "y": 3}}),
        (
            "a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc: {<<: [*a, *b]}\n",
            {"a": {"x": 1}, "b": {"x": 2, "z": 3}, "c": {"x": 1, "z": 3}},
        ),
        ("a: &s text\nb: *s\n*s : c\n", {"a": "text", "b": "text", "text": "c"}),
        ("a: &l [1]\nb: *l\n", {"a": [1], "b": [1]}),
        ("%YAML 1.2\n---\na: 1\n...\n", {"a": 1}),
    ],
)
def test_yaml_becomes_data(text: str, value: object) -> None:
    assert reading(text) == (value, [])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: ${X}", {"a": 5}),
        ('a: "${X}"', {"a": "5"}),
        ("a: ${YES}", {"a": True}),
        ("a: ${NONE:-}", {}),
        ("a: '${NONE:-}'", {"a": ""}),
        ("a:\n- ${NONE:-}", {"a": [""]}),
        ("a: ${LIST}", {"a": "[1]"}),
        ("a: $$5", {"a": "$5"}),
    ],
)
def test_a_plain_scalar_from_a_variable_is_resolved_again(text: str, value: object) -> None:
    assert reading(text, X="5", YES="true", LIST="[1]") == (value, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", ["3:1 a: written twice; the first stands in line 1"]),
        ("a: {b: {c: 1, c: 2}}\n", ["1:15 a.b.c: written twice; the first stands in line 1"]),
        ("a:\nb: ~\nc: [null]\n", ["1:3 a: there is no value here; write one, or leave the key out", "2:4 b: there is no value here; write one, or leave the key out", "3:5 c[0]: there is no value here; write one, or leave the key out"]),
        ("a: !!binary xx\n", ["1:4 a: tags are not supported; write the value without it, or put a value that begins with `!` into quotes"]),
        ("a: !custom {b: 1}\n", ["1:4 a: tags are not supported; write the value without it, or put a value that begins with `!` into quotes"]),
        ("a: &a [*a]\n", ["1:8 a[0]: this alias stands inside what it refers to"]),
        ("a: *b\n", ["1:4 a: there is no anchor of this name before it; a value that begins with `*` stands in quotes"]),
        ("a: 1\n---\n# why\n--- {}\n", ["4:1 : a second document begins here; a configuration is one document"]),
        ("a: 1\n---\n''\n", ["2:1 : a second document begins here; a configuration is one document"]),
        ("a: 1\n---\nb: 2\n", ["2:1 : a second document begins here; a configuration is one document"]),
        ("{[a]: 1}\n", ["1:2 : a key is a single word, not a list or a mapping"]),
        ("a: {<<: 5}\n", ["1:9 a: `<<` takes a mapping or a list of mappings"]),
        ("a:\n\t- b\n", ["2:1 : a tab cannot indent YAML; use spaces"]),
        ("a: @b\n", ["1:4 : a value cannot begin with this character; put it into quotes"]),
        ("a: b: c\n", ["1:5 : not YAML: a `:` is not expected here; check the indentation, or put the value into quotes"]),
        ("a: 'x\nb: y\n", ["1:4 : not YAML: this quote is never closed"]),
        ('b: 1\na: {c: "x\n', ["2:8 : not YAML: this quote is never closed"]),
        ("a: [1, 2\nb: 3\n", ["2:2 : not YAML: did not find expected ',' or ']' while parsing a flow sequence that began in line 1"]),
        ("ä: \x01\n", ["1:4 : this character is not allowed in YAML; in double quotes, write `\\xNN` for it"]),
        ("a: \ud800\n", ["1:4 : half of a surrogate pair is not a character"]),
        ("a: [1, ${X}]\n", ["1:9 : not YAML: between brackets, a value with `${…}` stands in quotes"]),
        ("a: ${NONE}\n", ["1:4 a: `NONE` is not set in the environment; set it, or write `${NONE:-default}`"]),
        ("%YAML 9.1\n---\na\n", ["1:1 : not YAML: found incompatible YAML document"]),
        ("[" * 100, ["1:65 : nested more than 64 levels deep"]),
        ("[" * 1_000_000, ["1:65 : nested more than 64 levels deep"]),
        ("- " * 5_000, ["1:129 : nested more than 64 levels deep"]),
    ],
)  # fmt: skip
def test_what_is_wrong_has_a_position(text: str, message: list[str]) -> None:
    assert reading(text)[1] == message


def test_aliases_cannot_make_much_of_little() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    value, message = reading("\n".join(lines))
    assert value is BROKEN
    assert message == ["4:5 a3: aliases make this too large"]


def test_reading_goes_on_after_a_problem_with_a_value() -> None:
    value, message = reading("a: ${NONE}\nb: ${NOR_THIS}\nc: 1\n")
    assert value == {"a": BROKEN, "b": BROKEN, "c": 1}
    assert len(message) == 2


def test_positions_are_looked_up_by_the_way_to_them() -> None:
    root, _ = reading("a:\n  - b: ${X}\n    c: [1, '${X}']\n", X="5")
    assert locate(root, ("a", 0, "b")) == (Position(root.position.source, 2, 8), 5, True)
    assert locate(root, ("a", 0, "c", 0)) == (Position(root.position.source, 3, 9), 1, False)
    assert locate(root, ("a", 0, "c", 1))[1:] == ("5", True)
    assert locate(root, ("a", 0, "missing")) == (Position(root.position.source, 2, 5), None, False)
    assert position_of_key(root, ("a", 0, "c")) == Position(root.position.source, 3, 5)
    assert position_of_key(root, ("a", 7)) == Position(root.position.source, 2, 3)


def test_merged_keys_keep_their_positions() -> None:
    root, _ = reading("a: &a\n  x: ${X}\nb: {<<: *a}\n", X="5")
    assert locate(root, ("b", "x")) == (Position(root.position.source, 2, 6), 5, True)


def test_lines_are_counted_as_the_parser_counts_them() -> None:
    text = "# a\u2028# b\x85# c\r\n# d\re: @\n"
    assert reading(text)[1] == ["5:4 : a value cannot begin with this character; put it into quotes"]
    assert SourceFile.of("f", text, Path()).lines[4] == "e: @"


def test_collections_know_where_they_begin() -> None:
    root, _ = reading("\n  a: [1]\n")
    assert isinstance(root, Table)
    assert isinstance(root["a"], Items)
    assert (root.position.line, root.position.column) == (2, 3)
    assert (root["a"].position.line, root["a"].position.column) == (2, 6)


@pytest.mark.parametrize("end", ["---\n", "...\n", "---\n...\n", "---\n---\n# why\n"])
def test_a_line_that_ends_the_document_is_no_second_one(end: str) -> None:
    assert reading(f"a: 1\n{end}") == ({"a": 1}, [])

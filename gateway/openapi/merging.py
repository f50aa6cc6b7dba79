"""Writes imported routes into a file, and merges them into one that was written before.

What a person has changed stays: the file remembers, field by field, what the import before has written. Of a field that
is still the same the new value is taken, and of any other that of the file.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gateway.openapi.document_problems import DocumentProblems
from gateway.openapi.importing import named
from gateway.openapi.schemas import plain
from gateway.settings.document.plain import read_plain
from gateway.settings.positions import Items, Position, SourceFile, Table

MEMORY = "x-imported"
"""The section that remembers what was written. It has no meaning in a configuration."""
_HEAD = "# Written by `gateway openapi import`, which keeps what is changed here.\n"
_DIGITS = 8
_INDENT = "  "


class Merged(NamedTuple):
    """The new text of a file, and the ids of routes that are new, have changed, or are in the document no longer.

    `kept` are the fields that differ from the document because somebody has changed them, as `route.field`.
    """

    text: str
    added: list[str]
    changed: list[str]
    vanished: list[str]
    kept: list[str]


def merge(name: str, text: str, routes: list[dict[str, Any]]) -> Merged:
    """Return what becomes of a file with `text`, "" for a new one. Raises ConfigError if it cannot be merged into."""
    source = SourceFile.of(name, text, Path(name).parent)
    problems = DocumentProblems()
    root = read_plain(source, text, problems.add) if text.strip() else Table(Position(source, 1, 1))
    problems.raise_if_any()
    written = root.get("routes", Items(Position(source, 1, 1))) if isinstance(root, Table) else None
    if not isinstance(written, Items) or not all(isinstance(each, Table) and "id" in each for each in written):
        problems.add(Position(source, 1, 1), ("routes",), "a list of routes with ids is wanted here")
    elif any(source.lines[each.line - 1][: each.column - 1].strip() not in {"-"} for each in written.positions):
        problems.add(written.position, ("routes",), "routes can be merged only if each begins in a line of its own")
    problems.raise_if_any()
    assert isinstance(root, Table)
    assert isinstance(written, Items)
    return _merged(source, root, written, named(routes))


def _merged(source: SourceFile, root: Table, written: Items, new: dict[str, dict[str, Any]]) -> Merged:
    remembered = root.get(MEMORY)
    memory = {name: fields for name, fields in _members(remembered) if isinstance(fields, Table)}
    ends = _ends(source, root, written)
    lines = list(source.lines)
    result = Merged("", [], [], [], [])
    for index in reversed(range(len(written))):
        old = plain(written[index])
        identity = old["id"]
        if identity not in new:
            if identity in memory:
                result.vanished.insert(0, identity)
            continue
        route = _of_both(old, new[identity], memory.get(identity, {}), result.kept)
        if route != old:
            result.changed.insert(0, identity)
            begin = written.positions[index].line - 1
            lines[begin : ends[index]] = _entry(route, source.lines[begin])
    known = {str(each["id"]) for each in written}
    result.added.extend(identity for identity in new if identity not in known)
    first = source.lines[written.positions[0].line - 1] if written else f"{_INDENT}-"
    entries = [line for identity in result.added for line in _entry(new[identity], first)]
    if written:
        at = ends[-1] + len(lines) - len(source.lines)
        lines[at:at] = entries
    else:
        lines = [*_HEAD.splitlines(), *[line for line in lines if line.strip()], "routes:", *entries]
    text = "\n".join(_without_memory(lines)).rstrip("\n") + "\n" + _memory(new, memory)
    return result._replace(text=text)


def _members(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, Table) else []


def _of_both(old: dict[str, Any], new: dict[str, Any], memory: Mapping[str, Any], kept: list[str]) -> dict[str, Any]:
    """Return a route with the fields of `old` that somebody has changed, and with those of `new` otherwise."""
    route: dict[str, Any] = {}
    for name in dict.fromkeys([*old, *new]):
        touched = memory.get(name) != _digest(old[name]) if name in old else name in memory
        if not touched and name in new:
            route[name] = new[name]
        elif touched and name in old:
            route[name] = old[name]
        if touched and old.get(name) != new.get(name):
            kept.append(f"{new['id']}.{name}")
    return route


def _ends(source: SourceFile, root: Table, written: Items) -> list[int]:
    """Return behind which line each route ends. Comments before a route belong to it."""
    starts = [key.line for name, (key, _) in root.positions.items() if name != "routes"]
    after = [line for line in starts if line > written.position.line]
    last = min(after, default=len(source.lines) + 1) - 1
    while last > 0 and not source.lines[last - 1].strip():
        last -= 1
    ends = []
    for begin in [each.line for each in written.positions[1:]]:
        end = begin - 1
        while source.lines[end - 1].lstrip().startswith("#"):
            end -= 1
        ends.append(end)
    return [*ends, last] if written else []


def _entry(route: dict[str, Any], first: str) -> list[str]:
    """Return the lines of a route, indented as the line `first` is."""
    indent = first[: first.index("-")]
    lines = [f"{indent}  {name}: {_value(value)}" for name, value in route.items()]
    return [f"{indent}- {lines[0].strip()}", *lines[1:]]


def _value(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=1 << 20, sort_keys=False, allow_unicode=True)
    return text.removesuffix("...\n").strip()


def _without_memory(lines: list[str]) -> list[str]:
    begin = next((at for at, line in enumerate(lines) if line.startswith(f"{MEMORY}:")), len(lines))
    end = next((at for at in range(begin + 1, len(lines)) if lines[at][:1].strip()), len(lines))
    return [*lines[:begin], *lines[end:]]


def _memory(new: dict[str, dict[str, Any]], old: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the section that remembers what was written, what has vanished included."""
    digests = {identity: {name: _digest(value) for name, value in route.items()} for identity, route in new.items()}
    kept = {identity: fields for identity, fields in old.items() if identity not in digests}
    lines = [f"{_INDENT}{_value(identity)}: {_value(dict(fields))}\n" for identity, fields in (digests | kept).items()]
    return f"{MEMORY}:\n{''.join(lines)}"


def _digest(value: Any) -> str:
    # A letter first: digits alone would be a number.
    return "h" + sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]

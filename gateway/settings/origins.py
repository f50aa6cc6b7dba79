"""The origins of the values of a configuration: file, line, column, and the variables and files that they refer to.

Kept packed, because a configuration is in force for a long time and seldom asked about. Of `keys`, which may be many,
only where those of each file begin is remembered.
"""

import json
import re
import zlib
from collections.abc import Iterator
from typing import Any

from gateway.settings.document.interpolate import references
from gateway.settings.positions import Items, Loc, Position, Table, spell

DEFAULT = "default"
_ELSEWHERE = "${…}"
_SCALAR = re.compile(r"""(?:[&!]\S*\s+)*("(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|.*?(?=\s#|$))""")


class Origins:
    """The origins of the values of one configuration."""

    def __init__(self, root: Table) -> None:
        self._packed = zlib.compress(json.dumps(dict(_found(root, ()))).encode(), 1)

    def __repr__(self) -> str:
        return f"<Origins, {len(self._packed)} bytes>"

    def of(self, written: Any) -> dict[str, str]:
        """Yield the origins by path for `written`, a configuration as plain data. What is in no file has DEFAULT."""
        known: dict[str, str] = json.loads(zlib.decompress(self._packed))
        return {spell(loc): _nearest(known, loc) for loc in _leaves(written, ())}


def paths(written: Any) -> list[str]:
    """Yield the paths of each scalar of a configuration, and of each list of scalars."""
    return [spell(loc) for loc in _leaves(written, ())]


def _nearest(known: dict[str, str], loc: Loc) -> str:
    """Return the origin of a value, or of the section that it is part of if that was written in a shorter form."""
    return next((known[path] for depth in range(len(loc), 0, -1) if (path := spell(loc[:depth])) in known), DEFAULT)


def _leaves(value: Any, loc: Loc) -> Iterator[Loc]:
    if isinstance(value, dict) and value:
        for name, part in value.items():
            yield from _leaves(part, (*loc, name))
    elif isinstance(value, list) and value and isinstance(value[0], dict | list):
        for index, part in enumerate(value):
            yield from _leaves(part, (*loc, index))
    else:
        yield loc


def _found(value: Any, loc: Loc) -> Iterator[tuple[str, str]]:
    if loc == ("keys",) and isinstance(value, Items):
        yield "keys", _of_keys(value)
    elif isinstance(value, Table) and value:
        for name, part in value.items():
            yield from _below(part, (*loc, name), value.positions[name][1], redacted=name in value.redacted)
    elif isinstance(value, Items):
        for index, part in enumerate(value):
            yield from _below(part, (*loc, index), value.positions[index], redacted=index in value.redacted)


def _below(value: Any, loc: Loc, position: Position, *, redacted: bool) -> Iterator[tuple[str, str]]:
    if isinstance(value, Items) and not any(isinstance(part, Table | Items) for part in value):
        inside = [_referred(value.positions[index]) for index in sorted(value.redacted)]
        yield spell(loc), " ".join([_position(position), *inside])
    elif isinstance(value, Table | Items) and value:
        yield from _found(value, loc)
    else:
        yield spell(loc), f"{_position(position)} {_referred(position)}".rstrip() if redacted else _position(position)


def _of_keys(keys: Items) -> str:
    first = {position.source.name: position for position in reversed(keys.positions)}
    return ", ".join(map(_position, reversed(first.values())))


def _position(position: Position) -> str:
    return f"{position.source.name}:{position.line}:{position.column}"


def _referred(position: Position) -> str:
    """Return the variables and files that the scalar at this position refers to, by name."""
    line = position.source.lines[position.line - 1]
    found = _SCALAR.match(line, position.column - 1)
    text = found[1] if found else ""
    # It may stand further down, or where an alias leads to.
    return " ".join(references(text)) if "$" in text else _ELSEWHERE

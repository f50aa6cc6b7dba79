"""Data that knows its position in its file.

`Table` and `Items` are dict and list to everyone else. Looking a place up costs only when there is a problem to show.
"""

import re
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


class SourceFile(NamedTuple):
    """One file: its name as the operator knows it, its lines, and the directory that its paths are relative to."""

    name: str
    lines: tuple[str, ...]
    directory: Path

    @classmethod
    def of(cls, name: str, text: str, directory: Path) -> "SourceFile":
        """Lines end where YAML 1.1 ends them, which is what libyaml counts by."""
        return cls(name, tuple(_LINE_BREAK.split(text)), directory)


class Position(NamedTuple):
    """A position in a file. Line and column count from 1."""

    source: SourceFile
    line: int
    column: int


class Broken:
    """Replaces a value whose problem was reported already."""


BROKEN: Final = Broken()
Loc: TypeAlias = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""


class Table(dict[str, Any]):
    """A YAML mapping.

    `positions` holds the positions of each key and value, `redacted` the keys whose values are from outside.
    """

    __slots__ = ("position", "positions", "redacted")

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position
        self.positions: dict[str, tuple[Position, Position]] = {}
        self.redacted: set[str] = set()


class Items(list[Any]):
    """A YAML sequence.

    `positions` holds the position of each item, `redacted` the indexes whose values are from outside.
    """

    __slots__ = ("position", "positions", "redacted")

    def __init__(self, position: Position) -> None:
        super().__init__()
        self.position = position
        self.positions: list[Position] = []
        self.redacted: set[int] = set()


def locate(root: Any, loc: Loc) -> tuple[Position, Any, bool]:
    """Return the position of the value at `loc`, the value, and whether it is redacted.

    If the value is missing, the position is that of the innermost collection that exists.
    """
    position, value, redacted = root.position, root, False
    for step in loc:
        if isinstance(value, Table) and isinstance(step, str) and step in value:
            position, redacted, value = value.positions[step][1], step in value.redacted, value[step]
        elif isinstance(value, Items) and isinstance(step, int) and step < len(value):
            position, redacted, value = value.positions[step], step in value.redacted, value[step]
        else:
            return position, None, False
    return position, value, redacted


def position_of_key(root: Any, loc: Loc) -> Position:
    """Return the position of the key that is the last step of `loc`."""
    position, parent, _ = locate(root, loc[:-1])
    return parent.positions[loc[-1]][0] if isinstance(parent, Table) and loc[-1] in parent.positions else position


def spell(loc: Loc) -> str:
    """Return `routes[0].match.path`."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc).removeprefix(".")

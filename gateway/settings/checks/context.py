"""The state that the checks of a configuration share."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from gateway.settings.positions import Items, Loc, Position, Table, locate, position_of_key
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import Problem
from gateway.settings.schema.config import Config
from gateway.settings.schema.types import Section

T = TypeVar("T", bound=Section)


class CheckContext:
    """The configuration that fits the schema, and the positions of its values.

    `indexes` maps the entries of a shortened list to their indexes in the file. `whole` is false
    when a file that belongs to it could not be read.
    """

    def __init__(
        self, config: Config, root: Table, indexes: dict[str, list[int]], problem_list: ProblemList, *, whole: bool
    ) -> None:
        self.config = config
        self._root = root
        self._indexes = indexes
        self._problem_list = problem_list
        self._whole = whole
        self._ids: dict[str, dict[str, list[Loc]]] = {}
        self._complete: dict[str, bool] = {}

    def entries(self, name: str, section: Sequence[T]) -> Iterator[tuple[Loc, T]]:
        """Yield the entries of a list with their paths. Built-in entries are left out."""
        written = self._root.get(name)
        indexes = self._indexes.get(name, range(len(written) if isinstance(written, Items) else 0))
        for index, entry in zip(indexes, section, strict=False):
            yield (name, index), entry

    def ids(self, name: str) -> dict[str, list[Loc]]:
        """Return the ids of a list with their paths, including entries that do not fit the schema."""
        if name not in self._ids:
            written = self._root.get(name)
            found: dict[str, list[Loc]] = {}
            for index, entry in enumerate(written if isinstance(written, Items) else ()):
                identity = entry.get("id") if isinstance(entry, Table) else None
                if isinstance(identity, str):
                    found.setdefault(identity, []).append((name, index, "id"))
            self._ids[name] = found
        return self._ids[name]

    def knows_all(self, name: str) -> bool:
        """Return whether the ids of all entries of a list are known. Only then can an id be reported as missing."""
        if name not in self._complete:
            written = self._root.get(name, [])
            count = sum(map(len, self.ids(name).values()))
            self._complete[name] = self._whole and isinstance(written, list) and count == len(written)
        return self._complete[name]

    def raw(self, *loc: str | int) -> Any:
        """Return the value in the file, None if there is none."""
        return locate(self._root, loc)[1]

    def position(self, loc: Loc) -> Position:
        return locate(self._root, loc)[0]

    def where(self, loc: Loc, beside: Loc) -> str:
        """Return `line 12`, or `conf.d/a.yaml:12` when that is another file than the one that `beside` stands in."""
        position, here = self.position(loc), self.position(beside)
        return (
            f"line {position.line}"
            if position.source.name == here.source.name
            else f"{position.source.name}:{position.line}"
        )

    def report(self, loc: Loc, text: str, hint: str = "", *, at_key: bool = False) -> None:
        """Report a problem with the value at `loc`, or with its key."""
        position, value, redacted = locate(self._root, loc)
        if at_key:
            position = position_of_key(self._root, loc)
        self._problem_list.add(position, loc, text, hint, value if redacted else None)

    def append(self, problem: Problem) -> None:
        """Report a problem of a file that the configuration names."""
        self._problem_list.append(problem)

    def warn(self, rule: str, loc: Loc, text: str, hint: str = "") -> None:
        """Report a value at `loc` that is allowed but may have unexpected consequences, by the rule with this id."""
        position, value, redacted = locate(self._root, loc)
        self._problem_list.add(position, loc, text, hint, value if redacted else None, severity="warning", rule=rule)

"""The problems found so far, in the order of their files once all is read."""

import re

from gateway.settings.masking import masked
from gateway.settings.problems import ConfigError, Problem
from gateway.settings.tree import Loc, Place, Source, spell

_QUOTED = re.compile(r"`([^`]+)`")


class Notes:
    """Collects problems; `raise_if_any` ends a reading that had some."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Problem]] = []
        self._order: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._found)

    def open(self, source: Source) -> None:
        """Problems of sources are told in the order in which they were opened."""
        self._order.setdefault(source.name, len(self._order))

    def add(self, place: Place, loc: Loc, text: str, hint: str = "", veiled: object = None) -> None:
        """`veiled` is a value from outside, of which nothing may be repeated; None when there is none."""
        if veiled is not None:
            secret = str(veiled)
            text = _QUOTED.sub(lambda quoted: "`…`" if quoted[1] in secret or secret in quoted[1] else quoted[0], text)
            hint = hint if hint.startswith("did you mean") else ""
        self.open(place.source)
        line, column = masked(place.source.lines, place.line, place.column)
        problem = Problem(place.source.name, place.line, place.column, spell(loc), text, hint, line, column)
        self._found.append((self._order[place.source.name], problem))

    def raise_if_any(self) -> None:
        """Raises ConfigError."""
        if self._found:
            ordered = sorted(self._found, key=lambda entry: (entry[0], entry[1].line, entry[1].column))
            raise ConfigError(list(dict.fromkeys(problem for _, problem in ordered)))

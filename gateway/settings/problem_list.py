"""The problems and warnings found so far, in the order of their files once all is read."""

import re
from typing import Literal

from gateway.settings.masking import masked, shown_path, shown_text
from gateway.settings.positions import Loc, Position, SourceFile, spell
from gateway.settings.problems import ConfigError, Problem
from gateway.settings.rules import is_accepted

_SHORTEST_REDACTED = 4
"""Characters from which on a value from outside is looked for inside longer texts."""
_QUOTED = re.compile(r"`([^`]+)`")


class ProblemList:
    """Collects problems; `raise_if_any` ends a reading that had some. Warnings end nothing."""

    def __init__(self) -> None:
        self._found: list[tuple[int, Problem]] = []
        self._order: dict[str, int] = {}
        self._outside: set[str] = set()

    def open(self, source: SourceFile) -> None:
        """Problems are listed in the order in which their files were opened."""
        self._order.setdefault(source.name, len(self._order))

    def redactor(self, value: str) -> None:
        """Register a value from the environment or another file, which must not be repeated in any text."""
        self._outside.add(value.casefold())

    def add(
        self,
        position: Position,
        loc: Loc,
        text: str,
        hint: str = "",
        redacted: object = None,
        value: object = None,
        *,
        severity: Literal["error", "warning"] = "error",
        rule: str = "",
    ) -> None:
        """Take note of a problem. `value` is what it is about, if that may be repeated unless it looks like a secret.

        `rule` is the id of a warning's rule. A comment on the line may accept it.

        `redacted` is the same for a value from outside: no part of it is repeated, and no hint is made from it.
        """
        redacted_value = "" if redacted is None else str(redacted).casefold()
        text = _QUOTED.sub(
            lambda quoted: (
                "`…`" if quoted[1].casefold() in redacted_value or self._is_outside(quoted[1]) else quoted[0]
            ),
            text,
        )
        hint = (
            ""
            if redacted_value
            else _QUOTED.sub(lambda quoted: "`…`" if self._is_outside(quoted[1]) else quoted[0], hint)
        )
        quoted = [*_QUOTED.findall(f"{text} {hint}"), value if isinstance(value, str) else ""]
        text, hint = shown_text(text, quoted), shown_text(hint, quoted)
        self.open(position.source)
        raw = position.source.lines[position.line - 1] if 0 < position.line <= len(position.source.lines) else ""
        if rule and is_accepted(rule, raw):
            return
        way = shown_path(loc, raw)
        for step, shown in zip(loc, way, strict=True):
            if step != shown:  # what is hidden in the way is repeated in no sentence
                text, hint = text.replace(f"`{step}`", "`…`"), hint.replace(f"`{step}`", "`…`")
        line, column = masked(position.source.lines, position.line, position.column)
        problem = Problem(
            position.source.name,
            position.line,
            position.column,
            _one_line(spell(way)),
            _one_line(text),
            _one_line(hint),
            _one_line(line, "\t"),
            column,
            severity,
            rule,
        )
        self.append(problem)

    def append(self, problem: Problem) -> None:
        """Take note of a problem whose texts are safe to show."""
        self._found.append((self._order.setdefault(problem.file, len(self._order)), problem))

    def _is_outside(self, quoted: str) -> bool:
        quoted = quoted.casefold()  # host names are shown in lower case
        return quoted in self._outside or any(
            len(value) >= _SHORTEST_REDACTED and value in quoted for value in self._outside
        )

    def raise_if_any(self) -> None:
        """Raise ConfigError with the problems, if there are any."""
        errors = self._of("error")
        if errors:
            raise ConfigError(errors)

    def warnings(self) -> tuple[Problem, ...]:
        """Return the warnings, which are no errors."""
        return tuple(self._of("warning"))

    def _of(self, severity: str) -> list[Problem]:
        found = [entry for entry in self._found if entry[1].severity == severity]
        ordered = sorted(found, key=lambda entry: (entry[0], entry[1].line, entry[1].column))
        return list(dict.fromkeys(problem for _, problem in ordered))


def _one_line(text: str, kept: str = "") -> str:
    """Replace characters that are not printable, which could move a terminal's cursor or begin a line."""
    return text if text.isprintable() else "".join(char if char.isprintable() or char in kept else "�" for char in text)

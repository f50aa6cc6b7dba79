"""The problems of documents. Nothing in a document is a secret, so that its lines are shown as they are."""

from typing import Literal

from gateway.settings.positions import Loc, Position, spell
from gateway.settings.problem_list import ProblemList
from gateway.settings.problems import Problem

_LONGEST_LINE = 200


class DocumentProblems(ProblemList):
    """Collects problems of documents."""

    def add(
        self,
        position: Position,
        loc: Loc,
        text: str,
        hint: str = "",
        redacted: object = None,  # noqa: ARG002  a document takes nothing from outside
        value: object = None,  # noqa: ARG002
        *,
        severity: Literal["error", "warning"] = "error",
        rule: str = "",  # noqa: ARG002  the rules are about configurations
    ) -> None:
        """Take note of a problem."""
        source, line, column = position
        self.open(source)
        shown = source.lines[line - 1] if 0 < line <= len(source.lines) else ""
        if len(shown) > _LONGEST_LINE:  # a document in one line
            shown = ""
        path, text, hint = _printable(spell(loc)), _printable(text), _printable(hint)
        self.append(Problem(source.name, line, column, path, text, hint, _printable(shown, "\t"), column, severity))


def _printable(text: str, kept: str = "") -> str:
    return "".join(char if char.isprintable() or char in kept else "\ufffd" for char in text)

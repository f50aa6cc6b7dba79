"""The problems of a configuration, formatted for people, programs and GitHub.

No text made here repeats a secret: source lines are masked before they become part of a `Problem`.
"""

import json
from collections.abc import Sequence
from typing import Literal

import msgspec

from gateway.settings.rules import RULES


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong, or doubtful (a `warning`), and where.

    `line` and `column` count from 1; 0 is a problem with the file itself.

    `path` leads to the value (`routes[0].match.path`), "" is the whole file. `hint` says what to write, or is "".
    `source_line` is safe to show, "" when there is none; `caret` is the column in it. `rule` is the id of a warning's
    rule, "" for an error.
    """

    file: str
    line: int
    column: int
    path: str
    text: str
    hint: str = ""
    source_line: str = ""
    caret: int = 1
    severity: Literal["error", "warning"] = "error"
    rule: str = ""

    @property
    def sentence(self) -> str:
        """The problem without its position."""
        subject = f"{self.path}: " if self.path else ""
        return subject + (f"{self.text}; {self.hint}" if self.hint else self.text)

    def __str__(self) -> str:
        position = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        named = f" [{self.rule} {RULES[self.rule].name}]" if self.rule else ""
        return f"{position}: {self.severity}: {self.sentence}{named}"


class ConfigError(Exception):
    """A configuration that cannot be used, with everything that is wrong with it, in the order of its files."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problem{'s' if len(problems) > 1 else ''} in the configuration")
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return self.text()

    def text(self, *, color: bool = False) -> str:
        """Return a text for people: one line a problem, then its source line and a caret.

        Colours are those of terminals.
        """
        return as_text(self.problems, color=color)

    def json(self) -> str:
        """Return JSON for programs: an object with a list of `problems`."""
        return json.dumps({"problems": as_data(self.problems)}, indent=2)

    def github(self) -> str:
        """Return workflow commands for GitHub Actions, one a problem, shown beside the line it is about."""
        return as_commands(self.problems)


def as_text(problems: Sequence[Problem], *, color: bool = False) -> str:
    """See `ConfigError.text`."""
    return "\n".join(_paragraph(problem, color=color) for problem in problems)


def as_data(problems: Sequence[Problem]) -> list[dict[str, str | int]]:
    """Return them as `ConfigError.json` has them. Warnings have their rule and its severity besides."""
    fields = ("file", "line", "column", "path", "text", "hint")
    return [{**{name: getattr(problem, name) for name in fields}, **_rule(problem)} for problem in problems]


def _rule(problem: Problem) -> dict[str, str | int]:
    if not problem.rule:
        return {}
    rule = RULES[problem.rule]
    return {"rule": rule.id, "name": rule.name, "severity": rule.severity}


def as_commands(problems: Sequence[Problem]) -> str:
    """See `ConfigError.github`."""
    return "\n".join(
        f"::{problem.severity} file={_property(problem.file)},line={max(problem.line, 1)},col={max(problem.column, 1)}"
        f",title={_property(problem.rule or 'gateway configuration')}::{_data(problem.sentence)}"
        for problem in problems
    )


def _paragraph(problem: Problem, *, color: bool) -> str:
    head = str(problem)
    if color:
        position, _, rest = head.partition(f": {problem.severity}: ")
        shade = 31 if problem.severity == "error" else 35
        head = f"\x1b[1m{position}:\x1b[0m \x1b[1;{shade}m{problem.severity}:\x1b[0m {rest}"
    if not problem.source_line:
        return head
    gutter = f"{problem.line:>5} | "
    # Tabs stay tabs, so that the caret stands under its character in any terminal.
    blank = "".join("\t" if char == "\t" else " " for char in problem.source_line[: problem.caret - 1])
    caret = "\x1b[1;32m^\x1b[0m" if color else "^"
    return f"{head}\n{gutter}{problem.source_line}\n{' ' * (len(gutter) - 2)}| {blank}{caret}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

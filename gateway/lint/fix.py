"""Corrects keys that are written in another spelling: `maxBuffer` and `max-buffer` become `max_buffer`."""

import re
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.settings.problems import Problem

_KEY = re.compile(r"[\"']?([A-Za-z_][A-Za-z0-9_-]{0,60})[\"']?(?=\s*:)")
_MEANT = re.compile(r"did you mean `([a-z0-9_]+)`\?")


class Renamed(msgspec.Struct, frozen=True):
    """A key that was corrected."""

    file: str
    line: int
    column: int
    before: str
    after: str

    def __str__(self) -> str:
        """Return the line for people."""
        return f"{self.file}:{self.line}:{self.column}: fixed: `{self.before}` is `{self.after}` now"


def fix_keys(problems: Sequence[Problem]) -> list[Renamed]:
    """Correct the unknown keys among `problems` whose letters are those of a known one, in their files.

    Raises OSError.
    """
    found = [renamed for problem in problems if (renamed := _renamed(problem)) is not None]
    for name in dict.fromkeys(each.file for each in found):
        path = Path(name)
        lines = path.read_bytes().decode().split("\n")
        for each in sorted((each for each in found if each.file == name), key=lambda each: -each.column):
            line = lines[each.line - 1]
            at = line.index(each.before, each.column - 1)
            lines[each.line - 1] = line[:at] + each.after + line[at + len(each.before) :]
        path.write_bytes("\n".join(lines).encode())
    return found


def _renamed(problem: Problem) -> Renamed | None:
    meant = _MEANT.search(problem.hint)
    if problem.text != "unknown key" or meant is None or not Path(problem.file).is_file():
        return None
    lines = Path(problem.file).read_bytes().decode().split("\n")
    written = _KEY.match(lines[problem.line - 1], problem.column - 1) if 0 < problem.line <= len(lines) else None
    if written is None or _letters(written[1]) != _letters(meant[1]):
        return None
    return Renamed(problem.file, problem.line, problem.column, written[1], meant[1])


def _letters(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")

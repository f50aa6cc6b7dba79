"""Reads a file and the files that it includes. `include` adds the lists of other files to those of the first."""

from collections.abc import Mapping
from glob import escape, glob, has_magic
from pathlib import Path
from typing import Any

from gateway.settings.document.key_folding import Alike, thin
from gateway.settings.document.reader import read
from gateway.settings.positions import BROKEN, Items, Position, SourceFile, Table
from gateway.settings.problem_list import ProblemList
from gateway.settings.schema.config import LISTS

STANDARD_INPUT = "-"
EXTENSION = "x-"
"""The prefix of top-level keys without a meaning, which are used for anchors."""


def read_file(
    name: str,
    environ: Mapping[str, str],
    problem_list: ProblemList,
    groups: list[Alike] | None = None,
    content: bytes | None = None,
) -> tuple[Any, bool]:
    """Return the data of the file and its includes (BROKEN if there is none), and whether all could be read.

    With `groups` keys that are like others are left out and go there. `content` is what the first file holds, None to
    read it.
    """
    root, whole = _read_one(name, environ, problem_list, groups, content), True
    if isinstance(root, Table) and isinstance(root.get("include"), Items):
        for file in _included(name, root["include"], problem_list):
            part = _read_one(file, environ, problem_list, groups)
            if isinstance(part, Table):
                _merge(root, part, problem_list)
            else:
                whole = False
    return root, whole


def read_text(source: SourceFile, text: str, environ: Mapping[str, str], problem_list: ProblemList) -> Any:
    """Return the data of the text, which must be a mapping; BROKEN if it is not."""
    problem_list.open(source)
    root = read(source, text, environ, problem_list.add, problem_list.redactor)
    start = Position(source, 1, 1)
    if root is None:
        problem_list.add(start, (), "nothing is written here", "a configuration begins with `version: 1`")
    elif root is not BROKEN and not isinstance(root, Table):
        problem_list.add(start, (), "a configuration is a mapping", "it begins with `version: 1`")
    if not isinstance(root, Table):
        return BROKEN
    for key in [key for key in root if key.startswith(EXTENSION)]:
        del root[key]
    return root


def _read_one(
    name: str,
    environ: Mapping[str, str],
    problem_list: ProblemList,
    groups: list[Alike] | None,
    content: bytes | None = None,
) -> Any:
    file = Path(name)
    empty = SourceFile(name, (), file.parent)
    try:
        content = file.read_bytes() if content is None else content
    except IsADirectoryError:
        problem_list.add(Position(empty, 0, 0), (), "this is a directory, not a file")
        return BROKEN
    except OSError as error:
        problem_list.add(Position(empty, 0, 0), (), f"cannot be read: {error.strerror}")
        return BROKEN
    except ValueError:
        problem_list.add(Position(empty, 0, 0), (), "this is not the name of a file")
        return BROKEN
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, len(before[before.rfind(b"\n") + 1 :].decode(errors="replace")) + 1
        problem_list.add(
            Position(empty, line, column),
            (),
            f"byte 0x{content[error.start]:02x} is not UTF-8",
            "save the file as UTF-8",
        )
        return BROKEN
    if groups is not None:
        text = thin(text, groups)
    return read_text(SourceFile.of(name, text, file.parent), text, environ, problem_list)


def _included(main: str, patterns: Items, problem_list: ProblemList) -> list[str]:
    """Return the names of the matching files, each once, in the order of the patterns and then of the alphabet."""
    found: dict[str, None] = {}
    directory = Path(main).parent
    for index, pattern in enumerate(patterns):
        if not isinstance(pattern, str):
            continue
        # glob, because Path.glob refuses patterns that begin with a slash.
        names = sorted(glob(str(Path(escape(str(directory))) / pattern), recursive=True))  # noqa: PTH207
        files = [file for file in map(Path, names) if not file.is_dir()]
        if not files and not has_magic(pattern):
            redacted = pattern if index in patterns.redacted else None
            problem_list.add(
                patterns.positions[index],
                ("include", index),
                f"there is no file `{directory / pattern}`",
                redacted=redacted,
            )
        found.update((str(file), None) for file in files if main == STANDARD_INPUT or not file.samefile(main))
    return list(found)


def _merge(root: Table, part: Table, problem_list: ProblemList) -> None:
    """Merge an included file: lists and `errors` are extended, every other section may occur in one file only."""
    for key, value in part.items():
        key_position, value_position = part.positions[key]
        if key == "version" and value == root.get("version", value):
            continue
        if key == "include":
            problem_list.add(key_position, (key,), "an included file cannot include others")
        elif key not in root:
            root[key] = value
            root.positions[key] = (key_position, value_position)
            if key in part.redacted:
                root.redacted.add(key)
        elif key in LISTS and isinstance(root[key], Items) and isinstance(value, Items):
            _extend(root, key, value)
        elif key == "keys" and isinstance(root[key], Table | Items) and isinstance(value, Table | Items):
            first = root.positions[key][0]
            problem_list.add(
                key_position,
                (key,),
                f"keys stand in files or in a store, not in both; {first.source.name}:{first.line} says otherwise",
            )
        elif key in LISTS:
            problem_list.add(value_position, (key,), "a list is wanted in both files")
        elif key == "errors" and isinstance(root[key], Table) and isinstance(value, Table):
            _merge_errors(root, value, problem_list)
        else:
            first = root.positions[key][0]
            problem_list.add(
                key_position, (key,), f"written twice; the first stands in {first.source.name}:{first.line}"
            )


def _extend(root: Table, key: str, value: Items) -> None:
    before, grown = root[key], Items(root[key].position)
    grown.extend([*before, *value])
    grown.positions = [*before.positions, *value.positions]
    grown.redacted = before.redacted | {len(before) + index for index in value.redacted}
    root[key] = grown


def _merge_errors(root: Table, value: Table, problem_list: ProblemList) -> None:
    before, grown = root["errors"], Table(root["errors"].position)
    grown.update(before)
    grown.positions = dict(before.positions)
    for name, override in value.items():
        if name in before:
            first = before.positions[name][0]
            problem_list.add(
                value.positions[name][0],
                ("errors", name),
                f"written twice; the first stands in {first.source.name}:{first.line}",
            )
        else:
            grown[name] = override
            grown.positions[name] = value.positions[name]
    root["errors"] = grown

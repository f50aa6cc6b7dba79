"""Reads keys for import, each with the number of its line.

    YAML        a `keys:` block, or the list alone
    JSON        an object with a list of `keys`, or the list alone; or entries one after another, as jq writes them
    JSON lines  one entry in each line
    CSV         a header with the names of the fields, separated by commas, semicolons, tabs or bars; several
                organisations, routes or methods are separated by spaces or semicolons. A line `sep=;` before the header
                and empty columns without a name, which spreadsheets add, are ignored

The fields are those of `keys[]` in the configuration.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from gateway.settings.document.reader import read
from gateway.settings.positions import Items, SourceFile, Table

_LISTS = ("organizations", "routes", "methods")
_SEVERAL = re.compile(r"[\s;]+")
_DELIMITERS = ",;\t|"
_NAMELESS = "\n"
_WHICH = "--format says which format it is"
_NO_LIST = f"a list of keys is wanted, alone or under `keys`; {_WHICH}"


class ImportEntry(NamedTuple):
    """The entry in a line, counted from 1. `problem` says why it cannot be read, "" if it can."""

    line: int
    fields: dict[str, Any]
    problem: str = ""


def entries(text: str, form: str) -> Iterator[ImportEntry]:
    """`form` is one of FORMS."""
    return FORMS[form](text)


def form_of(name: str, text: str) -> str:
    """Return the format of a file, found by its name or by the beginning of the text."""
    suffix = name.rpartition(".")[2].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    first = _header(text)[0]
    if first.startswith(("{", "[")) and not first.startswith("[["):
        return "jsonl" if _is_entry(first) else "json"
    return "csv" if "id" in _columns(first) and ": " not in first else "yaml"


def _is_entry(line: str) -> bool:
    """Return whether the line is a complete key."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "keys" not in fields


def _columns(header: str) -> list[str]:
    """Return the names in the first line of a CSV file, in lower case; empty if the line is not CSV."""
    try:
        return [
            _field(name) for name in next(csv.reader([header], delimiter=_delimiter(header), skipinitialspace=True), [])
        ]
    except csv.Error:
        return []


def _field(name: str) -> str:
    return "_".join(name.lower().split())


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _header(text: str) -> tuple[str, int]:
    """Return the first line that is not blank and no `sep=;`, and its position."""
    begin = len(text) - len(text.lstrip())
    line, _, rest = text[begin:].partition("\n")
    if line.startswith("sep=") and len(line.strip()) == len("sep=;"):  # a spreadsheet's
        return _header(rest)[0], len(text) - len(rest) + _header(rest)[1]
    return line, begin


def _yaml(text: str) -> Iterator[ImportEntry]:
    """Read as the configuration is read, but without variables: a secret may contain dollar signs."""
    problems: list[ImportEntry] = []
    written = text.replace("$", "$$")

    def report(at: Any, _: object, message: str) -> None:
        problems.append(_yaml_problem(at.line, message))

    root = read(SourceFile.of("", written, Path()), written, {}, report, lambda _: None)
    yield from problems
    listed = root.get("keys") if isinstance(root, Table) else root
    if isinstance(listed, Items):
        for position, fields in zip(listed.positions, listed, strict=True):
            yield (
                ImportEntry(position.line, fields)
                if isinstance(fields, Table)
                else ImportEntry(position.line, {}, "a mapping is wanted here")
            )
    elif not problems:
        yield ImportEntry(1, {}, f"a list of keys is wanted, alone or under `keys:`; {_WHICH}")


def _yaml_problem(line: int, message: str) -> ImportEntry:
    return ImportEntry(line, {}, f"{message}; {_WHICH}" if message.startswith("not YAML") else message)


def _json(text: str) -> Iterator[ImportEntry]:
    """Entries of a document over several lines, each with the line in which it begins."""
    if not text.strip():
        yield ImportEntry(1, {}, _NO_LIST)
    decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates)
    at = 0
    try:
        begin = _list_of_keys(text, decoder)
        ends = "]" if begin else ""
        at = _behind_blanks(text, begin or 0)
        while text[at : at + 1] != ends:
            start = at
            fields, at = decoder.raw_decode(text, at)
            yield _json_entry(text.count("\n", 0, start) + 1, fields, alone=not ends)
            at = _behind_blanks(text, at)
            if ends and text[at : at + 1] == ",":
                at += 1
            elif ends and text[at : at + 1] != "]":
                raise ValueError
            at = _behind_blanks(text, at)
        if ends:
            _end(text, at + 1, decoder)
    except _TwiceError as error:
        yield ImportEntry(text.count("\n", 0, at) + 1, {}, str(error))
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else at
        yield ImportEntry(text.count("\n", 0, at) + 1, {}, f"not JSON; {_WHICH}")


def _json_entry(line: int, fields: object, *, alone: bool) -> ImportEntry:
    """`alone`: it is not part of a list, and may be something else than a key."""
    if isinstance(fields, dict) and (not alone or "id" in fields):
        return ImportEntry(line, fields)
    return ImportEntry(line, {}, _NO_LIST if alone else "an object is wanted here")


def _list_of_keys(text: str, decoder: json.JSONDecoder) -> int:
    """Return the position of the first entry of the list, 0 if there is no list. Raises ValueError."""
    at = _behind_blanks(text, 0)
    if text[at : at + 1] == "[":
        return at + 1
    at = _behind_blanks(text, at + 1)
    while text[at : at + 1] == '"':
        name, at = decoder.raw_decode(text, at)
        at = _behind_blanks(text, _behind_blanks(text, at) + 1)
        if name == "keys" and text[at : at + 1] == "[":
            return at + 1
        _, at = decoder.raw_decode(text, at)
        at = _behind_blanks(text, _behind_blanks(text, at) + 1)
    return 0


def _end(text: str, at: int, decoder: json.JSONDecoder) -> None:
    """Check that only the rest of the object, if it is one, follows the list of keys.

    Raises ValueError, _TwiceError.
    """
    rest = text[at:]
    if text.lstrip().startswith("{"):
        before = '{"keys":0'
        rest = rest[decoder.raw_decode(before + rest)[1] - len(before) :]
    if rest.strip():
        raise json.JSONDecodeError("", text, len(text) - len(rest.lstrip()))


def _behind_blanks(text: str, at: int) -> int:
    while text[at : at + 1].isspace():
        at += 1
    return at


def _json_lines(text: str) -> Iterator[ImportEntry]:
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            fields = json.loads(written, object_pairs_hook=_without_duplicates)
        except _TwiceError as error:
            yield ImportEntry(line, {}, str(error))
        except (ValueError, RecursionError):
            yield ImportEntry(line, {}, f"not JSON; {_WHICH}")
        else:
            yield (
                ImportEntry(line, fields)
                if isinstance(fields, dict)
                else ImportEntry(line, {}, "an object is wanted here")
            )


class _TwiceError(Exception):
    """A name appears twice where it may appear once."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise _TwiceError(f"`{name}` stands here twice")
        seen[name] = value
    return seen


def _csv(text: str) -> Iterator[ImportEntry]:
    header, begin = _header(text)
    above = text.count("\n", 0, begin)
    reader = csv.DictReader(io.StringIO(text[begin:]), delimiter=_delimiter(header), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [
            _field(name) or f"{_NAMELESS}{position}" for position, name in enumerate(reader.fieldnames or ())
        ]
        _without_duplicates([(name, "") for name in reader.fieldnames])
        for row in reader:
            line = above + reader.line_num
            if (
                None in row
                or None in row.values()
                or any(row[name].strip() for name in row if name.startswith(_NAMELESS))
            ):
                yield ImportEntry(line, {}, f"{len(reader.fieldnames or ())} fields are wanted here")
            else:
                yield ImportEntry(line, {name: _cell(name, value) for name, value in row.items() if value.strip()})
    except _TwiceError as error:
        yield ImportEntry(above + 1, {}, str(error))
    except csv.Error as error:
        yield ImportEntry(above + reader.line_num, {}, f"not CSV: {error}; {_WHICH}")


def _cell(name: str, value: str) -> Any:
    if name == "secret":
        return value
    value = value.strip()
    if name in _LISTS:
        return [each for each in _SEVERAL.split(value) if each]
    return {"true": True, "false": False}.get(value.lower(), value) if name == "disabled" else value


FORMS: dict[str, Callable[[str], Iterator[ImportEntry]]] = {
    "yaml": _yaml,
    "json": _json,
    "jsonl": _json_lines,
    "csv": _csv,
}
_SUFFIXES = {"yaml": "yaml", "yml": "yaml", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv"}

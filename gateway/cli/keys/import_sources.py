"""Reads keys for import, each with the number of its line.

    YAML        a `keys:` block, or the list alone
    JSON        an object with a list of `keys`, or the list alone
    JSON lines  one entry in each line
    CSV         a header with the names of the fields, separated by commas, semicolons or tabs; several organisations, routes or
                methods are separated by spaces or semicolons

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
from gateway.settings.positions import Items, Source, Table

_LISTS = ("organizations", "routes", "methods")
_SEVERAL = re.compile(r"[\s;]+")


class ImportEntry(NamedTuple):
    """The entry in a line, counted from 1. `problem` says why it cannot be read, "" if it can."""

    line: int
    fields: dict[str, Any]
    problem: str = ""


def entries(text: str, form: str) -> Iterator[ImportEntry]:
    """`form` is one of FORMS."""
    return FORMS[form](text)


def form_of(name: str, text: str) -> str:
    """The format of a file, found by its name or by the beginning of the text."""
    suffix = name.rpartition(".")[2].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    first = text.lstrip().partition("\n")[0]
    if first.startswith(("{", "[")) and not first.startswith("[["):
        return "jsonl" if _is_entry(first) else "json"
    return "csv" if "id" in _columns(first) and ": " not in first else "yaml"


def _is_entry(line: str) -> bool:
    """Whether the line is a complete key."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "keys" not in fields


def _columns(header: str) -> list[str]:
    """The names in the first line of a CSV file, in lower case; empty if the line is not CSV."""
    try:
        return [name.strip().lower() for name in next(csv.reader([header], delimiter=_delimiter(header), skipinitialspace=True), [])]
    except csv.Error:
        return []


def _delimiter(header: str) -> str:
    return max(",;\t", key=header.count)


def _yaml(text: str) -> Iterator[ImportEntry]:
    """Reads as the configuration is read, but without variables: a secret may contain dollar signs."""
    problems: list[ImportEntry] = []
    written = text.replace("$", "$$")

    def report(at: Any, _: object, text: str) -> None:
        problems.append(ImportEntry(at.line, {}, text))

    root = read(Source.of("", written, Path()), written, {}, report, lambda _: None)
    yield from problems
    listed = root.get("keys") if isinstance(root, Table) else root
    if isinstance(listed, Items):
        for place, fields in zip(listed.places, listed, strict=True):
            yield ImportEntry(place.line, fields) if isinstance(fields, Table) else ImportEntry(place.line, {}, "a mapping is wanted here")
    elif not problems:
        yield ImportEntry(1, {}, "a list of keys is wanted, alone or under `keys:`; --format says which format it is")


def _json(text: str) -> Iterator[ImportEntry]:
    """Entries of a document over several lines, each with the line in which it begins."""
    decoder = json.JSONDecoder(object_pairs_hook=_without_duplicates)
    at = 0
    try:
        at = _list_of_keys(text, decoder)
        while text[(at := _behind_blanks(text, at))] != "]":
            begin = at
            fields, at = decoder.raw_decode(text, at)
            line = text.count("\n", 0, begin) + 1
            yield ImportEntry(line, fields) if isinstance(fields, dict) else ImportEntry(line, {}, "an object is wanted here")
            at = _behind_blanks(text, at)
            if text[at] == ",":
                at += 1
            elif text[at] != "]":
                raise ValueError
    except _TwiceError as error:
        yield ImportEntry(text.count("\n", 0, at) + 1, {}, str(error))
    except LookupError:
        yield ImportEntry(1, {}, "a list of keys is wanted, alone or under `keys`")
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else at
        yield ImportEntry(text.count("\n", 0, at) + 1, {}, "not JSON; --format says which format it is")


def _list_of_keys(text: str, decoder: json.JSONDecoder) -> int:
    """The position of the first entry. Raises ValueError, or LookupError if the JSON has no list of keys."""
    at = _behind_blanks(text, 0)
    if text[at] == "[":
        return at + 1
    at += 1
    while text[(at := _behind_blanks(text, at))] == '"':
        name, at = decoder.raw_decode(text, at)
        at = _behind_blanks(text, at) + 1
        at = _behind_blanks(text, at)
        if name == "keys" and text[at] == "[":
            return at + 1
        _, at = decoder.raw_decode(text, at)
        at = _behind_blanks(text, at) + 1
    raise LookupError


def _behind_blanks(text: str, at: int) -> int:
    """Raises LookupError at the end of the text."""
    while text[at].isspace():
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
            yield ImportEntry(line, {}, "not JSON; --format says which format it is")
        else:
            yield ImportEntry(line, fields) if isinstance(fields, dict) else ImportEntry(line, {}, "an object is wanted here")


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
    header = text.lstrip().partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text.lstrip()), delimiter=_delimiter(header), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        _without_duplicates([(name, "") for name in reader.fieldnames])
        for row in reader:
            if None in row or None in row.values():
                yield ImportEntry(reader.line_num, {}, f"{len(reader.fieldnames or ())} fields are wanted here")
            else:
                yield ImportEntry(reader.line_num, {name: _cell(name, value) for name, value in row.items() if value})
    except _TwiceError as error:
        yield ImportEntry(1, {}, str(error))
    except csv.Error as error:
        yield ImportEntry(reader.line_num, {}, f"not CSV: {error}")


def _cell(name: str, value: str) -> Any:
    if name in _LISTS:
        return [each for each in _SEVERAL.split(value) if each]
    return {"true": True, "false": False}.get(value.lower(), value) if name == "disabled" else value


FORMS: dict[str, Callable[[str], Iterator[ImportEntry]]] = {"yaml": _yaml, "json": _json, "jsonl": _json_lines, "csv": _csv}
_SUFFIXES = {"yaml": "yaml", "yml": "yaml", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv"}

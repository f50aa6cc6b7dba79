"""Keys that come from elsewhere, in the formats in which people have them: each entry with the line that it stands in.

    YAML        a `keys:` block, or the list alone
    JSON        an object with a list of `keys`, or the list alone; or entries one after another, as jq writes them
    JSON lines  one entry a line
    CSV         a header with the names of the fields, apart by commas, semicolons, tabs or bars; several organisations, routes
                or methods stand apart by spaces or semicolons. What spreadsheets add does not count: a line `sep=;` before
                the header, columns without a name

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


class Entry(NamedTuple):
    """What stands in a line, counted from 1. `problem` is why it cannot be read, "" if it can."""

    line: int
    fields: dict[str, Any]
    problem: str = ""


def entries(text: str, form: str) -> Iterator[Entry]:
    """`form` is one of FORMS."""
    return FORMS[form](text)


def form_of(name: str, text: str) -> str:
    """By the name of the file, or by how the text begins."""
    suffix = name.rpartition(".")[2].lower()
    if suffix in _SUFFIXES:
        return _SUFFIXES[suffix]
    first = _header(text)[0]
    if first.startswith(("{", "[")) and not first.startswith("[["):
        return "jsonl" if _is_entry(first) else "json"
    return "csv" if "id" in _columns(first) and ": " not in first else "yaml"


def _is_entry(line: str) -> bool:
    """Whether the line is one key by itself."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(fields, dict) and "keys" not in fields


def _columns(header: str) -> list[str]:
    """The names in the first line of a CSV file, in lower case; nothing for a line that is none."""
    try:
        return [_field(name) for name in next(csv.reader([header], delimiter=_delimiter(header), skipinitialspace=True), [])]
    except csv.Error:
        return []


def _field(name: str) -> str:
    return "_".join(name.lower().split())


def _delimiter(header: str) -> str:
    return max(_DELIMITERS, key=header.count)


def _header(text: str) -> tuple[str, int]:
    """The first line that says something, and where it begins."""
    begin = len(text) - len(text.lstrip())
    line, _, rest = text[begin:].partition("\n")
    if line.startswith("sep=") and len(line.strip()) == len("sep=;"):  # a spreadsheet's
        return _header(rest)[0], len(text) - len(rest) + _header(rest)[1]
    return line, begin


def _yaml(text: str) -> Iterator[Entry]:
    """As the configuration is read, but for variables: a secret may have dollar signs."""
    problems: list[Entry] = []
    written = text.replace("$", "$$")
    root = read(
        SourceFile.of("", written, Path()), written, {}, lambda at, _, told: problems.append(_unlike(at.line, told)), lambda _: None
    )
    yield from problems
    listed = root.get("keys") if isinstance(root, Table) else root
    if isinstance(listed, Items):
        for place, fields in zip(listed.positions, listed, strict=True):
            yield Entry(place.line, fields) if isinstance(fields, Table) else Entry(place.line, {}, "a mapping is wanted here")
    elif not problems:
        yield Entry(1, {}, f"a list of keys is wanted, alone or under `keys:`; {_WHICH}")


def _unlike(line: int, told: str) -> Entry:
    return Entry(line, {}, f"{told}; {_WHICH}" if told.startswith("not YAML") else told)


def _json(text: str) -> Iterator[Entry]:
    """Entries of a document over several lines, each at the line in which it begins."""
    if not text.strip():
        yield Entry(1, {}, _NO_LIST)
    decoder = json.JSONDecoder(object_pairs_hook=_once)
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
        yield Entry(text.count("\n", 0, at) + 1, {}, str(error))
    except (ValueError, RecursionError) as error:
        at = error.pos if isinstance(error, json.JSONDecodeError) else at
        yield Entry(text.count("\n", 0, at) + 1, {}, f"not JSON; {_WHICH}")


def _json_entry(line: int, fields: object, *, alone: bool) -> Entry:
    """`alone`: it stands in no list, and may be something else."""
    if isinstance(fields, dict) and (not alone or "id" in fields):
        return Entry(line, fields)
    return Entry(line, {}, _NO_LIST if alone else "an object is wanted here")


def _list_of_keys(text: str, decoder: json.JSONDecoder) -> int:
    """Where the first entry of the list may stand, 0 where there is none. Raises ValueError."""
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
    """Nothing but the rest of the object, if it is one, may stand behind its list of keys. Raises ValueError, _TwiceError."""
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


def _json_lines(text: str) -> Iterator[Entry]:
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            fields = json.loads(written, object_pairs_hook=_once)
        except _TwiceError as error:
            yield Entry(line, {}, str(error))
        except (ValueError, RecursionError):
            yield Entry(line, {}, f"not JSON; {_WHICH}")
        else:
            yield Entry(line, fields) if isinstance(fields, dict) else Entry(line, {}, "an object is wanted here")


class _TwiceError(Exception):
    """A name stands twice where it may stand once."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    for name, value in pairs:
        if name in seen:
            raise _TwiceError(f"`{name}` stands here twice")
        seen[name] = value
    return seen


def _csv(text: str) -> Iterator[Entry]:
    header, begin = _header(text)
    above = text.count("\n", 0, begin)
    reader = csv.DictReader(io.StringIO(text[begin:]), delimiter=_delimiter(header), skipinitialspace=True, strict=True)
    try:
        reader.fieldnames = [_field(name) or f"{_NAMELESS}{place}" for place, name in enumerate(reader.fieldnames or ())]
        _once([(name, "") for name in reader.fieldnames])
        for row in reader:
            line = above + reader.line_num
            if None in row or None in row.values() or any(row[name].strip() for name in row if name.startswith(_NAMELESS)):
                yield Entry(line, {}, f"{len(reader.fieldnames or ())} fields are wanted here")
            else:
                yield Entry(line, {name: _cell(name, value) for name, value in row.items() if value.strip()})
    except _TwiceError as error:
        yield Entry(above + 1, {}, str(error))
    except csv.Error as error:
        yield Entry(above + reader.line_num, {}, f"not CSV: {error}; {_WHICH}")


def _cell(name: str, value: str) -> Any:
    if name == "secret":
        return value
    value = value.strip()
    if name in _LISTS:
        return [each for each in _SEVERAL.split(value) if each]
    return {"true": True, "false": False}.get(value.lower(), value) if name == "disabled" else value


FORMS: dict[str, Callable[[str], Iterator[Entry]]] = {"yaml": _yaml, "json": _json, "jsonl": _json_lines, "csv": _csv}
_SUFFIXES = {"yaml": "yaml", "yml": "yaml", "json": "json", "jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv"}

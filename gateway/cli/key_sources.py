"""Keys that come from elsewhere, in the formats in which people have them: each entry with the line that it stands in.

    YAML        a `keys:` block, or the list alone
    JSON lines  one entry a line
    CSV         a header with the names of the fields; several organisations, routes or methods stand apart by spaces or semicolons

The fields are those of `keys[]` in the configuration.
"""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import yaml

from gateway.settings.scalars import resolve

_Loader: Any = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
_LISTS = ("organizations", "routes", "methods")
_SEVERAL = re.compile(r"[\s;]+")


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
    first = text.lstrip().partition("\n")[0]
    if first.startswith("{"):
        return "jsonl"
    return "csv" if "id" in [column.strip() for column in first.split(",")] and ":" not in first else "yaml"


def _yaml(text: str) -> Iterator[Entry]:
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        yield Entry(mark.line + 1 if mark else 1, {}, f"not YAML: {getattr(error, 'problem', None) or error}")
        return
    if isinstance(root, yaml.MappingNode):
        root = next((value for key, value in root.value if key.value == "keys"), root)
    if not isinstance(root, yaml.SequenceNode):
        yield Entry(1, {}, "a list of keys is wanted, alone or under `keys:`")
        return
    for node in root.value:
        line = node.start_mark.line + 1
        yield Entry(line, _plain(node)) if isinstance(node, yaml.MappingNode) else Entry(line, {}, "a mapping is wanted here")


def _plain(node: yaml.Node) -> Any:
    """As the configuration reads it: YAML 1.2."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): _plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    return node.value if getattr(node, "style", None) else resolve(str(node.value))


def _json_lines(text: str) -> Iterator[Entry]:
    for line, written in enumerate(text.splitlines(), 1):
        if not written.strip():
            continue
        try:
            fields = json.loads(written)
        except ValueError:
            yield Entry(line, {}, "not JSON")
        else:
            yield Entry(line, fields) if isinstance(fields, dict) else Entry(line, {}, "an object is wanted here")


def _csv(text: str) -> Iterator[Entry]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True, strict=True)
    try:
        for row in reader:
            if None in row or None in row.values():
                yield Entry(reader.line_num, {}, f"{len(reader.fieldnames or ())} fields are wanted here")
            else:
                yield Entry(reader.line_num, {name: _cell(name, value) for name, value in row.items() if value})
    except csv.Error as error:
        yield Entry(reader.line_num, {}, f"not CSV: {error}")


def _cell(name: str, value: str) -> Any:
    if name in _LISTS:
        return [each for each in _SEVERAL.split(value) if each]
    return {"true": True, "false": False}.get(value.lower(), value) if name == "disabled" else value


FORMS: dict[str, Callable[[str], Iterator[Entry]]] = {"yaml": _yaml, "jsonl": _json_lines, "csv": _csv}
_SUFFIXES = {"yaml": "yaml", "yml": "yaml", "jsonl": "jsonl", "ndjson": "jsonl", "csv": "csv"}

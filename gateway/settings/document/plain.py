"""Reads YAML and JSON that is no configuration, such as OpenAPI documents, into plain data with positions."""

import re
from typing import Any

import yaml

from gateway.settings.document.reader import Reading, ReadValue, Report, read_with
from gateway.settings.document.scalars import resolve
from gateway.settings.positions import Position, SourceFile

_TEXT_TAG = "tag:yaml.org,2002:str"
_PAIR = re.compile(r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})")
_HALF = re.compile(r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def read_plain(source: SourceFile, text: str, report: Report) -> Any:
    """Return the data of one document, in which `$` has no meaning and null is a value; BROKEN if it is none.

    Every problem goes to `report`. JSON is read as YAML, of which it is a part but for surrogate pairs.
    """
    if "\\u" in text and text.lstrip()[:1] in {"{", "["}:
        text = _HALF.sub("\ufffd", _PAIR.sub(_character, text))
    return read_with(_PlainReading(source, {}, report, lambda _: None), source, text, report)


def _character(pair: re.Match[str]) -> str:
    high, low = int(pair[1], 16), int(pair[2], 16)
    return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))


class _PlainReading(Reading):
    """One pass over the events of a document that is not a configuration."""

    MOST_DEPTH = 200
    NULL = None

    def _resolved(self, event: yaml.ScalarEvent, position: Position) -> ReadValue:  # noqa: ARG002  nothing is reported
        plain = event.implicit[0] if event.tag is None else event.tag not in {"!", _TEXT_TAG}
        return ReadValue(resolve(event.value) if plain else event.value)

    def _is_kept(self, read: ReadValue) -> bool:  # noqa: ARG002  null is kept, too
        return True

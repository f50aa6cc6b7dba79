"""Repairs errors and messages in the envelope of a service where clients would fail; all else stays byte for byte."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec

from gateway.kernel.envelope.dates import iso_date
from gateway.kernel.envelope.raw_json import JsonMembers, array, decode, displaced, items, members, quote, render
from gateway.kernel.envelope.write import EMPTY_RESULT
from gateway.kernel.fault_types import MESSAGES, UNDEFINED

MOST_MENDED = 1000
"""The most messages, or links, of one list that are repaired one by one, which costs more than their bytes.

What follows is left out.
"""
LARGEST_MENDED = 512 * 1024
"""The longest such list in bytes.

To take apart what may be a million elements is not worth it: a longer one is left out.
"""

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_KINDS = ("INFO", "ERROR", "WARNING", "DEBUG", "TRACE")


class _Link(msgspec.Struct):
    href: _Text
    title: _Text


class _Message(msgspec.Struct):
    id: _Text
    type: Literal["INFO", "ERROR", "WARNING", "DEBUG", "TRACE"]
    text: _Text
    date: str | msgspec.UnsetType = msgspec.UNSET
    field: str | msgspec.UnsetType = msgspec.UNSET
    links: list[_Link] | msgspec.UnsetType = msgspec.UNSET


class _Success(msgspec.Struct):
    result: msgspec.Raw
    messages: list[_Message] | msgspec.UnsetType = msgspec.UNSET


_LEAST_CODE, _MOST_CODE = -(1 << 31), (1 << 31) - 1
"""The range of 32 bits: clients in several languages read a code into such an integer. Other numbers are no codes."""


class _Error(msgspec.Struct):
    code: Annotated[int, msgspec.Meta(ge=_LEAST_CODE, le=_MOST_CODE)]
    message: _Text
    developerMessage: _Text  # noqa: N815  # the contract's spelling
    links: list[_Link] | msgspec.UnsetType = msgspec.UNSET
    details: list[_Message] | msgspec.UnsetType = msgspec.UNSET


_SUCCESS = msgspec.json.Decoder(_Success)
_ERROR = msgspec.json.Decoder(_Error)
_STRING = msgspec.json.Decoder(str)
_INTEGER = msgspec.json.Decoder(int)


def success_data(data: bytes, notices: list[bytes], new_id: Callable[[], str]) -> bytes:
    """Return the `data` of a SUCCESS, in order. `notices` are Messages to add; `new_id` names those that have no id."""
    sound = decode(_SUCCESS, data, displaced)
    if sound is not None and not notices and _dates_are_sound(sound.messages):
        return data
    found = members(data)
    if found is None:
        found = {"result": EMPTY_RESULT if data == b"null" else data}
    found.setdefault("result", EMPTY_RESULT)
    messages = [*_messages(found.get("messages", b"[]"), "INFO", new_id), *notices]
    if messages or found.get("messages", b"[]") != b"[]":
        found["messages"] = array(messages)
    return render(found)


def error_data(data: bytes, fallback: int, new_id: Callable[[], str]) -> tuple[int, bytes]:
    """Return the code and the `data` of an ERROR, in order. `fallback` is the code if there is none."""
    sound = decode(_ERROR, data, displaced)
    if sound is not None and _dates_are_sound(sound.details):
        return sound.code, data
    found = members(data) or {}
    code = _code(found.get("code", b"null"), fallback)
    message, developer_message = _text(found, "message"), _text(found, "developerMessage")
    generic = MESSAGES.get(code, MESSAGES[UNDEFINED])
    found["code"] = b"%d" % code
    if not message:
        found["message"] = quote(developer_message or generic)
    if not developer_message:
        found["developerMessage"] = quote(message or generic)
    for name, mend in (("links", _links), ("details", lambda text: _messages(text, "ERROR", new_id))):
        if name in found:
            mended = mend(found.pop(name))
            if mended:
                found[name] = array(mended)
    return code, render(found)


def string(text: bytes) -> str | None:
    """Return the string that `text`, JSON, is; None if it is anything else."""
    return decode(_STRING, text)


def _dates_are_sound(messages: list[_Message] | msgspec.UnsetType) -> bool:
    if messages is msgspec.UNSET:
        return True
    return all(message.date is msgspec.UNSET or iso_date(message.date) == message.date for message in messages)


def _code(text: bytes, fallback: int) -> int:
    number = decode(_INTEGER, text)
    if number is not None:
        return number if _LEAST_CODE <= number <= _MOST_CODE else fallback
    digits = string(text) or ""
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 10 else fallback


def _text(found: JsonMembers, name: str) -> str:
    return string(found.get(name, b'""')) or ""


def _messages(text: bytes, kind: str, new_id: Callable[[], str]) -> list[bytes]:
    return [mended for element in _elements(text) if (mended := _message(element, kind, new_id))]


def _message(text: bytes, kind: str, new_id: Callable[[], str]) -> bytes:
    """Return one Message with its members in order; b"" if it is empty."""
    found = members(text)
    if found is None:
        found = {"text": text} if string(text) else {}
    if not found:
        return b""
    written = _text(found, "type").upper()
    if written not in _KINDS:
        written = kind
    identity = _text(found, "id") or (
        str(number) if (number := decode(_INTEGER, found.get("id", b""))) is not None else new_id()
    )
    mended: JsonMembers = {
        "id": found["id"] if _text(found, "id") else quote(identity),
        "type": quote(written),
        "text": found["text"] if _text(found, "text") else quote(_text(found, "message") or "No text."),
    }
    date = iso_date(_text(found, "date"))
    if date is not None:
        mended["date"] = quote(date)
    if _text(found, "field"):
        mended["field"] = found["field"]
    links = _links(found.get("links", b"null"))
    if links:
        mended["links"] = array(links)
    rest = {
        name: value for name, value in found.items() if name not in {"id", "type", "text", "date", "field", "links"}
    }
    return render(mended | rest)


def _links(text: bytes) -> list[bytes]:
    return [mended for element in _elements(text) if (mended := _link(element))]


def _elements(text: bytes) -> list[bytes]:
    """Return the elements of a list, or the only element where a list should be."""
    if len(text) > LARGEST_MENDED:
        return []
    elements = items(text, MOST_MENDED)
    return [text] if elements is None else elements


def _link(text: bytes) -> bytes:
    """Return one Link with its members in order; b"" if it has no target."""
    found = members(text)
    if found is None:
        found = {"href": text}
    if not _text(found, "href"):
        return b""
    if not _text(found, "title"):
        found["title"] = quote(_text(found, "rel") or "More information")
    return render(found)

"""Rule 6: replies of a backend that speaks the envelope itself. They are not wrapped twice."""

import re
from collections.abc import Callable
from json import JSONDecoder
from typing import NamedTuple

from msgspec import UNSET

from gateway.kernel.envelope.encoded import MEMBERS, EnvelopeMembers
from gateway.kernel.envelope.raw_json import JsonMembers, decode_without_halves, displaced, is_utf8, members, render
from gateway.kernel.envelope.repair import error_data, string, success_data
from gateway.kernel.envelope.write import error
from gateway.kernel.errors.sanitize import fit_json
from gateway.kernel.errors.translate import LARGEST_BODY, code_of, status_of, translate

_JSON = b"application/json"
_decode_members = MEMBERS.decode

_STATUSES = frozenset({b'"SUCCESS"', b'"ERROR"'})
_ENVELOPE = frozenset({"requestId", "status", "data", "more"})
_MOST_QUOTES = 10_000
"""The most quotation marks in an error that is read. Each string is examined by itself, which costs more than its
bytes.
"""
_BRIEF = frozenset({"code", "message", "developerMessage"})
_LARGEST_TEXT = 65_536
_OPENING_BYTES = 65_536
_MOST_OPENING_MEMBERS = 64
"""The most members that are examined before `data`. Real envelopes have fewer."""
_KEY = re.compile(rb'[ \t\r\n]*"([^"\\]*(?:\\.[^"\\]*)*)"[ \t\r\n]*:[ \t\r\n]*')
_WHITE = re.compile(rb"[ \t\r\n]*")
_SCALAR = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[-+.\w]+')
_NESTED = JSONDecoder()


class Adopted(NamedTuple):
    """A backend's envelope with our id.

    `code` is 0 for a SUCCESS, rarely for an ERROR. `request_id` is the backend's own, for the log.
    """

    status: int
    code: int
    body: bytes
    request_id: str | None


class Opening(NamedTuple):
    """The beginning of a backend's envelope. Its requestId, the value, is from `start` to `end` of the text."""

    success: bool
    request_id: str | None
    start: int
    end: int


def probe(text: bytes) -> bool | None:
    """Return whether `text`, a JSON object, is an envelope; None when it is not JSON.

    It is one with requestId, a status of the contract and data at the top level, or with nothing but these and `more`.
    """
    try:
        found: EnvelopeMembers | None = _decode_members(text)
    except (ValueError, RecursionError):
        found = decode_without_halves(MEMBERS, text, displaced)
    if found is None or not (text.isascii() or is_utf8(text)):
        return None
    if found.status is UNSET or found.requestId is UNSET or bytes(found.status) not in _STATUSES:
        return False
    return found.data is not UNSET or _ENVELOPE.issuperset(members(text) or {"": b""})


def adopt(
    body: bytes, request_id: str, status: int, family: str, notices: list[bytes], new_id: Callable[[], str]
) -> Adopted | None:
    """Return `body`, which is valid JSON, with our id; None when its members cannot be told apart.

    `notices` are Messages to add to a SUCCESS, `new_id` names those that have no id.
    ERROR with a status below 400, and SUCCESS with one of 400 or more, both become an ERROR.
    """
    found = members(body)
    if found is None:
        return None
    own_id = string(found.pop("requestId"))
    is_success = found.pop("status") == b'"SUCCESS"'
    data = found.pop("data", b"null")
    if is_success and status < 400:
        written = success_data(data, notices, new_id)
        return Adopted(status, 0, _written(request_id, b"SUCCESS", written, found), own_id)
    large = len(body) > LARGEST_BODY or body.count(b'"') > _MOST_QUOTES
    if large:
        found = {}
    if is_success:
        result = data if len(data) > LARGEST_BODY else (members(data) or {}).get("result", data)
        translation = translate(status, _JSON, result, family)
        more = fit_json(render(found))[1:-1]
        return Adopted(
            status,
            translation.code,
            error(request_id, *translation[:3], translation.links, translation.details, more),
            own_id,
        )
    if large:
        data = _abridged(data)
    code, written = error_data(fit_json(data), code_of(status if status >= 400 else 503, family), new_id)
    others = {name: fit_json(value) for name, value in found.items()}
    return Adopted(
        status if status >= 400 else status_of(code), code, _written(request_id, b"ERROR", written, others), own_id
    )


def _abridged(data: bytes) -> bytes:
    """Return the code and the texts of an error that is too large to be read."""
    translation = {
        name: value for name, value in (members(data) or {}).items() if name in _BRIEF and len(value) <= _LARGEST_TEXT
    }
    return render(translation)


def _written(request_id: str, status: bytes, data: bytes, others: JsonMembers) -> bytes:
    rest = b"," + render(others)[1:-1] if others else b""
    return b'{"requestId":"%b","status":"%b","data":%b%b}' % (request_id.encode(), status, data, rest)


def opening(first: bytes) -> Opening | None:
    """Return whether a document too large to hold begins like an envelope, by `first`, its first bytes; None if not.

    To be seen as one, requestId and status must come before data, and all three within `_OPENING_BYTES`.
    """
    text = first[:_OPENING_BYTES]
    characters = text.decode("latin-1")
    seen: dict[bytes, tuple[int, int]] = {}
    at = _skip(text, 0)
    for _ in range(_MOST_OPENING_MEMBERS):
        key = _KEY.match(text, at + 1)
        if key is None or text[at : at + 1] != (b"," if seen else b"{"):
            break
        start = key.end()
        if key[1] == b"data":
            return _opening(text, seen) if text[start : start + 1] == b"{" else None
        scalar = _SCALAR.match(text, start)
        try:
            end = scalar.end() if scalar else _NESTED.raw_decode(characters, start)[1]
        except (ValueError, RecursionError):
            return None
        seen[key[1]] = start, end
        at = _skip(text, end)
    return None


def _opening(text: bytes, seen: dict[bytes, tuple[int, int]]) -> Opening | None:
    start, end = seen.get(b"status", (0, 0))
    status = text[start:end]
    if b"requestId" not in seen or status not in _STATUSES:
        return None
    start, end = seen[b"requestId"]
    return Opening(status == b'"SUCCESS"', string(text[start:end]), start, end)


def _skip(text: bytes, at: int) -> int:
    """Return the position after white space."""
    white = _WHITE.match(text, at)
    return white.end() if white else at

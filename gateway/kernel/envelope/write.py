"""Writes the envelope of the contract around texts that are JSON already."""

from collections.abc import Callable, Iterable

import msgspec
from msgspec import UNSET

from gateway.kernel.envelope.encoded import EncodedLink, EncodedMessage
from gateway.kernel.envelope.raw_json import quote
from gateway.kernel.faults import Detail, Link

EMPTY_RESULT = b"{}"
"""The result for an empty or `null` body of a service (rule 3)."""

_encode = msgspec.json.Encoder().encode

_BEFORE_ID = b'{"requestId":"'
_BEFORE_RESULT = b'","status":"SUCCESS","data":{"result":'
_TAIL = b"}}"
_ID = b'{"id":"'
_NUMBER_DIGITS = 8
"""The digits of a Message's id that are its number."""


def success_head(request_id: str) -> bytes:
    """Return an envelope up to its result."""
    return _BEFORE_ID + request_id.encode() + _BEFORE_RESULT


def success_tail(messages: bytes) -> bytes:
    """Return an envelope after its result. `messages` is a JSON array, or b"" for none."""
    return b',"messages":%b}}' % messages if messages else _TAIL


def success(request_id: str, result: bytes, messages: bytes = b"") -> bytes:
    """Return a whole envelope. `result` is valid JSON and stays as it is; `messages` as in `success_tail`."""
    tail = success_tail(messages) if messages else _TAIL
    return b"".join((_BEFORE_ID, request_id.encode(), _BEFORE_RESULT, result, tail))


def error(
    request_id: str,
    code: int,
    message: str,
    developer_message: str,
    links: Iterable[Link] = (),
    details: Iterable[Detail] = (),
    more: bytes = b"",
) -> bytes:
    """Return an ERROR envelope. The texts are not empty. `more` are further top-level members as JSON, or b""."""
    return framed_error(error_pieces(error_frame(code, message, developer_message, links), details, more), request_id)


def error_frame(code: int, message: str, developer_message: str, links: Iterable[Link] = ()) -> bytes:
    """Return what all ERROR envelopes with these texts have in common, for `error_pieces`."""
    frame = b'","status":"ERROR","data":{"code":%d,"message":%b,"developerMessage":%b' % (
        code,
        quote(message),
        quote(developer_message),
    )
    return frame + b',"links":' + render_links(links) if links else frame


def error_pieces(frame: bytes, details: Iterable[Detail] = (), more: bytes = b"") -> tuple[bytes, ...]:
    """Return an ERROR envelope after its id, for `framed_error`.

    It is cut in each Message of `details` where its id goes on like that of the request (`message_ids`).
    """
    pieces: list[bytes] = []
    piece = frame
    for number, each in enumerate(details, 1):
        field = UNSET if each.field is None else each.field
        message = _encode(EncodedMessage(UNSET, "", each.type, each.text, field, UNSET, each.more or UNSET))
        pieces.append(piece + (b"," if pieces else b',"details":[') + _ID + b"%08x" % number)
        piece = message[len(_ID) :]
    ending = (b"]}" if pieces else b"}") + (b"," + more if more else b"")
    return (*pieces, piece + ending + b"}")


def framed_error(pieces: tuple[bytes, ...], request_id: str) -> bytes:
    """Return the ERROR envelope of `error_pieces` with an id."""
    own_id = request_id.encode()
    return b"".join((_BEFORE_ID, own_id, own_id[_NUMBER_DIGITS:].join(pieces)))


def render_links(links: Iterable[Link]) -> bytes:
    """Return a JSON array of Links."""
    return _encode([EncodedLink(*link) for link in links])


def render_message(
    message_id: str, kind: str, text: str, *, date: str | None = None, links: Iterable[Link] = ()
) -> bytes:
    """Return one Message as JSON. `date` ends in Z."""
    shown = [EncodedLink(*link) for link in links]
    return _encode(EncodedMessage(date or UNSET, message_id, kind, text, UNSET, shown or UNSET, UNSET))


def message_ids(request_id: str) -> Callable[[], str]:
    """Return an iterator of ids for the Messages of one reply: UUIDs derived from `request_id`, nothing random.

    They are `request_id` with their number in place of its first eight digits: the others are as unique as it is.
    """
    count = 0

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"{count:08x}{request_id[_NUMBER_DIGITS:]}"

    return new_id

"""Writes the envelope of the contract around texts that are JSON already."""

from collections.abc import Callable, Iterable

from gateway.kernel.envelope.raw_json import array, quote, render
from gateway.kernel.faults import Detail, Link

EMPTY_RESULT = b"{}"
"""The result for an empty or `null` body of a service (rule 3)."""


_BEFORE_ID = b'{"requestId":"'
_BEFORE_RESULT = b'","status":"SUCCESS","data":{"result":'
_TAIL = b"}}"


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
    return framed_error(error_frame(code, message, developer_message, links), request_id, details, more)


def error_frame(code: int, message: str, developer_message: str, links: Iterable[Link] = ()) -> bytes:
    """Return what all ERROR envelopes with these texts have in common, for `framed_error`."""
    frame = b'","status":"ERROR","data":{"code":%d,"message":%b,"developerMessage":%b' % (
        code,
        quote(message),
        quote(developer_message),
    )
    return frame + b',"links":' + render_links(links) if links else frame


def framed_error(frame: bytes, request_id: str, details: Iterable[Detail] = (), more: bytes = b"") -> bytes:
    """Return an ERROR envelope with the common part `frame`."""
    if not details and not more:
        return b"".join((_BEFORE_ID, request_id.encode(), frame, _TAIL))
    written = b',"details":' + render_details(details, message_ids(request_id)) if details else b""
    return b"".join((_BEFORE_ID, request_id.encode(), frame, written, b"}", more and b"," + more, b"}"))


def render_links(links: Iterable[Link]) -> bytes:
    """Return a JSON array of Links."""
    return array([b'{"href":%b,"title":%b}' % (quote(link.href), quote(link.title)) for link in links])


def render_details(details: Iterable[Detail], new_id: Callable[[], str]) -> bytes:
    """Return a JSON array of Messages."""
    return array([_detail(detail, new_id()) for detail in details])


def _detail(detail: Detail, message_id: str) -> bytes:
    return render_message(message_id, detail.type, detail.text, field=detail.field, more=detail.more)


def render_message(
    message_id: str,
    kind: str,
    text: str,
    *,
    date: str | None = None,
    field: str | None = None,
    links: Iterable[Link] = (),
    more: dict[str, str] | None = None,
) -> bytes:
    """Return one Message as JSON. `date` ends in Z."""
    written = b'"id":"%b","type":"%b","text":%b' % (message_id.encode(), kind.encode(), quote(text))
    if date:
        written = b'"date":"%b",' % date.encode() + written
    if field is not None:
        written += b',"field":' + quote(field)
    if links:
        written += b',"links":' + render_links(links)
    if more:
        written += b',"more":' + render({name: quote(text) for name, text in more.items()})
    return b"{%b}" % written


def message_ids(request_id: str) -> Callable[[], str]:
    """Return an iterator of ids for the Messages of one reply: UUIDs derived from `request_id`, nothing random.

    They are `request_id` with their number in place of its first eight digits: the others are as unique as it is.
    """
    count, rest = 0, request_id[8:]

    def new_id() -> str:
        nonlocal count
        count += 1
        return f"{count:08x}{rest}"

    return new_id

"""Reads the requests that nearly all clients send, at a fraction of what the parser costs.

A plain request is one that leaves nothing to interpret: a known method, a path, HTTP/1.1, each field once and in the
form `Name: value`, no field that changes how the connection or the body is read, and a body that has arrived whole.
Its Host is valid.
Everything else is for the parser, which decides what it means, or that it means nothing.

Field lines that come again are recognised by their digest, request lines by their bytes, and neither is read again
(`PlainRequestReader`).

Laws: a plain request is read exactly as the parser would have read it, and a recognised one exactly as it was read
before. `tests/properties/test_plain_requests.py` compares them.
"""

import re
from collections.abc import Callable
from hashlib import blake2b
from sys import intern

import msgspec

from gateway.kernel.http.key_scrubbing import SHORTEST_SECRET
from gateway.kernel.http.request_fields import (
    FieldShape,
    HeadFacts,
    HeadForm,
    RequestHeaders,
    RequestLine,
    may_be_remembered,
)
from gateway.kernel.key_format import PREFIX
from gateway.kernel.memo import MANY_CALLERS, Memo

_METHODS = {name.encode(): name for name in ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")}
_PRINTABLE = bytes(range(0x20, 0x7F)) + b"\r\n"
_IN_TARGETS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;=:@/?%"
_HEAD_END = b"\r\n\r\n"
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST_FIELDS = 64
_MOST_DIGITS = 9
_REMEMBERED = 1024
MOST_SEEN = MANY_CALLERS // 2
"""How many sequences of field lines that have come once are remembered, by their digests."""
MOST_SHAPES = 256
"""How many different sequences of field names the remembered lines have: a sequence takes more memory than the rest."""
_LONGEST_HOST = 256
_REMEMBERED_LINES = 8192
_LONGEST_LINE = 256
_MAY_HIDE_A_KEY = re.compile(r"[%;=]|//|" + re.escape(PREFIX))
_BETWEEN_VALUES = re.compile("[&;=?]")
_SALT_BYTES = 32
_NOT_PLAIN = frozenset({
    "expect", "http2-settings", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "tracestate",
    "upgrade",
})  # fmt: skip
"""Fields that change how the connection or the body is read, or what else is forwarded."""
_KEEPS_OPEN = {b"keep-alive": True, b"Keep-Alive": True, b"close": False, b"Close": False}


class PlainRequest(msgspec.Struct, eq=False, gc=False):
    """A plain request. `keep` says whether the connection stays open after it."""

    line: RequestLine
    headers: RequestHeaders
    body: bytes
    keep: bool


class PlainShape(msgspec.Struct, frozen=True, eq=False):
    """Where the fields are that decide how a request is read; -1 for those that are not there."""

    fields: FieldShape
    connection: int
    content_length: int


_shapes: Memo[tuple[bytes, ...], PlainShape] = Memo(_REMEMBERED)


class PlainRequestReader:
    """Reads plain requests with heads of at most `most_bytes`, and recognises lines that were read before.

    Field lines are known by their digest with a salt of `entropy`, so that none of them stays in memory. Lines are
    remembered when they come for the second time: those of many clients differ with each request. Request lines are
    remembered as they are, unless a key may be in them. All that is remembered has a bound in bytes, because strangers
    decide what comes. `is_valid_host` says whether the value of a Host field is valid as it is.
    """

    __slots__ = ("_is_valid_host", "_known", "_lines", "_longest", "_most_bytes", "_salt", "_seen", "_shapes")

    def __init__(self, most_bytes: int, entropy: Callable[[int], bytes], is_valid_host: Callable[[str], bool]) -> None:
        self._most_bytes = most_bytes
        self._longest = most_bytes + len(_HEAD_END)
        self._is_valid_host = is_valid_host
        self._salt = entropy(_SALT_BYTES)
        self._seen: set[bytes] = set()
        self._known: Memo[bytes, HeadFacts] = Memo(MANY_CALLERS)
        self._lines: Memo[bytes, RequestLine] = Memo(_REMEMBERED_LINES)
        self._shapes: set[FieldShape] = set()

    def read(self, data: bytes) -> PlainRequest | None:
        """Return what `plain_request` does, None also when its Host is not valid."""
        first, _, lines = data.partition(b"\r\n")
        body = b""
        if not lines.endswith(_HEAD_END):
            lines, end, body = lines.partition(_HEAD_END)
            lines += end
        digest = blake2b(self._salt + lines).digest()  # without a digest size, which would cost as much as the rest
        facts = self._known.get(digest)
        if facts is None:
            return self._new(data, lines, digest)
        line, key = self._lines.get(first), facts.key_in(lines)
        if line is None or key in line.path:
            line = self._new_line(first, facts, key) if len(data) - len(body) <= self._longest else None
        form = facts.form
        if line is None or len(body) != form.length:
            return None
        return PlainRequest(line, RequestHeaders(form.shape, None, lines, facts), body, form.keeps_open)

    def _new_line(self, first: bytes, facts: HeadFacts, key: str) -> RequestLine | None:
        """Return what `request_line` does, and remember it, without its query, where no key is in it.

        The caller, whose key this is, must be known. Percent-encoded bytes and parameters may contain a key, and a path
        may contain somebody else's, or one that is in the query.
        """
        line = request_line(first)
        if line is None or facts.form.credentials is None or len(first) > _LONGEST_LINE:
            return line
        path = line.path
        if key in path or _MAY_HIDE_A_KEY.search(path) is not None:
            return line
        if line.query:
            before = b"%b %b HTTP/1.1" % (line.method.encode(), path.encode())
            line.alike = self._lines.get(before)
            if line.alike is None and not _may_repeat(line.query, path):
                line.alike = self._kept(before, RequestLine(line.method, path, ""))
            return line
        return self._kept(first, line)

    def _kept(self, first: bytes, line: RequestLine) -> RequestLine:
        line.remembered = True
        return self._lines.keep(first, line)

    def _new(self, data: bytes, lines: bytes, digest: bytes) -> PlainRequest | None:
        """Return what `read` does, and remember what follows from `lines` if they have come before."""
        request = plain_request(data, self._most_bytes)
        if request is not None:
            if not self._is_valid_host(request.headers.get("host") or ""):
                return None
            if lines.index(_HEAD_END) + len(_HEAD_END) < len(lines):  # a body ends like a head, and is among the lines
                return request
            if digest in self._seen:
                self._seen.discard(digest)
                self._remember(request, lines, digest)
            else:
                if len(self._seen) >= MOST_SEEN:
                    self._seen.clear()
                self._seen.add(digest)
        return request

    def _remember(self, request: PlainRequest, lines: bytes, digest: bytes) -> None:
        """Remember what follows from the field lines of `request`, and give it their facts.

        Not if they are so large that a request line that is remembered could exceed the limit before them, and not with
        a `traceparent`, which is another one for each request.
        """
        headers, shape = request.headers, request.headers.shape
        host = headers.get("host") or ""
        if len(lines) + _LONGEST_LINE > self._most_bytes:
            return
        if len(host) > _LONGEST_HOST or not may_be_remembered(shape.names) or "traceparent" in headers:
            return
        if shape not in self._shapes:
            if len(self._shapes) >= MOST_SHAPES:
                self._shapes.clear()
                self._known.clear()
            self._shapes.add(shape)
        form = HeadForm(shape, intern(host), request.keep, len(request.body))
        facts = self._known.keep(digest, HeadFacts(form))
        request.headers = RequestHeaders(shape, headers.values, lines, facts)


def plain_request(data: bytes, most_bytes: int) -> PlainRequest | None:
    """Return the request that `data` is, or None if it is not exactly one plain request.

    Its head has no more than `most_bytes`.
    """
    head, end, body = data.partition(b"\r\n\r\n")
    if not end or len(head) > most_bytes or head.translate(None, _PRINTABLE):
        return None
    start, *lines = head.split(b"\r\n")
    breaks = len(lines)
    if (
        not 0 < breaks <= _MOST_FIELDS
        or head.count(b"\r") != breaks
        or head.count(b"\n") != breaks
        or b":  " in head
        or b" \r\n" in head
        or head[-1:] == b" "
    ):
        return None
    line = request_line(start)
    if line is None:
        return None
    names, separators, values = zip(*[field.partition(b": ") for field in lines], strict=True)
    if separators.count(b": ") != breaks:
        return None
    shape = _shapes.get(names) or _shape_of(names)
    if shape is None:
        return None
    option = values[shape.connection] if shape.connection >= 0 else b"keep-alive"
    if option not in _KEEPS_OPEN:
        return None
    if body or shape.content_length >= 0:
        length = values[shape.content_length] if shape.content_length >= 0 else b"0"
        if not length.isdigit() or len(length) > _MOST_DIGITS or int(length) != len(body):
            return None
    return PlainRequest(line, RequestHeaders(shape.fields, values), body, _KEEPS_OPEN[option])


def request_line(line: bytes) -> RequestLine | None:
    """Return the parts of a request line without its end, None if it is not plain."""
    parts = line.split(b" ")
    if len(parts) != 3 or parts[2] != b"HTTP/1.1":
        return None
    method, target = _METHODS.get(parts[0]), parts[1]
    if method is None or target[:1] != b"/" or target.translate(None, _IN_TARGETS):
        return None
    path, _, query = target.decode().partition("?")
    return RequestLine(method, path, query)


def _may_repeat(query: str, path: str) -> bool:
    """Return whether a value in `query` that may be a key stands in `path`, too."""
    if "%" in query or "+" in query:
        return True
    return any(len(part) >= SHORTEST_SECRET and part in path for part in _BETWEEN_VALUES.split(query))


def _shape_of(names: tuple[bytes, ...]) -> PlainShape | None:
    """Return the shape of a plain request with these fields, or None if such a request is not plain."""
    if not all(map(_NAME.fullmatch, names)):
        return None
    fields = FieldShape.of(names)
    positions = fields.positions
    if len(positions) != len(names) or "host" not in positions or not _NOT_PLAIN.isdisjoint(positions):
        return None
    shape = PlainShape(fields, fields.only("connection"), fields.only("content-length"))
    return _shapes.keep(names, shape) if may_be_remembered(names) else shape

"""The exchange as the upstream gets to see it: safe path, clean fields, who calls, and the body."""

import math
from typing import TypeAlias

from multidict import istr

from gateway.exchange import Exchange, Headers
from gateway.kernel.http.key_scrubbing import contains_secret, secrets_of
from gateway.kernel.http.request_headers import forwarded_prefix
from gateway.net.address import UNIX
from gateway.net.node_names import chain
from gateway.table import Caller, Route
from gateway.upstream.call import BODY_PIECE_BYTES, Body, Call

Field: TypeAlias = tuple[bytes, bytes]

READ_AHEAD_BYTES = 256 * 1024
"""A body up to this size is read before a connection is taken: a slow upload must not hold one. No more of a body is read than that."""

_IF_MATCH, _IF_NONE_MATCH, _RANGE = istr("If-Match"), istr("If-None-Match"), istr("Range")
_TAGGED = frozenset({b"if-match", b"if-none-match", b"if-range"})
_PARTS = frozenset({b"range", b"if-range"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})  # RFC 9110 9.2.2


class Ahead:
    """What all requests of a worker have read ahead, or are about to: at most `most_bytes`. `taken` is how much it is."""

    __slots__ = ("_most_bytes", "taken")

    def __init__(self, most_bytes: float = math.inf) -> None:
        self._most_bytes = most_bytes
        self.taken = 0

    def grow(self, x: Exchange, size: int) -> bool:
        """Whether `x` may hold `size` bytes; it then counts them."""
        taken = self.taken + size - x.ahead
        if taken > self._most_bytes:
            return False
        self.taken, x.ahead = taken, size
        return True

    def give_back(self, x: Exchange) -> None:
        self.taken -= x.ahead
        x.ahead = 0


_UNBOUNDED = Ahead()


class _Resumed:
    """A body whose first part was read ahead."""

    __slots__ = ("_first", "_rest", "length", "received")

    def __init__(self, first: bytes, rest: Body) -> None:
        self._first = first
        self._rest = rest
        self.length = rest.length
        self.received = rest.received

    async def read(self) -> bytes:
        if self._first:
            first, self._first = self._first, b""
            return first
        return await self._rest.read()


async def prepare(x: Exchange, route: Route, caller: Caller, id_field: str, ahead: Ahead = _UNBOUNDED) -> Call:
    """The call that forwards `x`, with as much of its body as `ahead` has room for. Raises what reading that raises."""
    passthrough = route.envelope.mode == "passthrough"
    path = route.upstream_path(x.path)
    return Call(
        x.method.encode(),
        (f"{path}?{x.query}" if x.query else path).encode(),
        route.host,
        _head(x, route, caller, id_field),
        b"" if x.body is None else await _read_ahead(x, x.body, ahead),
        x.method in _IDEMPOTENT,
        0 if passthrough else route.envelope.max_buffer,
        route.connect_timeout_s,
        route.first_byte_timeout_s,
        route.total_timeout_s,
        route.idle_timeout_s,
        route.events_idle_timeout_s,
        False,
        caller.bucket,
        route.envelope.max_buffer,
    )


def _head(x: Exchange, route: Route, caller: Caller, id_field: str) -> bytes:
    about = f"{_forwarded(x, route)}Via: 1.1 gateway\r\n{id_field}: {x.request_id}\r\ntraceparent: {x.traceparent}\r\n"
    if x.certificate_subject:
        about = f"{about}{route.subject_field}: {x.certificate_subject}\r\n"
    return b"".join(
        (
            _kept(x, route),
            about.encode("utf-8", "surrogateescape"),
            caller.head,
            route.request_fields,
        )
    )


def _kept(x: Exchange, route: Route) -> bytes:
    """The header lines of the client that go on."""
    passes = route.request_filter
    kept = [field for field in x.raw_headers if passes[field[0]]]
    if x.withheld:
        kept = [field for field in kept if field[0].lower() not in x.withheld]
    headers = x.headers
    if (_IF_NONE_MATCH in headers or _RANGE in headers or _IF_MATCH in headers) and route.envelope.mode != "passthrough":
        kept = _as_the_service_knows(kept, route, parts=_of_bytes(headers))
    lines = b"".join([b"%b: %b\r\n" % field for field in kept])
    keys = x.header_keys + x.query_keys if x.query_keys else x.header_keys
    if keys and (secrets := secrets_of(keys)) and (contains_secret(lines, secrets) if b"%" in lines else any(map(lines.count, secrets))):
        # a copy in a Referer, a cookie, a header of the client's own
        kept = [field for field in kept if not contains_secret(b"%b: %b" % field, secrets)]
        lines = b"".join([b"%b: %b\r\n" % field for field in kept])
    return lines


def _as_the_service_knows(fields: list[Field], route: Route, *, parts: bool) -> list[Field]:
    """Entity tags that were weakened on their way out, as the service gave them; with `parts` without what asks for a range of bytes.

    A part of a body cannot stand in an envelope: without these fields a service answers with the whole of it.
    """
    known = [(name.lower(), (name, value)) for name, value in fields]
    return [
        (name, route.entity_tags.restored(value)) if lower in _TAGGED else (name, value)
        for lower, (name, value) in known
        if not (parts and lower in _PARTS)
    ]


def _of_bytes(headers: Headers) -> bool:
    """Whether a range is asked for in bytes, or in no unit at all. Other units are a service's own: pages, items."""
    return any(not (unit := value.partition("=")[0].strip().lower()) or unit == "bytes" for value in headers.getall(_RANGE, []))


def _forwarded(x: Exchange, route: Route) -> str:
    """X-Forwarded-* and Forwarded (RFC 7239): what a trusted proxy said is continued, anybody else's is not."""
    named = x.peer != UNIX
    node = (f'"[{x.peer}]"' if ":" in x.peer else x.peer) if named else "unknown"
    own = f'for={node};host="{x.host}";proto={x.scheme}'
    told, host, scheme, more = x.peer if named else "unknown", x.host, x.scheme, route.prefix_field
    if x.trusted_peer:
        get = x.headers.getall
        before = chain(get("X-Forwarded-For", []))
        if named or not before:  # a peer without an address adds nothing to the chain
            before.append(told)
        told = ", ".join(before)
        host = x.headers.get("X-Forwarded-Host") or host
        scheme = x.headers.get("X-Forwarded-Proto") or scheme
        own = ", ".join([*get("Forwarded", []), own])
        prefix = forwarded_prefix(get("X-Forwarded-Prefix", [])) + route.url_mapping.stripped
        port = x.headers.get("X-Forwarded-Port") or ""
        more = f"X-Forwarded-Prefix: {prefix}\r\n" if prefix else ""
        more += f"X-Forwarded-Port: {port}\r\n" if port.isascii() and port.isdecimal() else ""
    lines = f"X-Forwarded-For: {told}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Host: {host}\r\n{more}Forwarded: {own}\r\n"
    if route.unsaid:
        lines = "".join([f"{line}\r\n" for line in lines.split("\r\n")[:-1] if not line.lower().startswith(route.unsaid)])
    return lines


async def _read_ahead(x: Exchange, body: Body, ahead: Ahead) -> bytes | Body:
    """The whole body when it is small, otherwise one that begins with what was read."""
    piece = await body.read()
    if body.length is not None and len(piece) == body.length:
        return piece
    most = READ_AHEAD_BYTES if body.length is None else min(READ_AHEAD_BYTES, body.length)
    small = body.length == most
    pieces, size = [piece], len(piece)
    try:
        while piece and size != body.length:
            if size >= most or not (small or size + BODY_PIECE_BYTES <= most) or not ahead.grow(x, min(size + BODY_PIECE_BYTES, most)):
                return _Resumed(b"".join(pieces), body)
            piece = await body.read()
            pieces.append(piece)
            size += len(piece)
    except BaseException:
        ahead.give_back(x)
        raise
    return b"".join(pieces)

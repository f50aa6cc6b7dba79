"""Makes the request for the upstream: a safe path, clean header fields, the identity of the caller, and the body."""

import math
from itertools import compress
from typing import TypeAlias

from gateway.exchange import Exchange
from gateway.kernel.copies import replace
from gateway.kernel.http.key_scrubbing import contains_secret, secrets_of
from gateway.kernel.http.request_fields import HeadFacts, RequestHeaders
from gateway.kernel.http.request_headers import FieldFilter, forwarded_prefix
from gateway.kernel.memo import Memo
from gateway.net.address import UNIX
from gateway.net.node_names import chain
from gateway.table import Caller, Route
from gateway.upstream.call import BODY_PIECE_BYTES, Body, Call, TimedBody

Field: TypeAlias = tuple[bytes, bytes]

READ_AHEAD_BYTES = 256 * 1024
"""The most bytes of a body that are read before a connection is used, so that slow uploads do not occupy one."""
_OF_LARGE_BYTES = 2 * BODY_PIECE_BYTES
"""The same for a body that is known to be larger: it will not be whole, and a thousand may wait for connections."""

ANSWERED_WITHIN_S = 55.0
"""Clients commonly give up after 60 s, so the time in which a body arrived is taken from the upstream's, unless a route
has more.
"""
SHORTEST_CALL_S = 5.0

_as_line = b"%b: %b\r\n".__mod__
_TAGGED = frozenset({b"if-match", b"if-none-match", b"if-range"})
_PARTS = frozenset({b"range", b"if-range"})
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})  # RFC 9110 9.2.2


_Alike: TypeAlias = tuple[Route, str, str, str, str, bool]
"""Route, method, peer, Host and scheme of calls, and whether the peer is trusted."""
_Template: TypeAlias = tuple[_Alike, Call, bytes]
"""What such calls have in common, and what `_forwarded` returns for all of them, b"" if that differs."""
_templates: Memo[_Alike, _Template] = Memo(2048)


class ReadAhead:
    """The budget in bytes for the bodies that all requests of a worker have read ahead, or are about to.

    At most `most_bytes` are `reserved` at one time. Of each body the first `kept_bytes` are kept to the end of the
    exchange, for what captures failures.
    """

    __slots__ = ("_most_bytes", "kept_bytes", "reserved")

    def __init__(self, most_bytes: float = math.inf) -> None:
        self._most_bytes = most_bytes
        self.reserved = self.kept_bytes = 0

    def reserve(self, x: Exchange, size: int) -> bool:
        """Return whether `x` may read ahead `size` bytes in all. If it may, they are reserved."""
        reserved = self.reserved + size - x.read_ahead
        if reserved > self._most_bytes:
            return False
        self.reserved, x.read_ahead = reserved, size
        return True

    def release(self, x: Exchange) -> None:
        """Release all that `x` has reserved."""
        self.reserved -= x.read_ahead
        x.read_ahead = 0


class _Resumed:
    """A body whose first part was read ahead."""

    __slots__ = ("_rest", "first", "length", "received")

    def __init__(self, first: bytes, rest: Body) -> None:
        self.first = first
        self._rest = rest
        self.length = rest.length
        self.received = rest.received

    async def read(self) -> bytes:
        if self.first:
            first, self.first = self.first, b""
            return first
        return await self._rest.read()


def prepare(x: Exchange, route: Route, caller: Caller, id_field: str, body: bytes | Body = b"") -> Call:
    """Return the call that forwards `x`, with its `body` as `read_body` has returned it."""
    line = x.line
    alike = (route, x.method, x.peer, x.host, x.scheme, x.trusted_peer)
    template: _Template | None = None if line is None else line.call
    if template is None or template[0] != alike:
        template = _templates.get(alike) or _templates.keep(alike, _template(x, route, alike))
        if line is not None:
            line.call = template
    _, common, forwarded = template
    call: Call = common.__copy__()  # type: ignore[attr-defined]  # of every Struct; `copy.copy` takes five times as long
    call.path = (line is not None and line.route is route and not x.query and line.target) or _target(x, route)
    ids = f"{id_field}: {x.request_id}\r\ntraceparent: {x.traceparent}\r\n".encode()
    if x.certificate_subject:
        ids += f"{route.subject_field}: {x.certificate_subject}\r\n".encode("utf-8", "surrogateescape")
    headers = x.headers
    facts = headers.facts
    form = None if facts is None else facts.form
    if form is None or form.filter is not route.request_filter or x.query_keys:
        kept = _kept(x, route)
    else:
        kept = headers.lines[form.kept_at : form.kept_end]
        for at, end in form.kept_apart:  # of the few fields that facts are known of
            kept += headers.lines[at:end]
    call.head = (kept, forwarded or _forwarded(x, route), ids, caller.head, route.request_fields)
    call.caller = caller.bucket
    if not body:
        return call
    if not isinstance(body, bytes):
        return replace(call, body=body)  # see `Call`
    call.body = body
    return call


def _template(x: Exchange, route: Route, alike: _Alike) -> _Template:
    method, envelope = x.method, route.envelope
    call = Call(
        method=method.encode(),
        path=b"",
        host=route.host,
        head=(),
        body=b"",
        idempotent=method in _IDEMPOTENT,
        buffer_bytes=0 if envelope.mode == "passthrough" else envelope.max_buffer,
        connect_timeout_s=route.connect_timeout_s,
        first_byte_timeout_s=route.first_byte_timeout_s,
        total_timeout_s=route.total_timeout_s,
        idle_timeout_s=route.idle_timeout_s,
        events_idle_timeout_s=route.events_idle_timeout_s,
        read_ahead_bytes=envelope.max_buffer,
    )
    return alike, call, b"" if x.trusted_peer else _forwarded(x, route)


def _target(x: Exchange, route: Route) -> bytes:
    """Return the request target for the upstream, and remember it with the request line."""
    path = route.upstream_path(x.path)
    target = (f"{path}?{x.query}" if x.query else path).encode()
    if x.line is not None and x.line.route is route and not x.query:
        x.line.target = target
    return target


def _kept(x: Exchange, route: Route) -> bytes:
    """Return the header lines of the client that are forwarded."""
    headers = x.headers
    facts = headers.facts
    if facts is not None and not x.query_keys and not headers.shape.conditional and not x.withheld:
        _note_facts(facts, x, route.request_filter)
    shape = headers.shape
    kept = [*compress(zip(shape.names, headers.values, strict=True), route.request_filter.selection(shape))]
    if x.withheld:
        kept = [field for field in kept if field[0].lower() not in x.withheld]
    if shape.conditional and route.envelope.mode != "passthrough":
        kept = _with_service_tags(kept, route, parts=_asks_for_bytes(headers))
    lines = b"".join(map(_as_line, kept))
    keys = x.keys
    if (
        keys
        and (secrets := secrets_of(keys))
        and (contains_secret(lines, secrets) if b"%" in lines else any(map(lines.count, secrets)))
    ):
        # A copy may stand in a Referer, in a cookie or in a header of the client's own.
        kept = [field for field in kept if not contains_secret(b"%b: %b" % field, secrets)]
        lines = b"".join(map(_as_line, kept))
    return lines


def _note_facts(facts: HeadFacts, x: Exchange, request_filter: FieldFilter) -> None:
    """Note which of the field lines are forwarded, for the next request that has them."""
    lines, secrets = x.headers.lines, secrets_of(x.keys)
    kept: list[tuple[int, int]] = []
    for passes, (at, end) in zip(request_filter.selection(x.headers.shape), x.headers.line_bounds(), strict=True):
        if passes and not (secrets and contains_secret(lines[at:end], secrets)):
            kept.append((kept.pop()[0] if kept and kept[-1][1] == at else at, end))
    (kept_at, kept_end), *apart = kept or [(0, 0)]
    facts.note(filter=request_filter, kept_at=kept_at, kept_end=kept_end, kept_apart=tuple(apart))


def _with_service_tags(fields: list[Field], route: Route, *, parts: bool) -> list[Field]:
    """Return `fields` with the entity tags as the service issued them. They were weakened in the reply.

    With `parts`, fields that ask for a range of bytes are left out: a part of a body cannot stand in an envelope, and
    without these fields a service answers with the whole body.
    """
    named = [(name.lower(), (name, value)) for name, value in fields]
    return [
        (name, route.entity_tags.restored(value)) if lower in _TAGGED else (name, value)
        for lower, (name, value) in named
        if not (parts and lower in _PARTS)
    ]


def _asks_for_bytes(headers: RequestHeaders) -> bool:
    """Return whether a range is in bytes, or has no unit.

    Other units, such as pages or items, are defined by the service.
    """
    units = [value.partition("=")[0].strip().lower() for value in headers.getall("Range", [])]
    return "" in units or "bytes" in units


def _forwarded(x: Exchange, route: Route) -> bytes:
    """Return X-Forwarded-* and Forwarded (RFC 7239), and Via.

    Values of a trusted proxy are continued, all others are replaced: only for a trusted one this depends on the fields.
    """
    named = x.peer != UNIX
    node = (f'"[{x.peer}]"' if ":" in x.peer else x.peer) if named else "unknown"
    own = f'for={node};host="{x.host}";proto={x.scheme}'
    address, host, scheme, more = x.peer if named else "unknown", x.host, x.scheme, route.prefix_field
    if x.trusted_peer:
        get = x.headers.getall
        before = chain(get("X-Forwarded-For", []))
        if named or not before:  # a peer without an address adds nothing to the chain
            before.append(address)
        address = ", ".join(before)
        host = x.headers.get("X-Forwarded-Host") or host
        scheme = x.headers.get("X-Forwarded-Proto") or scheme
        own = ", ".join([*get("Forwarded", []), own])
        prefix = forwarded_prefix(get("X-Forwarded-Prefix", [])) + route.url_mapping.stripped
        port = x.headers.get("X-Forwarded-Port") or ""
        more = f"X-Forwarded-Prefix: {prefix}\r\n" if prefix else ""
        more += f"X-Forwarded-Port: {port}\r\n" if port.isascii() and port.isdecimal() else ""
    lines = (
        f"X-Forwarded-For: {address}\r\nX-Forwarded-Proto: {scheme}\r\nX-Forwarded-Host: "
        f"{host}\r\n{more}Forwarded: {own}\r\n"
    )
    if route.unsaid:
        lines = "".join(
            [f"{line}\r\n" for line in lines.split("\r\n")[:-1] if not line.lower().startswith(route.unsaid)]
        )
    return f"{lines}Via: 1.1 gateway\r\n".encode("utf-8", "surrogateescape")


def whole_body(x: Exchange, body: TimedBody, read_ahead: ReadAhead) -> bytes | None:
    """Return what `read_body` does if that needs no wait, None otherwise. Raises what `Body.read` raises."""
    found = body.take_whole()
    if found is not None and read_ahead.kept_bytes:
        x.body_start = found[: read_ahead.kept_bytes]
    return found


async def read_body(x: Exchange, body: TimedBody, read_ahead: ReadAhead) -> bytes | Body:
    """Return the whole body when it is small, otherwise a Body that begins with the part that was read.

    Not more is read than `read_ahead` allows. Raises what `Body.read` raises.
    """
    whole = whole_body(x, body, read_ahead)
    if whole is not None:
        return whole
    try:
        found = await _read_body(x, body, read_ahead)
    finally:
        x.client_s = body.waited_s
    if read_ahead.kept_bytes:
        x.body_start = (found.first if isinstance(found, _Resumed) else found)[: read_ahead.kept_bytes]
    return found


async def _read_body(x: Exchange, body: Body, read_ahead: ReadAhead) -> "bytes | _Resumed":
    piece = await body.read()
    if body.length is not None and len(piece) == body.length:
        return piece
    small = body.length is not None and body.length <= READ_AHEAD_BYTES
    most = READ_AHEAD_BYTES if body.length is None else body.length if small else _OF_LARGE_BYTES
    pieces, size = [piece], len(piece)
    try:
        while piece and size != body.length:
            next_size = min(size + BODY_PIECE_BYTES, most)
            if size >= most or not (small or size + BODY_PIECE_BYTES <= most) or not read_ahead.reserve(x, next_size):
                return _Resumed(b"".join(pieces), body)
            piece = await body.read()
            pieces.append(piece)
            size += len(piece)
    except BaseException:
        read_ahead.release(x)
        raise
    return b"".join(pieces)


def shorten_timeout(call: Call, spent_s: float) -> None:
    """Keep to ANSWERED_WITHIN_S, of which `spent_s` have passed."""
    if call.total_timeout_s <= ANSWERED_WITHIN_S < call.total_timeout_s + spent_s:
        call.total_timeout_s = max(SHORTEST_CALL_S, ANSWERED_WITHIN_S - spent_s)

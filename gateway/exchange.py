"""Exchange and Reply: one request of a client and the answer to it."""

from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, Literal, TypeAlias

import msgspec

from gateway.kernel.faults import GatewayError
from gateway.kernel.http.compression import Coding
from gateway.kernel.http.request_fields import RawField, RequestHeaders, RequestLine
from gateway.kernel.http.request_headers import forwarded_prefix
from gateway.kernel.http.response_headers import as_lines
from gateway.kernel.limits.quota import Reservation
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.kernel.struct_attributes import set_as_slots
from gateway.observe.exchange_series import ExchangeSeries
from gateway.table import Caller, Route
from gateway.table.public_urls import PublicOrigin, public_origin
from gateway.upstream.call import Answer, Call, Stream, TimedBody

Outcome: TypeAlias = Literal["answered", "abandoned", "cut", "opened"]
"""The end of an exchange: a whole reply, a client that left before its end, or a reply that broke off.

A tunnel that is `opened` has not ended.
"""
ReplySource: TypeAlias = Literal["gateway", "upstream"]


class Coded(msgspec.Struct):
    """The bytes of a reply's body before and after it was compressed, as far as it was sent."""

    coding: Coding
    plain_bytes: int
    coded_bytes: int

    @property
    def saved_bytes(self) -> int:
        """By how many bytes the body has become shorter, 0 if it has not."""
        return max(0, self.plain_bytes - self.coded_bytes)


CacheResult: TypeAlias = Literal["hit", "stale", "revalidated", "collapsed", "miss", "pass", "bypass"]
"""How the cache of a route took part: with a reply that was kept (fresh, or stale and allowed to be), with one that the
service has confirmed, with the answer to another client's call, with a call of its own, with one whose reply nobody
else may get, or not at all.
"""


class CacheUse(msgspec.Struct):
    """What the cache has done for an exchange. `marks` are those of the reply, as in `Answer`; `age_s` its age.

    `no_transform`: the service forbids to code the reply.
    """

    result: CacheResult
    age_s: float = 0.0
    marks: int = 0
    no_transform: bool = False

    @property
    def has_saved(self) -> bool:
        """Whether the body of the reply did not come from the service for this exchange."""
        return self.result in ("hit", "stale", "revalidated", "collapsed")


@set_as_slots
class Exchange(msgspec.Struct):
    """One request. The stages fill its fields from top to bottom.

    `path` and `query` are as the client sent them (ASCII, the query without "?"). `peer` is the address that connected,
    and `client` the address that it forwards for, which is the same unless the peer is a trusted proxy. `withheld`
    holds names of fields (in lower case) that this request forbids to forward. `upgrade`: it is the handshake of a
    WebSocket. `head_error` is the reason why the edge rejects the request. `certificate_subject` is that of the client
    certificate that was verified (RFC 4514), "" without one. `line` is its request line where that is remembered: then
    there is nothing in it that may be a key of the client. None otherwise.

    `near` is a route for the path of a request whose method no route has. `header_keys` and `query_keys` are the
    secrets of the request, for identify and, as `keys`, for scrubbing only; those of header fields are None as long as
    they were not taken from its lines. `reservation` has to be settled when the exchange ends;
    it is None when nothing has been reserved. `peeked` says that `decision` was made at no cost. `call` is what is sent
    to the upstream.

    All durations are in seconds, and `started` is a reading of the monotonic clock. `client_s` is the time spent
    waiting for the client: for its body until the upstream answered, and until it had received most of the reply.
    `upstream_s` is the time spent waiting for the upstream: for its answer, and for the rest of an answer that is
    streamed.

    `ended` is the reason why the gateway itself gives the exchange up; it is set before the task is cancelled.
    `sent_bytes` counts the bytes of the reply's body that were sent, also when it broke off; the connection keeps it up
    to date. `read_ahead` is the number of bytes of its body that count against the budget of bodies read ahead.
    `coded` is None when the gateway has not compressed the reply, `cache` when its route has no cache.
    `idempotency` says of a call with an idempotency key whether it is the first one, or got the reply to that.
    `tunnel`: it has become a tunnel, which is open until the exchange ends.
    `request_faults` counts what is wrong with it by the contract of its route.
    `decided` is when the limiter had answered, and `called` when the call to the upstream began: readings of the
    monotonic clock, 0 if that has not happened. `span_id` is that of the exported span of this exchange, None without
    one; the span of the call has the id in `traceparent`. `body_start` is the start of its body, as far as it was
    in memory, where that may be captured.
    """

    request_id: str
    started: float
    method: str
    path: str
    query: str
    headers: RequestHeaders
    body: TimedBody | None
    peer: str
    client: str
    scheme: str
    host: str
    traceparent: str
    trace_id: str
    trusted_peer: bool = False
    certificate_subject: str = ""
    line: RequestLine | None = None
    withheld: frozenset[bytes] = frozenset()
    upgrade: bool = False
    head_error: GatewayError | None = None

    route: Route | None = None
    near: Route | None = None
    caller: Caller | None = None
    header_keys: list[str] | None = None
    query_keys: list[str] = []
    claim: Claim | None = None
    decision: Decision | None = None
    reservation: Reservation | None = None
    limiter_s: float = 0.0
    call: Call | None = None
    answer: Answer | None = None
    peeked: bool = False
    upstream_s: float = 0.0
    client_s: float = 0.0
    ended: GatewayError | None = None
    error: GatewayError | None = None
    reply: "Reply | None" = None
    sent_bytes: int = 0
    outcome: Outcome = "answered"
    read_ahead: int = 0
    coded: Coded | None = None
    tunnel: bool = False
    cache: CacheUse | None = None
    idempotency: Literal["first", "replayed"] | None = None
    request_faults: int = 0
    decided: float = 0.0
    called: float = 0.0
    span_id: str | None = None
    body_start: bytes | None = None

    @property
    def keys(self) -> list[str]:
        """The secrets of the request: those of header fields, then those of the query."""
        if self.header_keys is None:
            self.header_keys = self.headers.known_keys()
        return [*self.header_keys, *self.query_keys]

    def replace_fields(self, fields: list[RawField]) -> None:
        """Give it other header fields than those of the client. Its keys stay the same."""
        self.header_keys = self.header_keys or self.headers.known_keys()
        self.headers = RequestHeaders.of(fields)

    @property
    def shows_key(self) -> bool:
        """Whether the client says who it is, by a key or a certificate."""
        return any(self.keys) or self.certificate_subject != ""

    @property
    def is_open(self) -> bool:
        """Whether it has a route that the client's address is the caller of."""
        route = self.route
        return route is not None and route.open and (route.document is None or not self.shows_key)

    def public_origin(self) -> PublicOrigin:
        """Return the origin that the client has called, as a trusted proxy or else the request names it."""
        if not self.trusted_peer:
            return public_origin(self.scheme, self.host)
        first = {
            name: (self.headers.get(f"X-Forwarded-{name}") or "").partition(",")[0].strip()
            for name in ("Proto", "Host", "Port")
        }
        prefix = forwarded_prefix(self.headers.getall("X-Forwarded-Prefix", []))
        return public_origin(self.scheme, self.host, first["Proto"], first["Host"], first["Port"], prefix)

    def __repr__(self) -> str:
        """Leave out the header fields and the query, which may contain keys."""
        return f"<Exchange {self.request_id} {self.method} {self.route.id if self.route else '-'}>"


@set_as_slots
class Reply(msgspec.Struct):
    """The answer to the client.

    `fields` are the header lines as `(name, value)` in Latin-1, without Content-Length, Transfer-Encoding and
    Connection, which the edge decides. The body consists of `body`, then `content` or the stream, then `tail`;
    `content` is large and never copied. `length` is the length of the whole body in bytes; it may be None with a
    stream, when it is not known. `code` is the contract's error code, 0 for a success. `source` says who made the
    status. `close` ends the connection afterwards. `upstream_request_id` is the id that the backend gave to the
    exchange, for the log. `text` are header lines before `fields`, with CR and LF, where no stage looks at them any
    more.
    """

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    code: int = 0
    source: ReplySource = "gateway"
    stream: Stream | None = None
    tail: bytes = b""
    length: int | None = None
    close: bool = False
    upstream_request_id: str | None = None
    content: bytes = b""
    text: str = ""

    def all_fields(self) -> list[tuple[str, str]]:
        """Return the header lines as fields, those of `text` too, so that they can be looked at. `text` is "" then."""
        if self.text:
            self.fields = [*as_lines(self.text), *self.fields]
            self.text = ""
        return self.fields


class SentBytes(msgspec.Struct, eq=False, gc=False):
    """A number of bytes that is known already. It may be awaited like one that is not, and need not be."""

    count: int

    def __await__(self) -> Generator[Any, None, int]:
        """Return the number without a wait."""
        yield from ()
        return self.count


Send: TypeAlias = Callable[[Reply], Awaitable[int]]
"""Writes a reply to the client and returns the bytes of body sent. Raises ConnectionError when the client has left.

When it raises, the exchange holds the number of bytes sent and the time spent waiting for the client.
"""

ServeExchange: TypeAlias = Callable[[Exchange, Send], Coroutine[Any, Any, None]]
"""Answers an exchange through `Send`, whatever happens."""

ShowPath: TypeAlias = Callable[[Exchange], str | None]
"""Returns the path of an exchange, or None when it may contain a key."""

ExportSpans: TypeAlias = Callable[[Exchange, int, float, ShowPath], str | None]
"""Exports spans of an exchange, given its status and its duration in seconds. Returns the id of that of the request.

None if nothing is exported.
"""

CaptureFailure: TypeAlias = Callable[[Exchange, int, ShowPath], None]
"""Captures an exchange that has failed if it is one of those that are asked for, given its status."""

CountUsage: TypeAlias = Callable[[Exchange, int], None]
"""Counts an exchange that has ended in the usage of its caller, given its status."""

CountActivity: TypeAlias = Callable[[Exchange, ExchangeSeries, float, float], None]
"""Counts an exchange that has ended for the history, given its series, its duration and the gateway's part, in seconds.
"""

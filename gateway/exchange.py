"""Exchange and Reply: one request from a client and what it is answered."""

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import msgspec

from gateway.kernel.faults import GatewayError
from gateway.kernel.http.request_headers import forwarded_prefix
from gateway.kernel.limits.quota import Reservation
from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.table import Caller, Route
from gateway.table.public_urls import PublicOrigin, public_origin
from gateway.upstream.call import Answer, Call, Stream, TimedBody


class Headers(Protocol):
    """Request header fields, looked up without regard to case."""

    def get(self, name: str, /) -> str | None: ...
    def getall(self, name: str, default: list[str], /) -> list[str]: ...
    def __contains__(self, name: object, /) -> bool: ...


class Exchange(msgspec.Struct):
    """One request, filled from top to bottom during its life.

    `path` and `query` are as the client spelled them (ASCII, the query without "?"). `raw_headers` are the field
    lines as received. `peer` is the address that connected, `client` the one it speaks for (the same, unless the
    peer is a trusted proxy). `head_error` is why the edge refused the request before anybody looked at it.
    `withheld` names fields (in lower case) that this one request forbids to pass on.
    `header_keys` and `query_keys` are the secrets that came with it: for identify and for scrubbing, nobody else.
    `ended` is why the gateway itself gives the exchange up, set before its task is cancelled.
    `certificate_subject` is what the client has proved to be by its certificate (RFC 4514), "" without one.
    `near` is a route for the path of a request whose method none has.
    `hold` is what has to be told how the exchange ends, None when nothing has. `looked` says that `decision` was only
    looked up, at no cost. `call` is what goes to the upstream. `client_s` is what waiting for the client took: for its body
    until the upstream answered, and until it had taken what was written of the reply. `upstream_s` is what waiting for the
    upstream took: for its answer, and for the rest of one that is streamed. `sent_bytes` is what was sent of the reply's body,
    however it ended: `send` keeps it up to date.
    `ahead` is how many bytes of its body are counted as read ahead.
    `started` is a reading of the monotonic clock; durations are in seconds.
    """

    request_id: str
    started: float
    method: str
    path: str
    query: str
    headers: Headers
    raw_headers: tuple[tuple[bytes, bytes], ...]
    body: TimedBody | None
    peer: str
    client: str
    scheme: str
    host: str
    traceparent: str
    trace_id: str
    trusted_peer: bool = False
    withheld: frozenset[bytes] = frozenset()
    head_error: GatewayError | None = None
    certificate_subject: str = ""

    route: Route | None = None
    near: Route | None = None
    caller: Caller | None = None
    header_keys: list[str] = []
    query_keys: list[str] = []
    claim: Claim | None = None
    decision: Decision | None = None
    hold: Reservation | None = None
    limiter_s: float = 0.0
    call: Call | None = None
    answer: Answer | None = None
    looked: bool = False
    upstream_s: float = 0.0
    client_s: float = 0.0
    ended: GatewayError | None = None
    error: GatewayError | None = None
    reply: "Reply | None" = None
    sent_bytes: int = 0
    outcome: str = "answered"
    ahead: int = 0

    def public_origin(self) -> PublicOrigin:
        """What the client has called: as trusted proxies tell it, or as the request does."""
        if not self.trusted_peer:
            return public_origin(self.scheme, self.host)
        first = {name: (self.headers.get(f"X-Forwarded-{name}") or "").partition(",")[0].strip() for name in ("Proto", "Host", "Port")}
        prefix = forwarded_prefix(self.headers.getall("X-Forwarded-Prefix", []))
        return public_origin(self.scheme, self.host, first["Proto"], first["Host"], first["Port"], prefix)

    def __repr__(self) -> str:
        """Without header fields and query: keys stand there."""
        return f"<Exchange {self.request_id} {self.method} {self.route.id if self.route else '-'}>"


class Reply(msgspec.Struct):
    """What goes back to the client.

    `fields` are complete header lines but for Content-Length, Transfer-Encoding and Connection, which the edge
    decides: `(name, value)` in Latin-1. The body is `body`, then `content` or the stream, then `tail`; `length` is the length of
    all that in bytes when it is known, and always with `content`, which is large and never copied. `code` is the contract's code, 0
    for a success.
    `source` says who made the status: "gateway" or "upstream". `close` ends the connection afterwards.
    `upstream_request_id` is the id that the backend gave the exchange, for the log.
    """

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    code: int = 0
    source: str = "gateway"
    stream: Stream | None = None
    tail: bytes = b""
    length: int | None = None
    close: bool = False
    upstream_request_id: str | None = None
    content: bytes = b""


Send: TypeAlias = Callable[[Reply], Awaitable[int]]
"""Writes a reply to the client; returns the bytes of body sent. Raises ConnectionError when the client is gone.

One that raises has told the exchange how many there were, and how long the client was waited for."""

"""What goes to an upstream and what comes back."""

from typing import Protocol

import msgspec

Fields = list[tuple[bytes, bytes]]
"""Header fields in the order of the wire: names as written there, values without surrounding white space."""


BODY_PIECE_BYTES = 64 * 1024
"""No piece of a request's body is larger."""


class Body(Protocol):
    """A request body that arrives from a client."""

    length: int | None
    """In bytes, as announced; None when the client sends chunks."""
    received: int
    """Bytes read so far."""

    async def read(self) -> bytes:
        """The next piece, b"" at the end. The first call tells a client that waits for it to go on (100-continue).

        Raises GatewayError: BODY_TOO_LARGE, REQUEST_TIMEOUT or MALFORMED_REQUEST.
        """
        ...


class TimedBody(Body, Protocol):
    """One that knows how long its client was waited for."""

    waited_s: float
    """In all."""


class Stream(Protocol):
    """The part of a reply's body that had not arrived when its `Answer` was made. `unread` counts bytes that are here."""

    @property
    def unread(self) -> int: ...

    async def read(self) -> bytes:
        """The next piece, b"" at the end. Not reading holds the upstream back.

        Raises GatewayError when the body breaks off, breaks its framing or takes too long.
        """
        ...

    def close(self) -> None:
        """Give up the rest. The connection is closed. After the end this does nothing."""
        ...


class UpstreamStream(Stream, Protocol):
    """One that comes from an upstream, and knows who waited for whom."""

    held_s: float
    """For how long, in all, the service was held back because the reader did not read."""
    waited_s: float
    """What its reader has waited for the service, in all."""


class Call(msgspec.Struct):
    """One request to an upstream.

    `path` is what the request line asks for, query included, before a target puts its own path in front: "" or "?…" is all
    of that. `host` is a complete Host line, b"" for the target's own. `head` are the other header lines but for the framing
    of the body, `body` is either the whole of it or a Body that is passed on as it arrives. `idempotent` says that the
    method may be sent twice. `buffer_bytes` is how much of the reply to wait for before `send` returns: 0 returns with the
    head, and so do types that are never buffered (events, binary data). `taken_bytes` is how much of a reply the service may be rid
    of before the client takes it. `caller` is who holds a connection meanwhile. Time-outs in seconds: `first_byte` until the head of
    the reply, `total` until the end of a reply that is waited for as a whole. One that is streamed ends when the service is silent for
    `idle_timeout_s`, or `events_idle_timeout_s` if it is a stream of events. `handed` says that some target was
    given it, or a part of it.
    """

    method: bytes
    path: bytes
    host: bytes
    head: bytes
    body: bytes | Body
    idempotent: bool
    buffer_bytes: int
    connect_timeout_s: float
    first_byte_timeout_s: float
    total_timeout_s: float
    idle_timeout_s: float
    events_idle_timeout_s: float
    handed: bool = False
    caller: str = ""
    taken_bytes: int = 0


class Answer(msgspec.Struct):
    """One reply of an upstream, cleanly framed as far as it has come.

    `fields` have lower-case names. `body` is what had arrived of it; `stream` is None when that is all.
    `length` is the announced length in bytes, None when the reply is chunked or ends with the connection.
    `target` names the address that answered, for the log. `marks` are what `response_fields` found in `fields`.
    """

    status: int
    fields: Fields
    body: bytes
    stream: UpstreamStream | None
    length: int | None
    target: str
    marks: int = 0


class Observer(Protocol):
    """Is told what cannot be seen in an answer."""

    def connected(self) -> None:
        """A new connection was made."""
        ...

    def retried(self) -> None:
        """A call was sent again, because its connection had ended unnoticed."""
        ...

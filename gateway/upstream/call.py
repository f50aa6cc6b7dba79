"""The types of a request to an upstream and of its answer."""

from typing import Protocol

import msgspec

from gateway.kernel.struct_attributes import set_as_slots
from gateway.kernel.traffic.retry import RetryBudget, RetryRules

Fields = list[tuple[bytes, bytes]]
"""Header fields in the order in which they were received.

Names keep their case, values have no surrounding white space.
"""


BODY_PIECE_BYTES = 64 * 1024
"""The largest piece that `Body.read` returns."""


class Body(Protocol):
    """A request body that arrives from a client."""

    received: int
    """The number of bytes read so far."""

    @property
    def length(self) -> int | None:
        """The announced length in bytes; None when the client sends chunks."""
        ...

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end. The first call sends "100 Continue" to a client that waits for it.

        Raises GatewayError: BODY_TOO_LARGE, REQUEST_TIMEOUT or MALFORMED_REQUEST.
        """
        ...


class TimedBody(Body, Protocol):
    """A body that measures how long its client was waited for."""

    waited_s: float
    """The total of all waits in seconds."""

    def take_whole(self) -> bytes | None:
        """Return all of it if it is small, has arrived and nothing was read yet, else None. Raises what `read` does."""
        ...


class Stream(Protocol):
    """The part of an answer's body that had not arrived when its `Answer` was made. `unread` counts received bytes."""

    @property
    def unread(self) -> int: ...

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end. A reader that does not read slows the upstream down.

        Raises GatewayError when the body breaks off, breaks its framing or takes too long.
        """
        ...

    def close(self) -> None:
        """Discard the rest and close the connection. After the end of the body this does nothing."""
        ...


class UpstreamStream(Stream, Protocol):
    """A stream from an upstream, which measures the waits on both sides."""

    held_s: float
    """The seconds in total for which the service could not send because the reader did not read."""
    waited_s: float
    """The seconds in total for which the reader has waited for the service."""


class Resend(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One more attempt of a call: when it began (monotonic clock) and why: the name of a fault, or a status."""

    at: float
    reason: str


@set_as_slots
class Call(msgspec.Struct):
    """One request to an upstream.

    `path` is the request target with its query; a target puts its own path in front. It is "" or "?…" where that own
    path is all. `host` is a complete Host line, b"" for the target's own. `head` are the other header lines without the
    framing of the body, in parts that are joined when they are sent. `body` is either complete or a Body that is passed
    on while it arrives. `idempotent`: the method allows that the request is sent twice. `buffer_bytes` is how much of
    the answer's body to wait for before `send` returns: with 0 it returns after the head, as it does for types that are
    never buffered (events, binary data). `read_ahead_bytes` is how much of an answer's body is received before the
    client reads it. `caller` owns the connection during the call. Time-outs are in seconds: `first_byte` until the head
    of the answer, `total` until the end of an answer that is buffered. An answer that is streamed ends when the service
    is silent for `idle_timeout_s`, a stream of events after `events_idle_timeout_s`. `handed`: a target was sent the
    request, or a part of it. `affinity` is a hash of what keeps calls together on one target, 0 for nothing. `priority`
    is that of the caller, higher before lower. `upstream` is the id of the one that was chosen among several, ""
    without a choice. `resends` is how often it may still be sent again, and `budget` bounds that together with other
    calls; None does not. `retry` is what its route has in place of the upstream's policy, None for nothing. `resent`
    are the attempts after the first one that the upstream has chosen a target for. `hedge` is what became of a second
    attempt that was made because the first one was slow, None without one.
    `upgrade_mask` makes it the handshake of a WebSocket: four unpredictable bytes for a frame of the gateway's own.

    A call that forwards a Body is made with it, so that the garbage collector knows the call (see `set_as_slots`).
    """

    method: bytes
    path: bytes
    host: bytes
    head: tuple[bytes, ...]
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
    read_ahead_bytes: int = 0
    affinity: int = 0
    priority: int = 0
    upstream: str = ""
    resends: int = 1
    budget: RetryBudget | None = None
    upgrade_mask: bytes = b""
    retry: RetryRules | None = None
    resent: tuple[Resend, ...] = ()
    hedge: str | None = None

    def take_resend(self) -> bool:
        """Return whether it may be sent again, which then counts."""
        if not self.resends or (self.budget is not None and not self.budget.take()):
            return False
        self.resends -= 1
        return True


def line_value(head: tuple[bytes, ...], name: bytes) -> str:
    """Return the value of the line `name` in the `head` of a call, "" if there is none."""
    lines = b"".join([b"\r\n", *head])
    return lines.partition(b"\r\n%b: " % name)[2].partition(b"\r\n")[0].decode("latin-1")


@set_as_slots
class Answer(msgspec.Struct):
    """The answer of an upstream, with valid framing as far as it has arrived.

    `fields` have lower-case names. `body` is what has arrived of it; `stream` is None when the body is complete.
    `length` is the announced length in bytes, None when the body is chunked or ends with the connection. `target` is
    the address that answered, for the log. `marks` are what `screen` of kernel/http/response_headers found in `fields`.
    `known`: other answers of this `status` share `fields`, so it is never changed. Such an answer is complete, and not
    to a HEAD.
    """

    status: int
    fields: Fields
    body: bytes
    stream: UpstreamStream | None
    length: int | None
    target: str
    marks: int = 0
    known: bool = False


class RetryObserver(Protocol):
    """Is notified of retries, which do not show in an answer."""

    def retried(self) -> None:
        """Note that a call was sent again, on another connection or to another target."""
        ...

    def not_retried(self) -> None:
        """Note that a call was not sent again, because the budget for that is spent."""
        ...

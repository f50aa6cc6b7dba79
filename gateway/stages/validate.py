"""Checks a request against what its route says about requests, before anything of it reaches the service.

The rate limits have been charged by then. What the call took from quotas is given back with the error, as with every
reply of 400 or more.
"""

from typing import Protocol

from gateway.exchange import Exchange
from gateway.kernel.faults import BODIES_FULL, BODY_TOO_LARGE, Detail, GatewayError
from gateway.kernel.http.key_scrubbing import contains_secret, secrets_of
from gateway.kernel.units import format_size
from gateway.net.loop_budget import LARGE_BYTES, LoopBudget
from gateway.openapi.request_contract import RequestContract
from gateway.upstream.call import BODY_PIECE_BYTES, TimedBody

_REPLACED = "***"


class BodyBudget(Protocol):
    """The budget in bytes for bodies that are read before they are passed on."""

    kept_bytes: int
    """How much of the start of each is kept for what captures failures."""

    def reserve(self, x: Exchange, size: int, /) -> bool:
        """Return whether `x` may read `size` bytes in all. If it may, they are reserved."""
        ...

    def release(self, x: Exchange, /) -> None:
        """Give back all that `x` has reserved."""
        ...


class ReadBody:
    """A body, or its beginning, that has been read to be checked. It is passed on as it came."""

    __slots__ = ("_first", "_rest", "length", "received", "waited_s")

    def __init__(self, first: bytes, body: TimedBody, *, whole: bool) -> None:
        self._first = first
        self._rest = None if whole else body
        self.length = len(first) if whole else body.length
        self.received = body.received
        self.waited_s = body.waited_s

    def take_whole(self) -> bytes | None:
        """See `TimedBody.take_whole`: it is read in pieces."""
        return None

    async def read(self) -> bytes:
        """Return the next piece, b"" at the end. Raises what the client's body raises."""
        if self._first:
            first, self._first = self._first, b""
            return first
        if self._rest is None:
            return b""
        try:
            return await self._rest.read()
        finally:
            self.received, self.waited_s = self._rest.received, self._rest.waited_s


async def validate(x: Exchange, contract: RequestContract, read_ahead: BodyBudget, budget: LoopBudget) -> None:
    """Check `x`. With a contract in shadow mode, count what is wrong and let it through.

    Raises GatewayError for a request that is not as the contract says, and what reading its body raises.
    """
    if x.method not in contract.methods:
        return
    error = await _error_of(x, contract, read_ahead, budget)
    if error is None:
        return
    x.request_faults = max(1, len(error.details))
    if contract.shadow:
        return
    read_ahead.release(x)
    keys = x.keys
    if keys:
        error.details = tuple(_without_keys(each, secrets_of(keys)) for each in error.details)
    raise error


async def _error_of(
    x: Exchange, contract: RequestContract, read_ahead: BodyBudget, budget: LoopBudget
) -> GatewayError | None:
    """Return what is wrong with `x`. Its body, if there is one to be checked, has been read then."""
    body, content, expected = x.body, b"", None
    if body is not None and contract.bodies:
        try:
            expected = contract.body_of(x.headers)
        except GatewayError as unsupported:
            return unsupported
        if expected.kind != "opaque":
            read = await _read(x, body, contract, read_ahead)
            if read is None:
                text = f"The body may have {format_size(contract.max_body_bytes)} here."
                return GatewayError(BODY_TOO_LARGE, details=(Detail(text, "body"),))
            content = read
            if len(content) > LARGE_BYTES:
                await budget.take(len(content))
            if not content:
                expected = None
    return contract.check(x.path, x.query, x.headers, content, expected)


async def _read(x: Exchange, body: TimedBody, contract: RequestContract, read_ahead: BodyBudget) -> bytes | None:
    """Return the whole body, None if it is too long. `x.body` begins anew then."""
    most = contract.max_body_bytes
    if body.length is not None and body.length > most:
        return None
    pieces: list[bytes] = []
    size, ended = 0, False
    try:
        while not ended and size <= most:
            wanted = min(size + BODY_PIECE_BYTES, body.length or most)
            if wanted > BODY_PIECE_BYTES and not read_ahead.reserve(x, wanted):
                raise GatewayError(BODIES_FULL)
            piece = await body.read()
            pieces.append(piece)
            size += len(piece)
            ended = not piece or size == body.length
    except BaseException:
        read_ahead.release(x)
        raise
    finally:
        x.client_s = body.waited_s
    content = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    x.body = ReadBody(content, body, whole=ended)
    if read_ahead.kept_bytes:
        x.body_start = content[: read_ahead.kept_bytes]
    return content if size <= most else None


def _without_keys(detail: Detail, secrets: list[bytes]) -> Detail:
    """Return a detail in which no name that the client has made up contains one of its keys."""
    field = detail.field or ""
    texts = f"{detail.text} {field} {detail.more or ''}".encode("utf-8", "surrogateescape")
    if not contains_secret(texts, secrets):
        return detail
    return detail._replace(text=_REPLACED, field=_REPLACED, more=None)

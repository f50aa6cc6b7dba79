"""One look at a target: a GET on a connection of its own, of which only the status counts.

The time holds for all of it, however the reply trickles in; its head is bounded as in any other reply, and its body is
not read. Redirects are not followed.
"""

import asyncio
from typing import cast

from gateway.kernel.faults import UPSTREAM_RESET, UPSTREAM_TIMEOUT, GatewayError
from gateway.upstream.connect import Address, dial
from gateway.upstream.framing import Origin
from gateway.upstream.names import Names
from gateway.upstream.response_parser import ReplyReader

_FIELDS = b"User-Agent: gateway-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"


async def look(to: Address, origin: Origin, path: bytes, timeout_s: float, names: Names) -> int:
    """The status of `path` at a target. Raises GatewayError: what `dial` does, UPSTREAM_TIMEOUT, _RESET, or about its head."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    head = await dial(loop, to, lambda: _Head(loop, str(to)), deadline, names)
    head.transport.write(b"".join((b"GET ", origin.base, path, b" HTTP/1.1\r\n", origin.host, _FIELDS)))
    try:
        async with asyncio.timeout_at(deadline):
            return await head.status
    except TimeoutError:
        raise GatewayError(UPSTREAM_TIMEOUT, cause=f"{to}: no reply within {timeout_s:g} s") from None
    finally:
        head.transport.abort()


class _Head(asyncio.Protocol):
    """Reads until a final status is there."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, target: str) -> None:
        self.status: asyncio.Future[int] = loop.create_future()
        self._target = target
        self._reader = ReplyReader()
        self._reader.begin(head_only=True)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self.status.done():
            return
        try:
            self._reader.feed(data)
        except GatewayError as error:
            self.status.set_exception(GatewayError(error.fault, cause=f"{self._target}: {error.cause}"))
        else:
            if self._reader.status:
                self.status.set_result(self._reader.status)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it ended
        if not self.status.done():
            self.status.set_exception(GatewayError(UPSTREAM_RESET, cause=f"{self._target}: the upstream closed the connection"))

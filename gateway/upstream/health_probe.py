"""Probes a target once: sends a GET on a connection of its own and reads the status.

The time-out covers everything from the connection to the end of the head. The head is bounded as in any other reply;
the body is not read. Redirects are not followed.
"""

import asyncio
from typing import cast

from gateway.kernel.faults import UPSTREAM_RESET, UPSTREAM_TIMEOUT, GatewayError
from gateway.net.name_resolver import NameResolver
from gateway.upstream.connect import Endpoint, connect
from gateway.upstream.http1.framing import Origin
from gateway.upstream.http1.response_parser import ResponseParser

_FIELDS = b"User-Agent: gateway-health-check\r\nAccept: */*\r\nConnection: close\r\n\r\n"


async def probe(to: Endpoint, origin: Origin, path: bytes, timeout_s: float, names: NameResolver) -> int:
    """Return the status of `path` at a target.

    Raises GatewayError: those of `connect`, UPSTREAM_TIMEOUT, UPSTREAM_RESET, and those of `ResponseParser.feed`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    head = await connect(loop, to, lambda: _Head(loop, str(to)), deadline, names)
    head.transport.write(b"".join((b"GET ", origin.base, path, b" HTTP/1.1\r\n", origin.host, _FIELDS)))
    try:
        async with asyncio.timeout_at(deadline):
            return await head.status
    except TimeoutError:
        raise GatewayError(UPSTREAM_TIMEOUT, cause=f"{to}: no reply within {timeout_s:g} s") from None
    finally:
        head.transport.abort()


class _Head(asyncio.Protocol):
    """Reads a reply until its final status has arrived."""

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop, target: str) -> None:
        self.status: asyncio.Future[int] = loop.create_future()
        self._target = target
        self._reader = ResponseParser()
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

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason makes no difference
        if not self.status.done():
            self.status.set_exception(
                GatewayError(UPSTREAM_RESET, cause=f"{self._target}: the upstream closed the connection")
            )

"""A listener on a free port, with a `serve` that the test writes."""

import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import msgspec

from gateway.edge import Listener
from gateway.edge.request_head import HeadLimits, RequestHeadChecker
from gateway.exchange import Exchange, Reply, Send, ServeExchange
from gateway.kernel.faults import GatewayError
from gateway.kernel.ids import Ids
from gateway.net.write_batch import WriteBatch
from tests.raw_client import RawClient

LIMITS = HeadLimits(
    header_bytes=4096,
    url_bytes=1024,
    body_bytes=1 << 20,
    header_timeout_s=10.0,
    body_timeout_s=10.0,
    idle_timeout_s=10.0,
    connections=1000,
)
HURRIED = msgspec.structs.replace(LIMITS, header_timeout_s=0.1, body_timeout_s=0.1, idle_timeout_s=0.1)
GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def echo(x: Exchange, send: Send) -> None:
    """Answers with what arrived; a refusal at the checker of heads with its fault."""
    if x.head_error is not None:
        fault = x.head_error.fault
        await send(Reply(fault.status, [("X-Fault", fault.name)], b"{}"))
        return
    try:
        body = b""
        while x.body is not None and (piece := await x.body.read()):
            body += piece
    except GatewayError as error:
        await send(Reply(error.fault.status, [("X-Fault", error.fault.name)], b"{}"))
        return
    seen = {
        "method": x.method,
        "path": x.path,
        "query": x.query,
        "host": x.host,
        "body": body.decode("latin-1"),
        "client": x.client,
    }
    await send(Reply(200, [("Content-Type", "application/json")], json.dumps(seen).encode()))


@asynccontextmanager
async def listening(
    serve: ServeExchange = echo,
    limits: HeadLimits = LIMITS,
    trusted: tuple[str, ...] = (),
    host: str = "127.0.0.1",
    rejected: list[int] | None = None,
    wall: Callable[[], float] = lambda: 784111777.0,
) -> AsyncIterator[tuple[Listener, int]]:
    """Yield a listener on a free port; `::` means both versions of IP.

    `rejected` receives the limit for each connection beyond it.
    """
    head_checker = RequestHeadChecker(
        limits, [ip_network(one) for one in trusted], Ids(lambda n: bytes(range(256)) * (n // 256)), time.monotonic
    )
    listener = Listener(head_checker, serve, wall, WriteBatch(), ([] if rejected is None else rejected).append)
    sock = socket.create_server(
        (host, 0), family=socket.AF_INET6 if host == "::" else socket.AF_INET, dualstack_ipv6=host == "::"
    )
    await listener.start(sock)
    try:
        yield listener, sock.getsockname()[1]
    finally:
        listener.stop_accepting()
        listener.cut()


async def ask(request: bytes, **options: Any) -> tuple[int, str | None, bool]:
    """Status, fault and whether the connection ended, for one request on a connection of its own."""
    async with listening(**options) as (_, port), await RawClient.connect(port) as client:
        await client.send(request)
        reply = await client.reply()
        ended = reply.field("Connection") == "close"
        assert not ended or await client.at_eof()
        return reply.status, reply.field("X-Fault"), ended

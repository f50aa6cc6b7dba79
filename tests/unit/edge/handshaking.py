"""A listener on a free port that does more than HTTP, and what it tells of that."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from gateway.edge import Listener
from gateway.edge.request_head import HeadLimits, RequestHeadChecker
from gateway.exchange import Exchange, Reply, Send
from gateway.kernel.faults import GatewayError
from gateway.kernel.ids import Ids
from gateway.net.certificates import Certificate
from gateway.net.write_batch import WriteBatch
from tests.unit.edge.listening import LIMITS


class RecordedEvents:
    """Keeps what a ListenerEvents would count."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self.read: list[Certificate] = []
        self.refused: list[str] = []
        self.held_up: list[str] = []

    def handshake_failed(self, reason: str) -> None:
        self.failed.append(reason)

    def cannot_accept(self, reason: str) -> None:
        self.held_up.append(reason)

    def proxy_rejected(self, reason: str) -> None:
        self.failed.append(reason)

    def certificate_read(self, path: str, certificate: Certificate) -> None:
        self.read.append(certificate)

    def certificate_rejected(self, path: str, why: str) -> None:
        self.refused.append(why)


async def echo(x: Exchange, send: Send) -> None:
    """Replies with the request, or with the fault of its head. It tolerates a client that has left."""
    with suppress(ConnectionError):
        await _echo(x, send)


async def _echo(x: Exchange, send: Send) -> None:
    if x.head_error is not None:
        fault = x.head_error.fault
        await send(Reply(fault.status, [("X-Fault", fault.name)], (x.head_error.developer_message or "").encode()))
        return
    size = 0
    try:
        while x.body is not None and (piece := await x.body.read()):
            size += len(piece)
    except GatewayError as error:
        await send(Reply(error.fault.status, [("X-Fault", error.fault.name)], b""))
        return
    seen = {
        "scheme": x.scheme,
        "peer": x.peer,
        "client": x.client,
        "trusted": x.trusted_peer,
        "size": size,
        "subject": x.certificate_subject,
    }
    await send(Reply(200, [], json.dumps(seen).encode()))


@asynccontextmanager
async def listening(
    *,
    limits: HeadLimits = LIMITS,
    trusted: tuple[str, ...] = (),
    serve: Any = echo,
    unix: Path | None = None,
    rejected: list[int] | None = None,
    host: str = "127.0.0.1",
    **more: Any,
) -> AsyncIterator[tuple[Listener, int]]:
    """Yield a listener and its port, or one on the unix socket `unix`, which is trusted. `::` is both versions of IP.

    `rejected` receives the limit for each connection beyond it.
    """
    loop = asyncio.get_running_loop()
    head_checker = RequestHeadChecker(
        limits,
        [ip_network(one) for one in trusted],
        Ids(lambda n: bytes(range(256)) * (n // 256)),
        loop.time,
        unix is not None,
    )
    listener = Listener(
        head_checker, serve, lambda: 784111777.0, WriteBatch(), ([] if rejected is None else rejected).append, **more
    )
    if unix is None:
        sock = socket.create_server(
            (host, 0), family=socket.AF_INET6 if host == "::" else socket.AF_INET, dualstack_ipv6=host == "::"
        )
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(str(unix))
    await listener.start(sock)
    try:
        yield listener, 0 if unix is not None else sock.getsockname()[1]
    finally:
        listener.stop_accepting()
        listener.cut()

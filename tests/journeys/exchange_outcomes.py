"""A gateway in this process, with services that end exchanges in every way, for tests that inspect its objects."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import cast

from gateway.edge import Listener
from gateway.edge.request_head import HeadLimits, RequestHeadChecker
from gateway.exchange import Exchange
from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.net.write_batch import WriteBatch
from gateway.observe.log import Log
from gateway.observe.metrics import Metrics
from gateway.observe.recent_errors import ErrorLog, ErrorRing
from gateway.pipeline import Gateway
from gateway.settings import parse
from gateway.stages.record import Recorder
from gateway.table.compile import build_routes
from gateway.table.snapshot import compile_snapshot
from gateway.table.upstreams import build_upstreams
from gateway.upstream.call import Answer, Call
from tests.gateway_process import KEY, configuration, digest

SPENT, NARROW = "gw_test_of_somebody_spent", "gw_test_of_somebody_narrow"
FLAWED = "flawed"


class Service(asyncio.Protocol):
    """A service whose behaviour is chosen by the path: it replies, breaks off, stays silent or sends garbage."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._seen = b""

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while b"\r\n\r\n" in self._seen:
            head, _, self._seen = self._seen.partition(b"\r\n\r\n")
            self._answer(head.split(b" ", 2)[1])

    def _answer(self, path: bytes) -> None:
        match path:
            case b"/v1/close":
                self._transport.abort()
            case b"/v1/silent" | b"/timed":
                pass
            case b"/v1/cut":
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9999\r\n\r\ndata: 1\n\n"
                )
                self._transport.close()
            case b"/v1/tunnel":
                self._transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
                )
            case b"/v1/stream":
                self._transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: 9999\r\n\r\nGIF")
            case b"/v1/garbage":
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{a}"
                )
            case b"/v1/broken":
                self._transport.write(b"HTTP/9 what\r\n\r\n")
            case b"/v1/error":
                self._transport.write(
                    b'HTTP/1.1 409 Conflict\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"error":1}'
                )
            case b"/v1/large":
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99002\r\n\r\n[%b]"
                    % (b" " * 99000)
                )
            case _:
                self._transport.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
                )


class Buggy:
    """An upstream that raises an unexpected exception."""

    id = "backend"

    async def send(self, call: Call) -> Answer:
        raise RuntimeError("a bug")


class Flawed(Recorder):
    """A recorder with a bug for requests whose path contains FLAWED."""

    def _record(self, x: Exchange, now_s: float, wall_s: float, *, alone: bool) -> None:
        if FLAWED in x.path:
            raise OverflowError("a bug")
        super()._record(x, now_s, wall_s, alone=alone)


@contextmanager
def closed_port() -> Iterator[int]:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[int, Listener]]:
    """Starts the gateway; gives its port and listener."""
    loop = asyncio.get_running_loop()
    clock = Clock(time.monotonic, time.time)
    service = await loop.create_server(Service, "127.0.0.1", 0)
    port = service.sockets[0].getsockname()[1]
    with closed_port() as closed:
        config = parse(
            configuration(
                port,
                organizations="[{id: acme}, {id: other}]",
                plans="[{id: unlimited, limits: []}, {id: spent, limits: [{id: day, max: 1, per: 1d}]}]",
                keys=f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: spent, secret_sha256: {digest(SPENT)}, organizations: [acme], plan: spent}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: unlimited, routes: [refused]}}
""",
                upstreams=f"""
- {{id: backend, targets: [{{url: "http://127.0.0.1:{port}"}}]}}
- {{id: timed, targets: [{{url: "http://127.0.0.1:{port}"}}], timeouts: {{first_byte: 20ms}}}}
- {{id: buggy, targets: [{{url: "http://127.0.0.1:{port}"}}]}}
- {{id: refused, targets: [{{url: "http://127.0.0.1:{closed}"}}]}}
- {{id: broken, targets: [{{url: "http://127.0.0.1:{closed}"}}], breaker: {{consecutive_failures: 1}}}}
- {{id: both, targets: [{{url: "http://127.0.0.1:{closed}"}}, {{url: "http://127.0.0.1:{port}"}}], outlier_detection: {{consecutive_failures: 0}}}}
- {{id: full, targets: [{{url: "http://127.0.0.1:{port}"}}], timeouts: {{connect: 20ms, first_byte: 40ms}}, connections: {{max: 1, max_pending: 0}}}}
""",
                defaults="{envelope: {binary: passthrough}}",
                routes="""
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: buggy, match: {path: /buggy}, upstream: buggy}
- {id: refused, match: {path: /refused, methods: [GET]}, upstream: refused}
- {id: broken, match: {path: /broken}, upstream: broken}
- {id: both, match: {path: /both}, upstream: both}
- {id: timed, match: {path: /timed}, upstream: timed}
- {id: kept, match: {prefix: /kept}, upstream: backend, rewrite: {add_prefix: /v1, strip_prefix: /kept}, cache: {ttl: 1m}}
- {id: tunnel, match: {path: /v1/tunnel}, upstream: backend, upgrade: [websocket]}
- {id: full, match: {path: /full}, upstream: full, rewrite: {add_prefix: /v1/silent, strip_prefix: /full}}
""",
            ),
            "gateway.yaml",
        )
        metrics, snapshot = Metrics(), compile_snapshot(config, None, "gateway.yaml")
        opened = os.open(folder / "log", os.O_WRONLY | os.O_CREAT)
        log = Log(clock.wall, format="json", fd=opened)
        log.install()
        log.start()
        write_batch = WriteBatch()
        upstreams = build_upstreams(config, snapshot.shared_state, metrics, clock, write_batch)
        gateway = Gateway(
            table=build_routes(config, {**upstreams, "buggy": Buggy()}, snapshot.faults),
            credentials=snapshot.credentials,
            limiter=LocalLimiter(clock),
            recorder=Flawed(metrics, log.access, config.auth.key.query, ErrorLog(ErrorRing())),
            clock=clock,
            faults=snapshot.faults,
            id_field="X-Request-Id",
        )
        limits = HeadLimits(16384, 8192, 1 << 20, 5.0, 5.0, 5.0, 4000)
        listener = Listener(
            RequestHeadChecker(limits, (), Ids(os.urandom), clock.monotonic),
            gateway.handle,
            clock.wall,
            write_batch,
            lambda _: None,
        )
        sock = socket.create_server(("127.0.0.1", 0))
        await listener.start(sock)
        try:
            yield sock.getsockname()[1], listener
        finally:
            listener.stop_accepting()
            listener.cut()
            for upstream in upstreams.values():
                await upstream.close()
            log.close()
            os.close(opened)
            service.close()

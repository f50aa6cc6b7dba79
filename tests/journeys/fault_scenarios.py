"""Gateways in front of services that fail in every way, for the journeys through the catalogue of faults."""

import asyncio
import json
import os
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import trustme

from gateway.edge import Listener
from gateway.edge.request_head import HeadLimits, RequestHeadChecker
from gateway.kernel.clock import Clock
from gateway.kernel.ids import Ids
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.net.write_batch import WriteBatch
from gateway.observe.log import Log
from gateway.observe.metrics import Metrics
from gateway.pipeline import Gateway
from gateway.settings import parse
from gateway.stages.record import Recorder
from gateway.table.compile import build_credentials, build_faults, build_routes
from gateway.upstream.call import Answer, Call
from tests.fakes import RawBackend, until
from tests.gateway_process import KEY, GatewayProcess, configuration, digest, running
from tests.journeys.backends import Service
from tests.redis_server import RedisProcess, started
from tests.scrape import scraped

EXPIRED, DISABLED, OF_A_DISABLED, READER, NARROW, ONCE, SPENT, ALONE, PAGE = (
    f"gw_test_key_of_somebody_{name}" for name in "abcdefghi"
)
"""Keys besides KEY, which has no limits. ONCE may call once a day, SPENT once a month, ALONE once at a time."""

_KEYS = f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: unlimited}}
- {{id: expired, secret_sha256: {digest(EXPIRED)}, organizations: [acme], plan: unlimited, expires: "2020-01-01T00:00:00Z"}}
- {{id: disabled, secret_sha256: {digest(DISABLED)}, organizations: [acme], plan: unlimited, disabled: true}}
- {{id: of-a-disabled, secret_sha256: {digest(OF_A_DISABLED)}, organizations: [initech], plan: unlimited}}
- {{id: reader, secret_sha256: {digest(READER)}, organizations: [acme], plan: unlimited, methods: [GET]}}
- {{id: narrow, secret_sha256: {digest(NARROW)}, organizations: [acme], plan: unlimited, routes: [read-only]}}
- {{id: once, secret_sha256: {digest(ONCE)}, organizations: [acme], plan: once}}
- {{id: spent, secret_sha256: {digest(SPENT)}, organizations: [acme], plan: spent}}
- {{id: alone, secret_sha256: {digest(ALONE)}, organizations: [acme], plan: alone}}
- {{id: page, secret_sha256: {digest(PAGE)}, organizations: [acme], plan: unlimited, referrers: ["https://a.example"]}}
"""
DESCRIBED = Path(__file__).parents[1] / "documents" / "pet.schema.json"
"""The schema of the bodies for /described."""
_PLANS = """
- {id: unlimited, limits: []}
- {id: once, limits: [{id: day, max: 1, per: 1d}]}
- {id: spent, limits: [], quotas: [{id: calls, code: 8001, kind: count, max: 1, charge: [{routes: [all]}]}]}
- {id: alone, limits: [], concurrency: {key: 1}}
"""
_UPSTREAMS = """
- {{id: backend, targets: [{{url: "http://127.0.0.1:{backend}"}}], timeouts: {{first_byte: 1500ms}}}}
- {{id: refused, targets: [{{url: "http://127.0.0.1:{closed}"}}]}}
- {{id: broken, targets: [{{url: "http://127.0.0.1:{closed}"}}], breaker: {{consecutive_failures: 1}}}}
- {{id: unreachable, targets: [{{url: "http://127.255.255.255:80"}}]}}
- {{id: unresolved, targets: [{{url: "http://nowhere.invalid:80"}}]}}
- {{id: untrusted, targets: [{{url: "https://127.0.0.1:{secure}"}}]}}
- {{id: full, targets: [{{url: "http://127.0.0.1:{full}"}}], timeouts: {{connect: 200ms}}}}
- {{id: single, targets: [{{url: "http://127.0.0.1:{backend}"}}], connections: {{max: 1, max_pending: 0}}}}
- {{id: shared, targets: [{{url: "http://127.0.0.1:{backend}"}}], connections: {{max: 2, max_pending: 0, max_stream_percent: 100}}}}
- {{id: streaming, targets: [{{url: "http://127.0.0.1:{backend}"}}], connections: {{max: 2, max_caller_percent: 100, max_stream_percent: 50}}}}
"""
_ROUTES = """
- {id: all, match: {prefix: /v1}, upstream: backend}
- {id: read-only, match: {path: /read-only, methods: [GET]}, upstream: backend}
- {id: inside, match: {path: /inside}, upstream: backend, deny: [127.0.0.0/8]}
- {id: pages, match: {path: /pages}, upstream: backend, cors: {origins: ["https://a.example"]}}
- {id: once-only, match: {prefix: /once}, upstream: backend, idempotency: {}}
- {id: described, match: {path: /described, methods: [POST]}, upstream: backend, request: {schema: {described}}}
- {id: refused, match: {path: /refused}, upstream: refused}
- {id: broken, match: {path: /broken}, upstream: broken}
- {id: unreachable, match: {path: /unreachable}, upstream: unreachable}
- {id: unresolved, match: {path: /unresolved}, upstream: unresolved}
- {id: untrusted, match: {path: /untrusted}, upstream: untrusted}
- {id: full, match: {path: /full}, upstream: full}
- {id: single, match: {path: /single}, upstream: single}
- {id: shared, match: {path: /shared}, upstream: shared}
- {id: streaming, match: {path: /streaming}, upstream: streaming}
- {id: closed, match: {path: /closed}, upstream: backend, maintenance: {message: Closed}}
- {id: small, match: {prefix: /small}, upstream: backend, envelope: {max_buffer: 1KiB}}
- {id: json-only, match: {prefix: /json-only}, upstream: backend, envelope: {binary: refuse}}
"""
_SERVER = """{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0",
  limits: {header_bytes: 2KiB, url_bytes: 512B, body: 1KiB, header_timeout: 300ms, body_timeout: 300ms}}]}"""

MOST_CONNECTIONS = 8
"""The connection limit of the gateway in this process."""


class Buggy:
    """An upstream that raises an unexpected exception, and never answers calls for /v1/wait."""

    id = "backend"

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def send(self, call: Call) -> Answer:
        if b"/v1/wait" in call.path:
            self.asked.set()
            await asyncio.Event().wait()
        raise RuntimeError("a bug")


class InProcess:
    """A gateway in this process, for faults that cannot be caused, or not be observed, from outside."""

    def __init__(self, log_file: Path) -> None:
        self._file = log_file
        self._metrics = Metrics()
        self.upstream = Buggy()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator["InProcess"]:
        loop = asyncio.get_running_loop()
        clock = Clock(loop.time, lambda: 1_800_000_000.0)
        config = parse(configuration(1), "gateway.yaml")
        faults = build_faults(config)
        opened = os.open(self._file, os.O_WRONLY | os.O_CREAT)
        log = Log(clock.wall, format="json", fd=opened)
        log.install()
        log.start()
        gateway = Gateway(
            table=build_routes(config, {"backend": self.upstream}, faults),
            credentials=build_credentials(config),
            limiter=LocalLimiter(clock),
            recorder=Recorder(self._metrics, log.access, config.auth.key.query),
            clock=clock,
            faults=faults,
            id_field="X-Request-Id",
        )
        limits = HeadLimits(16384, 8192, 1 << 20, 5.0, 5.0, 5.0, MOST_CONNECTIONS)
        crowd: list[int] = []
        listener = Listener(
            RequestHeadChecker(limits, (), Ids(os.urandom), clock.monotonic),
            gateway.handle,
            clock.wall,
            WriteBatch(),
            crowd.append,
        )
        sock = socket.create_server(("127.0.0.1", 0))
        self.port: int = sock.getsockname()[1]
        self.cut = listener.cut
        await listener.start(sock)
        try:
            yield self
        finally:
            listener.stop_accepting()
            listener.cut()
            log.close()
            os.close(opened)

    @property
    def lines(self) -> list[dict[str, Any]]:
        whole, _, _ = self._file.read_text().rpartition("\n")  # the last one may be on its way
        return [json.loads(line) for line in whole.splitlines()]

    async def record(self, name: str, value: object) -> dict[str, Any]:
        def found() -> list[dict[str, Any]]:
            return [line for line in self.lines if line["event"] == "request" and line.get(name) == value]

        await until(lambda: bool(found()))
        return found()[0]

    def admin(self, path: str) -> tuple[int, str]:
        assert path == "/metrics"
        return 200, scraped(self._metrics).decode()


class FaultScenarios(NamedTuple):
    """`gateway` has no Redis.

    `storeless` has a Redis that does not answer, with the failure policy `deny`, and little memory
    for bodies that are read ahead. `stored` keeps its keys in `redis`. `buggy` raises, and its connections can be cut.
    """

    service: Service
    gateway: GatewayProcess
    storeless: GatewayProcess
    stored: GatewayProcess
    redis: RedisProcess
    buggy: InProcess


@asynccontextmanager
async def fault_scenarios() -> AsyncIterator[FaultScenarios]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("whole", "storeless", "stored"):
            (folder / name).mkdir()
        closed, full = stack.enter_context(_closed_port()), stack.enter_context(_full_port())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(tls)
        async with Service() as service, RawBackend(tls=tls) as untrusted, InProcess(folder / "log").serving() as buggy:
            sections = {
                "server": _SERVER,
                "organizations": "[{id: acme}, {id: initech, disabled: true}]",
                "plans": _PLANS,
                "keys": _KEYS,
                "upstreams": _UPSTREAMS.format(backend=service.port, secure=untrusted.port, closed=closed, full=full),
                "routes": _ROUTES.replace("{described}", str(DESCRIBED)),
            }
            gateway = stack.enter_context(running(configuration(0, **sections), folder / "whole"))
            sections["redis"] = f'{{url: "redis://127.0.0.1:{closed}/0", on_failure: deny}}'
            sections["server"] = _SERVER.replace("body: 1KiB", "body: 1MiB").replace(
                "{", "{limits: {read_ahead: 64KiB}, ", 1
            )
            storeless = stack.enter_context(running(configuration(0, **sections), folder / "storeless"))
            sections["server"] = _SERVER
            redis = stack.enter_context(started(RedisProcess(folder)))
            sections |= {"redis": f'{{url: "{redis.url}"}}', "keys": "{store: redis}"}
            stored = stack.enter_context(running(configuration(0, **sections), folder / "stored"))
            yield FaultScenarios(service, gateway, storeless, stored, redis, buggy)


@contextmanager
def _closed_port() -> Iterator[int]:
    """A port that refuses connections and that no other process can bind."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def _full_port() -> Iterator[int]:
    """A port whose backlog is full, so that connections are neither established nor refused."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]

"""A key never leaves the gateway: wherever a client puts it, it is in nothing that the gateway writes or sends.

Each of SECRETS is put in each of PLACES, for every path that ends in another way; then everything that could be seen
from outside is searched: replies, log, metrics, spans, what was captured of failures, what the backend got, every
command Redis got, and what it keeps.
"""

import asyncio
import contextlib
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.contracts.canary import ORDINARY, PLACES, SECRETS, SHOWN, Place, escaped, excerpt, leaks, twice
from tests.gateway_process import GatewayProcess, configuration, digest, running
from tests.otlp_collector import Collector
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess
from tests.strict_backend import StrictBackend

CAPTURED_AT_ONCE = 240
"""Fewer requests than a worker keeps captures."""
PATHS = (b"/v1/t", b"/open/t", b"/dead/t", b"/nowhere")

TOKEN = "sesame-open-the-door"
SECTIONS = {
    "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
    "server": '{drain_delay: 0s, listeners: [{id: public, address: "127.0.0.1:0", limits: {header_bytes: 8KiB, url_bytes: 4KiB}}]}',
    "organizations": "[{id: acme}]",
    "plans": "[{id: large, limits: [{id: minute, max: 1000000, per: 1m}]}, {id: small, limits: [{id: day, max: 1, per: 1d}]}]",
    "keys": f"""
  - {{id: ordinary, secret_sha256: {digest(ORDINARY.decode())}, organizations: [acme], plan: large}}
  - {{id: first, secret_sha256: {digest(SECRETS["valid"].decode())}, organizations: [acme], plan: large}}
  - {{id: second, secret_sha256: {digest(SECRETS["spent"].decode())}, organizations: [acme], plan: small}}
  - {{id: third, secret_sha256: {digest(SECRETS["barred"].decode())}, organizations: [acme], plan: large, routes: [dead]}}
  - {{id: fourth, secret_sha256: {digest(SECRETS["disabled"].decode())}, organizations: [acme], plan: large, disabled: true}}
  - {{id: fifth, secret_sha256: {digest(SECRETS["expired"].decode())}, organizations: [acme], plan: large, expires: "2020-01-01T00:00:00Z"}}
""",
    "routes": """
  - {id: all, match: {prefix: /v1, methods: [GET, POST]}, upstream: backend, idempotency: {}}
  - {id: open, match: {prefix: /open, methods: [GET, POST]}, upstream: backend, auth: none}
  - {id: dead, match: {prefix: /dead, methods: [GET, POST]}, upstream: dead}
""",
}


class Monitor:
    """Everything that Redis is told."""

    def __init__(self, server: RedisProcess) -> None:
        self._server = server

    async def __aenter__(self) -> "Monitor":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._server.port, limit=1 << 26)
        self._writer.write(b"MONITOR\r\n")
        assert await self._reader.readline() == b"+OK\r\n"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.transport.abort()

    async def commands(self) -> bytes:
        self._server.ask("ECHO", "that is all")
        async with asyncio.timeout(10):
            return await self._reader.readuntil(b"that is all")


MOST_TRIES = 3
"""A client that has closed its sending side counts as gone after half a second, which is little on a busy machine."""


async def sent(gateway: GatewayProcess, requests: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    """All that comes back, for each request, over connections of their own."""
    limit = asyncio.Semaphore(50)
    replies = {}

    async def run(name: str, raw: bytes) -> None:
        for _ in range(MOST_TRIES):
            async with limit, await RawClient.connect(gateway.port) as client:
                with contextlib.suppress(OSError):
                    await client.send(raw)
                    client.finish_sending()
                replies[name] = await client.rest()
            if replies[name]:
                break

    async with asyncio.timeout(30):
        await asyncio.gather(*itertools.starmap(run, requests))
    return replies


def combined(carriers: dict[str, Place]) -> Iterator[tuple[str, bytes]]:
    """The valid secret for every path, every other secret for one."""
    for (name, carry), (secret, key) in itertools.product(carriers.items(), SECRETS.items()):
        for path in PATHS if secret == "valid" else PATHS[:1]:
            yield f"{name}, {secret}, {path.decode()}", carry(path, key)


@contextlib.asynccontextmanager
async def world(
    folder: Path, redis_server: RedisProcess
) -> AsyncIterator[tuple[GatewayProcess, StrictBackend, Monitor, Collector]]:
    async with StrictBackend() as backend, Monitor(redis_server) as monitor:
        upstreams = f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{backend.port}"}}]}}, {{id: dead, targets: [{{url: "http://127.0.0.1:1"}}]}}]'
        redis = f'{{url: "{redis_server.url}", timeout: 2s}}'
        with Collector() as collector:
            traces = (
                f"{{log: {{format: json}}, traces: {{endpoint: '{collector.endpoint}', sample: 100%}}, usage: {{}}, "
                "capture: {on: [4xx, 5xx], max_per_second: 10000}}"
            )
            sections = {**SECTIONS, "upstreams": upstreams, "redis": redis, "observability": traces}
            with running(configuration(backend.port, **sections), folder) as gateway:
                yield gateway, backend, monitor, collector


@contextlib.asynccontextmanager
async def followed(gateway: GatewayProcess) -> AsyncIterator[bytearray]:
    """What somebody reads who follows the access lines meanwhile."""
    lines = bytearray()
    following = asyncio.Event()

    async def read() -> None:
        url, headers = f"http://127.0.0.1:{gateway.admin_port}/tail", {"Authorization": f"Bearer {TOKEN}"}
        async with aiohttp.ClientSession(headers=headers) as client, client.get(url) as reply:
            async for chunk in reply.content.iter_any():
                lines.extend(chunk)
                following.set()

    reader = asyncio.create_task(read())
    try:
        async with asyncio.timeout(20):
            await following.wait()
            yield lines
            while b"/dead" not in lines:
                await asyncio.wait([reader], timeout=0.05)
    finally:
        reader.cancel()
        await asyncio.wait([reader])


async def sent_and_captured(gateway: GatewayProcess, requests: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    """All that comes back; what is captured of them meanwhile is searched before it is forgotten."""
    replies: dict[str, bytes] = {}
    searched: set[str] = set()
    url, token = f"http://127.0.0.1:{gateway.admin_port}/captures", {"Authorization": f"Bearer {TOKEN}"}
    async with aiohttp.ClientSession(headers=token) as client:
        while some := [*itertools.islice(requests, CAPTURED_AT_ONCE)]:
            replies |= await sent(gateway, iter(some))
            async with client.get(url) as reply:
                listed = {each["request_id"] for each in (await reply.json())["captures"]}
            for request_id in listed - searched:
                async with client.get(f"{url}/{request_id}") as reply:
                    captured = await reply.read()
                    assert reply.status == 200
                assert not leaks(captured), excerpt(captured)
            searched |= listed
    failed = [reply for reply in replies.values() if reply[9:10] in (b"4", b"5")]
    assert len(searched) > len(failed) // 2
    return replies


async def search(gateway: GatewayProcess, monitor: Monitor, collector: Collector, redis_server: RedisProcess) -> None:
    """Log, metrics, spans, the process, and Redis with the usage of all. Ends the gateway."""
    read_by_the_console = ("/history?span=1h&rows=200", "/targets", "/reloads", "/limiter", "/audit", "/faults")
    request = "/requests/6d84e126-d10c-4e52-bbfb-bd4c92bc8333"
    for path in ("/metrics", "/errors", "/fleet", request, *read_by_the_console):
        status, page = await asyncio.to_thread(gateway.admin, path)
        assert status == 200
        assert not leaks(page.encode()), path
    assert not leaks(gateway.title())
    assert await asyncio.to_thread(gateway.terminate) == 0
    commands = await monitor.commands()
    assert b"eval" in commands.lower()
    assert b'"acme" "first" "all"' in commands, "usage was not sent"
    assert not leaks(commands), excerpt(commands)
    names = redis_server.ask("KEYS", "*")
    assert names
    for name in names:
        assert not leaks(name)
        assert not leaks(redis_server.ask("DUMP", name) or b"")  # it may have expired meanwhile
    assert len(collector.spans) > len(PATHS)
    assert [excerpt(body) for body in collector.bodies if leaks(body)] == []
    for line in gateway.lines:
        assert not leaks(line.encode()), line
        assert '"bug"' not in line


async def test_a_key_is_seen_nowhere(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with world(tmp_path, redis_server) as (gateway, backend, monitor, collector):
        async with followed(gateway) as lines:
            replies = await sent_and_captured(gateway, combined(PLACES))
        assert lines.count(b"\n") > len(PLACES)
        assert not leaks(bytes(lines)), excerpt(bytes(lines))
        statuses = {reply[9:12] for reply in replies.values()}
        assert {name: reply for name, reply in replies.items() if not reply.startswith(b"HTTP/1.1 ")} == {}
        assert {name: excerpt(reply) for name, reply in replies.items() if leaks(reply)} == {}
        assert statuses >= {
            b"200",
            b"400",
            b"401",
            b"403",
            b"404",
            b"405",
            b"413",
            b"414",
            b"417",
            b"429",
            b"431",
            b"503",
            b"505",
        }
        assert backend.ambiguous == []
        assert [seen.head for seen in backend.requests if leaks(seen.head)] == []
        await search(gateway, monitor, collector, redis_server)


async def test_a_key_that_a_client_shows_to_the_backend_is_seen_nowhere_else(
    tmp_path: Path, redis_server: RedisProcess
) -> None:
    async with world(tmp_path, redis_server) as (gateway, backend, monitor, collector):
        replies = await sent_and_captured(gateway, combined(SHOWN))
        assert backend.ambiguous == []
        errors = {name: reply for name, reply in replies.items() if not reply.startswith(b"HTTP/1.1 200")}
        assert {name: excerpt(reply) for name, reply in errors.items() if leaks(reply)} == {}
        assert [seen.head for seen in backend.requests if b"x-api-key:" in seen.head.lower()] == []
        await search(gateway, monitor, collector, redis_server)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS)
def test_what_is_looked_for_is_found(secret: bytes) -> None:
    for spelled in (
        secret,
        secret.upper(),
        escaped(secret),
        twice(secret),
        hashlib.sha256(secret).hexdigest().encode(),
    ):
        assert leaks(b"a" + spelled)
    assert not leaks(ORDINARY)

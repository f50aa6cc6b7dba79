"""Gateway processes with several workers, and their state as the admin listener shows it."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import reply
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import Service
from tests.redis_server import RedisProcess

TOKEN = "sesame-open-the-door"
SERVER = '{{workers: {workers}, drain_delay: 0s, drain_timeout: {timeout}, listeners: [{{id: public, address: "127.0.0.1:0"}}]}}'
WORKERS_WITHIN_S = 15.0
QUIET = "{log: {format: json, access: false}}"


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path)
    server.start()
    yield server
    server.kill()


def written(
    backend: int, workers: int = 1, redis: RedisProcess | None = None, timeout: str = "5s", **sections: str
) -> str:
    sections = {
        "server": SERVER.format(workers=workers, timeout=timeout),
        "admin": f'{{address: "127.0.0.1:0", token: {TOKEN}}}',
        "observability": QUIET,
        # The backend lives in this process, which may be busy for longer than a second.
        "upstreams": f'[{{id: backend, targets: [{{url: "http://127.0.0.1:{backend}"}}], timeouts: {{connect: 10s}}}}]',
    } | sections
    if redis is not None:
        # Long enough for a busy machine: a call whose answer is not awaited is charged both in Redis and in memory.
        sections["redis"] = f'{{url: "{redis.url}", timeout: 2s}}'
    return configuration(backend, **sections)


@asynccontextmanager
async def serving(
    folder: Path, workers: int = 1, redis: RedisProcess | None = None, **options: Any
) -> AsyncIterator[tuple[GatewayProcess, Service]]:
    async with Service() as service:
        for path in ("/v1/x", "/v2/x"):
            service.on(path, reply())
        with running(written(service.port, workers, redis, **options), folder) as gateway:
            yield gateway, service


def workers(gateway: GatewayProcess, *states: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(gateway.admin("/workers")[1])["workers"]
    return [worker for worker in found if worker["state"] in (states or ("serving",))]


def counted(gateway: GatewayProcess, name: str) -> float:
    lines = gateway.admin("/metrics")[1].splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith((f"{name} ", f"{name}{{")))

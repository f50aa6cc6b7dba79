"""What outlives a gateway: quotas do when it is killed or reloaded, places of calls in flight do not."""

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from gateway.kernel.limits.quota import LEASE_MS
from tests.fakes import End, reply, until
from tests.gateway_process import configuration, running
from tests.journeys.backends import Front, Service, clients, requesting
from tests.journeys.quota_plans import NARROW, refused, sections, statuses, until_served
from tests.redis_server import RedisProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_was_used_outlives_a_killed_gateway_and_its_places_do_not(
    module_redis: RedisProcess, tmp_path: Path
) -> None:
    module_redis.ask("FLUSHALL")
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
    async with Service() as service:
        yaml = configuration(service.port, **sections(redis=f'{{url: "{module_redis.url}", timeout: 500ms}}'))
        for path in ("/encodings", "/vod/start", "/outputs", "/jobs/fast"):
            service.on(path, reply(b"{}", b"X-Encoded-Bytes: 600"))
        service.on("/jobs/never", End.NEVER)
        with running(yaml, tmp_path / "other") as second:
            there = Front(service, second)
            with running(yaml, tmp_path / "one") as gateway:
                here = Front(service, gateway)
                assert await statuses(here, 2, "POST", "/encodings") == [200, 200]
                assert await statuses(here, 1, "POST", "/vod/start") == [200]
                assert await statuses(here, 1, "POST", "/outputs") == [200]
                async with clients(gateway, 2) as both:
                    for client in both:
                        await client.send(requesting("GET", "/jobs/never", key=NARROW))
                    await until(lambda: len(service.at("/jobs/never")) == 2)
                    await refused(there, "GET", "/jobs/fast", 8000, "concurrency", NARROW)
                    killed_at = time.monotonic()
                    os.killpg(gateway.pid, signal.SIGKILL)
            assert await statuses(there, 1, "POST", "/vod/start") == [200]
            assert await statuses(there, 2, "POST", "/outputs") == [200, 429]
            await until_served(there, "/jobs/fast", LEASE_MS / 1000 + 3)
            assert LEASE_MS / 1000 - 4 < time.monotonic() - killed_at < LEASE_MS / 1000 + 2
            assert await asyncio.to_thread(second.terminate) == 0
        with running(yaml, tmp_path / "one") as gateway:
            here = Front(service, gateway)
            assert await statuses(here, 2, "POST", "/encodings") == [200, 429]
            await refused(here, "POST", "/vod/start", 8004, "queued")


async def test_a_reload_hands_on_what_is_in_memory(tmp_path: Path) -> None:
    async with Service() as service:
        for path in ("/encodings", "/vod/start"):
            service.on(path, reply())
        with running(configuration(service.port, **sections()), tmp_path) as gateway:
            here = Front(service, gateway)
            assert (
                await statuses(here, 3, "POST", "/encodings") + await statuses(here, 1, "POST", "/vod/start")
                == [200] * 4
            )
            gateway.signal(signal.SIGHUP)
            await gateway.line(lambda line: '"reloaded"' in line, 20)
            await refused(here, "POST", "/encodings", 8001, "encodings")
            assert await statuses(here, 2, "POST", "/vod/start") == [200, 429]

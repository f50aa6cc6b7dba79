"""Keys in Redis: changes by `gateway keys` reach every worker of every gateway within a second, without a reload."""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from click.testing import CliRunner

from gateway.cli import main
from tests.fakes import reply
from tests.gateway_process import GatewayProcess, configuration, running
from tests.journeys.backends import Service, ask, counted, enveloped, fields, requesting
from tests.raw_client import RawClient
from tests.redis_server import RedisProcess

WITHIN_S = 1.0
ATTEMPTS, AT_ONCE = 800, 50
CONNECTIONS = 6
"""To each gateway, so that each of its workers is met."""


class Street(NamedTuple):
    """Gateways on one Redis, with a service behind; the first one has two workers."""

    service: Service
    gateways: list[GatewayProcess]
    file: Path

    async def keys(self, *arguments: str) -> str:
        """What a command prints."""
        done = await asyncio.to_thread(CliRunner().invoke, main, ["keys", *arguments, "-c", str(self.file)])
        assert done.exit_code == 0, done.output
        return done.stdout

    async def create(self, *arguments: str) -> str:
        return secret_in(await self.keys("create", *arguments))

    async def statuses(self, key: str) -> set[int]:
        """What all workers say."""
        asked = [ask(gateway, "GET", "/v1/a", key=key) for gateway in self.gateways for _ in range(CONNECTIONS)]
        return {answer.status for answer in await asyncio.gather(*asked)}

    async def say(self, key: str, status: int, within_s: float = WITHIN_S) -> None:
        """All of them, to whoever asks after that time."""
        began = asked_at = time.monotonic()
        while await self.statuses(key) != {status}:
            assert asked_at - began < within_s
            asked_at = time.monotonic()

    async def remember(self, key: str) -> None:
        """Have the one gateway know it: what is asked for while it changes is asked for again."""
        (gateway,) = self.gateways
        before = counted(gateway, "gateway_key_lookups_total", result="memory")
        while counted(gateway, "gateway_key_lookups_total", result="memory") == before:
            assert await self.statuses(key) == {200}


def secret_in(shown: str) -> str:
    (found,) = re.findall(r"gw_\w{38}", shown)
    return str(found)


@asynccontextmanager
async def street(folder: Path, redis: RedisProcess, gateways: int = 3) -> AsyncIterator[Street]:
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Service())
        service.on("/v1/a", reply())
        sections = {
            "redis": f'{{url: "{redis.url}", timeout: 1s}}',
            "keys": "{store: redis}",
            "plans": "[{id: standard, limits: []}, {id: few, limits: [{id: day, max: 4, per: 1d}]}]",
        }
        started: list[GatewayProcess] = []
        for number in range(gateways):
            position = folder / str(number)
            position.mkdir()
            yaml = configuration(service.port, **sections)
            if number == 0 and gateways > 1:
                yaml = yaml.replace("workers: 1", "workers: 2")
            started.append(stack.enter_context(running(yaml, position)))
        yield Street(service, started, folder / "0" / "gateway.yaml")


async def test_what_becomes_of_a_key_is_known_everywhere_within_a_second(
    tmp_path: Path, redis_server: RedisProcess
) -> None:
    async with street(tmp_path, redis_server) as here:
        key = await here.create("--id", "acme-ci", "--organization", "acme")
        await here.say(key, 200)
        request = here.service.at("/v1/a")[0]
        assert (fields(request, "X-Caller-Id"), fields(request, "X-Caller-Organization")) == (["acme-ci"], ["acme"])
        await here.keys("disable", "acme-ci", "--yes")
        await here.say(key, 403)
        await here.keys("enable", "acme-ci")
        await here.say(key, 200)
        async with asyncio.timeout(10):  # a notice of what is known already may come later, and forgets the key
            while counted(here.gateways[0], "gateway_keys_in_memory") < 1:
                await here.say(key, 200)
        async with asyncio.timeout(10):
            while "last used: 20" not in await here.keys("show", "acme-ci"):  # told beside the requests, twice a second
                pass

        renewed = secret_in(await here.keys("rotate", "acme-ci", "--overlap", "1h"))
        await here.say(renewed, 200)
        await here.say(key, 200)
        await here.keys("rotate", "acme-ci", "--overlap", "0s", "--yes")
        await here.say(renewed, 401)
        await here.say(key, 401)

        other = await here.create("--id", "other")
        await here.say(other, 200)
        await here.keys("delete", "other", "--yes")
        await here.say(other, 401)
        secrets = (key, renewed, other)
        for gateway in here.gateways:
            assert not [line for line in gateway.lines if any(secret in line for secret in secrets)]
            assert not any(secret in gateway.admin("/metrics")[1] for secret in secrets)
        for name in redis_server.ask("KEYS", "*"):
            assert not any(secret.encode() in name + redis_server.ask("DUMP", name) for secret in secrets)


async def test_a_lost_notice_costs_a_moment_only(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with street(tmp_path, redis_server, gateways=2) as here:
        key = await here.create("--id", "a")
        await here.say(key, 200)
        redis_server.ask("ACL", "SETUSER", "default", "-subscribe")
        assert redis_server.ask("CLIENT", "KILL", "TYPE", "pubsub") == 3
        await here.keys("disable", "a", "--yes")
        await here.say(key, 403)
        await here.keys("enable", "a")
        await here.say(key, 200)


async def test_without_redis_known_keys_work_and_others_are_reported_to_come_back(
    tmp_path: Path, redis_server: RedisProcess
) -> None:
    async with street(tmp_path, redis_server, gateways=1) as here:
        (gateway,) = here.gateways
        known, cold = await here.create("--id", "known"), await here.create("--id", "cold")
        await here.remember(known)
        assert await here.statuses("gw_nobody") == {401}
        redis_server.hang()
        assert await here.statuses(known) == {200}
        refused = await ask(gateway, "GET", "/v1/a", key=cold)
        assert (refused.status, enveloped(refused)["data"]["code"], refused.field("Retry-After")) == (503, 1004, "1")
        record = await gateway.record("gateway.reason", "keys_unavailable")
        assert record["gateway.cause"].startswith("redis")
        assert await here.statuses("gw_nobody") == {401}
        gateway.signal(signal.SIGHUP)
        await gateway.line(lambda line: '"reloaded"' in line, 20)
        assert await here.statuses(known) == {200}
        redis_server.go_on()
        await here.say(cold, 200, within_s=10.0)
        assert await here.statuses(known) == {200}


async def test_two_secrets_of_a_key_have_one_limit_and_end_with_it(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with street(tmp_path, redis_server, gateways=1) as here:
        old = await here.create("--id", "a", "--plan", "few")
        new = secret_in(await here.keys("rotate", "a"))
        statuses = [
            (await ask(here.gateways[0], "GET", "/v1/a", key=key)).status for key in (old, new, old, new, old, new)
        ]
        assert statuses == [200] * 4 + [429] * 2
        redis_server.ask("FLUSHALL")
        await here.say(old, 401)
        await here.say(new, 401)


async def test_guessing_costs_redis_next_to_nothing(tmp_path: Path, redis_server: RedisProcess) -> None:
    async with street(tmp_path, redis_server, gateways=1) as here:
        (gateway,) = here.gateways
        key = await here.create("--id", "a")
        await here.remember(key)
        async with await RawClient.connect(gateway.port) as guesser:
            statuses = []
            for first in range(0, ATTEMPTS, AT_ONCE):
                attempts = [
                    requesting("GET", "/v1/a", key=f"guess-{number}") for number in range(first, first + AT_ONCE)
                ]
                await guesser.send(b"".join(attempts))
                statuses += [(await guesser.reply()).status for _ in attempts]
        assert statuses[:600] == [401] * 600
        assert 429 in statuses[600:]
        assert await here.statuses(key) == {200}
        lookups = {
            result: counted(gateway, "gateway_key_lookups_total", result=result) for result in ("unknown", "throttled")
        }
        assert lookups["unknown"] + lookups["throttled"] == ATTEMPTS
        assert lookups["throttled"] > 0

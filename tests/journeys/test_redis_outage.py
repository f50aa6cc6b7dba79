"""Redis goes away under load and comes back: what clients notice of it, by `on_failure`."""

import asyncio
import json
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes import reply, until
from tests.gateway_process import KEY, digest
from tests.journeys.backends import Front, ask, clients, counted, counts, enveloped, front, requesting
from tests.raw_client import RawClient, RawReply
from tests.redis_cluster import RedisCluster
from tests.redis_sentinels import RedisSentinels
from tests.redis_server import RedisProcess, wait_until

MANY = 1_000_000
BUDGET_S = 0.2
SEVERAL = "gw_test_the_key_that_may_call_five_times"
STORE = "gateway.limiter.store"


@asynccontextmanager
async def limited(url: str, on_failure: str, **others: str) -> AsyncIterator[Front]:
    """Two keys: KEY with a limit that is never reached, SEVERAL with five calls a day."""
    sections = {
        "redis": f'{{url: "{url}", on_failure: {on_failure}, timeout: {BUDGET_S}s}}',
        "plans": f"[{{id: many, limits: [{{id: day, max: {MANY}, per: 1d}}]}}, {{id: several, limits: [{{id: day, max: 5, per: 1d}}]}}]",
        "keys": f"""
- {{id: tester, secret_sha256: {digest(KEY)}, organizations: [acme], plan: many}}
- {{id: several, secret_sha256: {digest(SEVERAL)}, organizations: [acme], plan: several}}
""",
    }
    async with front(**sections | others) as built:
        built.service.on("/v1/a", reply(b"{}"))
        yield built


class Load:
    """Four clients that call without a pause from `begin` to `end`."""

    def __init__(self, here: Front) -> None:
        self._here = here
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []
        self.answers: list[RawReply] = []
        self.slowest_s = 0.0

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        async with clients(self._here.gateway, 4) as opened, asyncio.TaskGroup() as group:
            for client in opened:
                group.create_task(self._call(client))
            yield self
            self._going = False

    async def several(self, count: int = 40) -> None:
        """Wait until that many more were answered."""
        goal = len(self.answers) + count
        await until(lambda: len(self.answers) >= goal, 10)

    async def _call(self, client: RawClient) -> None:
        while self._going:
            began = asyncio.get_running_loop().time()
            await client.send(requesting("GET", "/v1/a"))
            self.answers.append(await client.reply())
            self.slowest_s = max(self.slowest_s, asyncio.get_running_loop().time() - began)

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)


async def decided_by(here: Front) -> str:
    """The store that decides now."""
    answer = await ask(here.gateway, "GET", "/v1/a")
    return str((await here.gateway.record("request_id", answer.field("X-Request-Id")))[STORE])


async def is_up(here: Front) -> None:
    await counts(here.gateway, "gateway_redis_up", 1)


async def is_away(here: Front) -> None:
    await counts(here.gateway, "gateway_redis_state_changes_total", 1, to="down")


async def spent(here: Front) -> list[int]:
    """The statuses of six calls with the key that may call five times."""
    return [(await ask(here.gateway, "GET", "/v1/a", key=SEVERAL)).status for _ in range(6)]


def buckets(server: RedisProcess) -> list[bytes]:
    """The names of all but the probe's, and not of what gateways know of one another."""
    return [name for name in server.ask("KEYS", "*:{*}:*") if b"probe" not in name and b"{fleet}" not in name]


LIMIT_OF_FIVE = [200] * 5 + [429]

AWAY: dict[str, tuple[Callable[[RedisProcess], None], Callable[[RedisProcess], None]]] = {
    "hung": (RedisProcess.hang, RedisProcess.go_on),
    "restarted": (RedisProcess.kill, RedisProcess.start),
}
"""How it goes, and how it comes back."""


@pytest.mark.parametrize(("on_failure", "store"), [("local", "fallback"), ("allow", "allow")])
@pytest.mark.parametrize("how", AWAY)
async def test_no_request_fails_while_redis_is_away(
    redis_server: RedisProcess, how: str, on_failure: str, store: str
) -> None:
    leave, come_back = AWAY[how]
    async with limited(redis_server.url, on_failure) as here:
        await is_up(here)
        assert await spent(here) == LIMIT_OF_FIVE
        async with Load(here).running() as load:
            await load.several()
            leave(redis_server)
            await here.gateway.record(STORE, store)
            await is_away(here)
            await load.several()
            assert counted(here.gateway, "gateway_redis_up") == 0
            assert await spent(here) == (LIMIT_OF_FIVE if on_failure == "local" else [200] * 6)
            come_back(redis_server)
            await is_up(here)
            await load.several()
        assert load.statuses == {200: len(load.answers)}
        assert load.slowest_s < BUDGET_S + 0.5  # the rest is for this machine, which does other things as well
        assert {answer.field("X-RateLimit-Limit-Day") for answer in load.answers} == {str(MANY)}
        assert all(answer.field("X-RateLimit-Remaining-Day") for answer in load.answers)
        # A server that only hung still knows what was used, one that began anew is told by those who counted meanwhile
        known = how == "hung" or on_failure == "local"
        await asyncio.to_thread(wait_until, lambda: len(buckets(redis_server)) == (2 if known else 1))
        assert await spent(here) == ([429] * 6 if known else LIMIT_OF_FIVE)
        assert await decided_by(here) == "redis"


@pytest.mark.parametrize("kind", ["redis_sentinels", "redis_cluster"])
async def test_no_request_fails_when_a_primary_is_killed_and_another_takes_over(
    kind: str, request: pytest.FixtureRequest
) -> None:
    servers: RedisSentinels | RedisCluster = request.getfixturevalue(kind)
    async with limited(servers.url, "local") as here:
        await is_up(here)
        async with Load(here).running() as load:
            await load.several()
            (servers.primary if isinstance(servers, RedisSentinels) else servers.primaries[0]).kill()
            await is_away(here)
            await asyncio.to_thread(wait_until, servers.is_promoted)
            if isinstance(servers, RedisCluster):
                await asyncio.to_thread(wait_until, servers.replica.is_well)
            promoted_at = time.monotonic()
            await is_up(here)
            assert time.monotonic() - promoted_at < 5
            await load.several()
        assert load.statuses == {200: len(load.answers)}
        assert await spent(here) == LIMIT_OF_FIVE
        assert await decided_by(here) == "redis"
        assert len([line for line in here.gateway.lines if '"redis is away"' in line]) == 1


def readiness(here: Front) -> tuple[int, list[str]]:
    status, body = here.gateway.admin("/readyz")
    return status, json.loads(body)["reasons"]


async def test_with_deny_a_caller_is_refused_until_redis_is_back(redis_server: RedisProcess) -> None:
    async with limited(redis_server.url, "deny") as here:
        await is_up(here)
        assert (await ask(here.gateway, "GET", "/v1/a")).status == 200
        await until(lambda: readiness(here) == (200, []))
        redis_server.kill()
        async with Load(here).running() as load:
            await is_away(here)
            assert readiness(here) == (503, ["redis is away"])
            await load.several()
        refused = load.answers[-1]
        assert (refused.status, enveloped(refused)["data"]["code"]) == (503, 1004)
        assert int(refused.field("Retry-After") or 0) >= 1
        assert refused.field("Proxy-Status") is None
        redis_server.start()
        await is_up(here)
        assert readiness(here) == (200, [])
        assert await spent(here) == LIMIT_OF_FIVE


async def test_each_limit_may_have_its_own_way(redis_server: RedisProcess) -> None:
    strict = "[{id: many, limits: [{id: day, max: 9, per: 1d}]}, {id: several, limits: [{id: day, max: 5, per: 1d, on_failure: deny}]}]"
    async with limited(redis_server.url, "allow", plans=strict) as here:
        await is_up(here)
        assert await spent(here) == LIMIT_OF_FIVE
        redis_server.kill()
        line = await here.gateway.line(lambda line: '"redis is away"' in line)
        assert json.loads(line)["on_failure"] == "allow, deny"
        assert readiness(here) == (503, ["redis is away"])
        assert await spent(here) == [503] * 6
        assert [(await ask(here.gateway, "GET", "/v1/a")).status for _ in range(12)] == [200] * 12
        assert len([line for line in here.gateway.lines if '"redis is away"' in line]) == 1
        redis_server.start()
        await is_up(here)
        assert await spent(here) == LIMIT_OF_FIVE


async def test_it_starts_without_redis_and_finds_it_later(redis_server: RedisProcess) -> None:
    redis_server.kill()
    async with limited(redis_server.url, "local") as here:
        assert here.gateway.admin("/readyz")[0] == 200
        assert '"started"' in here.gateway.lines[0]
        assert here.gateway.started["limiter"] == "redis"
        assert await spent(here) == LIMIT_OF_FIVE
        assert await decided_by(here) == "fallback"
        redis_server.start()
        await is_up(here)
        await asyncio.to_thread(wait_until, lambda: len(buckets(redis_server)) == 1)
        assert await spent(here) == [429] * 6
        assert await decided_by(here) == "redis"


async def test_a_wrong_password_is_an_outage_and_in_no_line(tmp_path: Path) -> None:
    server = RedisProcess(tmp_path, requirepass="the-right-one")
    server.start()
    try:
        async with limited(f"redis://:a-wrong-secret@127.0.0.1:{server.port}/0", "local") as here:
            line = await here.gateway.line(lambda line: '"redis is away"' in line)
            assert "WRONGPASS" in line
            assert await spent(here) == LIMIT_OF_FIVE
            assert not [line for line in here.gateway.lines if "a-wrong-secret" in line]
            server.ask("CONFIG", "SET", "requirepass", "a-wrong-secret")
            await is_up(here)
            here.gateway.signal(signal.SIGTERM)
            assert await asyncio.to_thread(here.gateway.wait) == 0
    finally:
        server.kill()


@pytest.mark.parametrize(
    "trouble", [("SCRIPT", "FLUSH"), ("CLIENT", "KILL", "TYPE", "normal"), ("FLUSHALL",), ("CLIENT", "PAUSE", "50")]
)
async def test_small_troubles_are_not_noticed(redis_server: RedisProcess, trouble: tuple[str, ...]) -> None:
    async with limited(redis_server.url, "local") as here:
        await is_up(here)
        async with Load(here).running() as load:
            for _ in range(3):
                await load.several(20)
                redis_server.ask(*trouble)
            await load.several()
        assert load.statuses == {200: len(load.answers)}
        assert counted(here.gateway, "gateway_redis_state_changes_total", to="down") == 0
        assert await decided_by(here) == "redis"


async def test_redis_knows_no_key_and_forgets_everything_in_time(redis_server: RedisProcess) -> None:
    async with limited(redis_server.url, "deny") as here:
        await is_up(here)
        await spent(here)
        names = buckets(redis_server)
        assert len(names) == 1
        assert SEVERAL.encode() not in names[0]
        assert digest(SEVERAL).encode() not in names[0]
        assert 0 < redis_server.ask("TTL", names[0]) <= 86400 + 60

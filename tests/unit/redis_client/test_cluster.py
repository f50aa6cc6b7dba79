"""redis_client/cluster.py: slots that move, primaries that die, and callers who do not notice."""

import asyncio
import time
from collections.abc import Callable

import pytest

from gateway.kernel.limits.token_bucket import Window, claim
from gateway.limiter.redis_limiter import RedisLimiter
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.cluster import named, slot_of
from tests.limiter_load import AGAIN_WITHIN_S, CLOCK, FEW, MANY, Load, limited, until
from tests.redis_cluster import SLOTS, ClusterNode, RedisCluster
from tests.redis_server import RedisProcess, wait_until

BOTH = (Window("day", 5, 86_400_000_000, "Day"), Window("hour", 5, 3_600_000_000, "Hour"))
AT_FIRST = next(f"few{number}" for number in range(99) if slot_of(f"few{number}") < SLOTS // 3)
"""A caller on the first primary, which has a replica."""


class Moving:
    """A slot on its way from its primary to the next."""

    def __init__(self, servers: RedisCluster, slot: int) -> None:
        self.slot = slot
        self.source = servers.owner(slot)
        self.target = servers.primaries[servers.primaries.index(self.source) - 1]
        self._all = servers.primaries

    def begin(self) -> None:
        self.target.ask("CLUSTER", "SETSLOT", self.slot, "IMPORTING", self.source.id)
        self.source.ask("CLUSTER", "SETSLOT", self.slot, "MIGRATING", self.target.id)

    def migrate_keys(self) -> None:
        if keys := self.source.ask("CLUSTER", "GETKEYSINSLOT", self.slot, 1000):
            self.source.ask("MIGRATE", "127.0.0.1", self.target.port, "", 0, 5000, "KEYS", *keys)

    def end(self) -> None:
        for node in (self.target, self.source, *self._all):
            node.ask("CLUSTER", "SETSLOT", self.slot, "NODE", self.target.id)


async def remaining(limiter: RedisLimiter, bucket: str, windows: tuple[Window, ...] = FEW, cost: int = 1) -> int:
    """After a call that Redis decided."""
    decision = await limiter.decide(claim(bucket, windows, cost))
    assert (decision.allowed, decision.store) == (True, "redis")
    return decision.states[0].remaining


LOSSES: dict[str, Callable[[ClusterNode], None]] = {"killed": ClusterNode.kill, "hung": ClusterNode.hang}


@pytest.mark.parametrize("how", LOSSES)
async def test_no_call_fails_when_a_primary_goes_and_its_replica_takes_over(
    redis_cluster: RedisCluster, how: str
) -> None:
    async with limited(redis_cluster.url) as (limiter, states), Load(limiter).running() as load:
        await load.all_decided_by("redis")
        assert [await remaining(limiter, AT_FIRST) for _ in range(3)] == [4, 3, 2]
        await asyncio.to_thread(redis_cluster.primaries[0].ask, "WAIT", 1, 5000)
        LOSSES[how](redis_cluster.primaries[0])
        await asyncio.to_thread(wait_until, redis_cluster.is_promoted)
        await asyncio.to_thread(wait_until, redis_cluster.replica.is_well)
        well_at = time.monotonic()
        assert await load.all_decided_by("redis") - well_at < AGAIN_WITHIN_S
        await until(lambda: states == [True, False, True])
        assert await remaining(limiter, AT_FIRST, FEW, 0) == 2
        shown = f"<RedisLimiter cluster of 127.0.0.1:{redis_cluster.primaries[0].port} 3/3 up, "
        await until(lambda: repr(limiter).startswith(shown))
        redis_cluster.primaries[0].go_on()
        await load.decided_by("redis")


async def test_no_count_is_lost_while_slots_migrate_under_load(calm_cluster: RedisCluster) -> None:
    async with limited(calm_cluster.url) as (limiter, states), Load(limiter).running() as load:
        await load.all_decided_by("redis")
        for number in range(4):
            moving = Moving(calm_cluster, slot_of(f"caller{number}"))
            for step in (moving.begin, moving.migrate_keys, moving.end):
                await asyncio.to_thread(step)
                await load.decided_by("redis")
    async with limited(calm_cluster.url) as (limiter, _):
        used = [MANY[0].max - await remaining(limiter, f"caller{number}", MANY, 0) for number in range(16)]
    assert load.stores == {"redis": sum(used)}
    assert states == [True]


async def test_a_caller_is_counted_through_every_step_of_a_slot_migration(calm_cluster: RedisCluster) -> None:
    async with limited(calm_cluster.url) as (limiter, states):
        moving = Moving(calm_cluster, slot_of("few"))
        assert await remaining(limiter, "few") == 4
        moving.begin()
        assert await remaining(limiter, "few") == 3
        moving.target.ask("SCRIPT", "FLUSH")
        moving.migrate_keys()
        assert [await remaining(limiter, "few") for _ in range(2)] == [2, 1]
        moving.end()
        assert await remaining(limiter, "few") == 0
        assert states == [True]
        assert (await limiter.decide(claim("few", FEW))).store == "redis"
        assert moving.target.ask("EXISTS", "gw:1:{few}:day") == 1


async def test_two_windows_on_different_nodes_during_a_migration_are_counted_here(calm_cluster: RedisCluster) -> None:
    """Neither node can decide then (TRYAGAIN). That is one caller's trouble, and no outage."""
    async with limited(calm_cluster.url) as (limiter, states):
        moving = Moving(calm_cluster, slot_of("few"))
        moving.begin()
        answers = [await limiter.decide(claim("few", BOTH)) for _ in range(3)]
        assert {answer.store for answer in answers} == {"fallback"}
        assert await remaining(limiter, "other") == 4
        moving.end()
        assert await remaining(limiter, "few", BOTH) <= 4
        assert states == [True]


async def test_a_slot_migration_that_ends_while_a_call_tries_again(calm_cluster: RedisCluster) -> None:
    async with limited(calm_cluster.url) as (limiter, _):
        moving = Moving(calm_cluster, slot_of("few"))
        moving.begin()
        waiting = asyncio.ensure_future(limiter.decide(claim("few", BOTH)))
        await asyncio.sleep(0)
        moving.end()
        assert (await waiting).store == "redis"


async def test_one_primary_that_is_away_is_the_trouble_of_its_callers(redis_cluster: RedisCluster) -> None:
    for node in redis_cluster.nodes:
        node.ask("CONFIG", "SET", "cluster-require-full-coverage", "no")
    away = redis_cluster.primaries[1]
    away.hang()
    async with limited(redis_cluster.url) as (limiter, states):
        assert states == [False]
        callers = [f"caller{number}" for number in range(30)]
        stores = {caller: (await limiter.decide(claim(caller, FEW))).store for caller in callers}
        assert stores == {
            caller: "fallback" if redis_cluster.owner(slot_of(caller)) is away else "redis" for caller in callers
        }
        away.go_on()
        await until(lambda: states == [False, True])
        assert {(await limiter.decide(claim(caller, FEW))).store for caller in callers} == {"redis"}


async def test_a_primary_without_slots_is_disconnected(redis_cluster: RedisCluster) -> None:
    _, successor, other = redis_cluster.primaries
    in_heirs = next(f"few{number}" for number in range(99) if redis_cluster.owner(slot_of(f"few{number}")) is successor)
    async with limited(redis_cluster.url) as (limiter, states):
        for node in redis_cluster.primaries:
            node.ask("CLUSTER", "DELSLOTSRANGE", 2 * SLOTS // 3, SLOTS - 1)
        successor.ask("CLUSTER", "ADDSLOTSRANGE", 2 * SLOTS // 3, SLOTS - 1)
        successor.ask("CLUSTER", "BUMPEPOCH")
        await asyncio.to_thread(
            wait_until, lambda: all(node.is_well() and other.port not in node.owners() for node in redis_cluster.nodes)
        )
        for number in range(30):
            await limiter.decide(claim(f"caller{number}", FEW))
        await until(lambda: "2/2 up" in repr(limiter) and states in ([True], [True, False, True]))
        assert await remaining(limiter, in_heirs) == 4
        other.kill()
        assert await remaining(limiter, in_heirs) == 3
        assert states[-1]


async def test_a_server_that_is_no_cluster(redis_server: RedisProcess) -> None:
    reasons: list[str] = []
    limiter = RedisLimiter(
        f"redis+cluster://127.0.0.1:{redis_server.port}",
        "gw",
        1.0,
        "local",
        CLOCK,
        lambda up, reason: reasons.append(reason),
    )
    await limiter.start()
    assert (await limiter.decide(claim("few", FEW))).store == "fallback"
    await limiter.close()
    assert (await limiter.decide(claim("few", FEW))).store == "fallback"
    assert reasons == ["ERR This instance has cluster support disabled"]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("MOVED 7 10.0.0.1:7000", ("10.0.0.1", 7000)),
        ("ASK 7 ::1:7000", ("::1", 7000)),
        ("MOVED 7 :7000", ("a", 7000)),
        ("MOVED 7 ?:7000", ("a", 7000)),
    ],
)
def test_where_a_redirection_leads(text: str, position: tuple[str, int]) -> None:
    assert named(str(RedisConnectionError(text)), ("a", 1)) == position

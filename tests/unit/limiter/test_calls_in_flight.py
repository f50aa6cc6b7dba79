"""limiter/calls_in_flight.py: the units of calls in flight, in Redis and beside it."""

import asyncio
import time

from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import Meter, Posting
from gateway.limiter.calls_in_flight import RENEWALS, CallsInFlight
from gateway.limiter.memory_quotas import MemoryQuotas
from gateway.limiter.settlements import Settlements
from gateway.redis_client.connection import LOST, RedisReply, pack
from gateway.redis_client.server import AWAY
from tests.limiter_load import until
from tests.quota_limiter import CLOCK, COUNT, FLIGHT, Gateway, asks, posting, stored
from tests.redis_server import RedisProcess


async def test_calls_are_renewed_also_in_a_redis_that_lost_its_data(
    gateway: Gateway, redis_server: RedisProcess
) -> None:
    many = posting("concurrency", 1000)
    reservations = [await gateway.allowed(many) for _ in range(RENEWALS + 1)]
    redis_server.ask("FLUSHALL")
    await gateway.limiter.outage.in_flight.renew()
    assert redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == RENEWALS + 1
    for reservation in reservations:
        reservation.release()
    await gateway.is_settled()
    await gateway.limiter.outage.in_flight.renew()
    assert stored(redis_server) == set()


async def test_calls_are_renewed_when_heartbeats_fail(redis_server: RedisProcess) -> None:
    """In a cluster the node that has them may be away."""
    gateway = Gateway(redis_server.url)
    gateway.limiter._heartbeat._command = pack(b"NOSUCH")
    async with gateway:
        await gateway.allowed(FLIGHT)
        redis_server.ask("FLUSHALL")
        gateway.limiter._wake.set()
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 1)


async def test_calls_are_renewed_on_all_nodes_that_can_be_reached() -> None:
    renewed: list[str] = []

    async def call(command: bytes, tag: str) -> RedisReply:
        assert b"put" in command
        renewed.append(tag)
        return LOST if tag == "away" else 1

    in_flight = CallsInFlight(call, Settlements("gw:", call, CLOCK.monotonic), MemoryQuotas(CLOCK))
    for tag in ("away", "there"):
        in_flight.track(asks(Posting(f"{{{tag}}}:f", FLIGHT.meter)), "u", in_redis=True)
    await in_flight.renew()
    assert renewed == ["away", "there"]
    assert repr(in_flight) == "<CallsInFlight 2 units of 2 meters>"


async def test_a_call_that_has_ended_has_done_so_for_every_gateway(redis_server: RedisProcess) -> None:
    """Otherwise a caller that asks one gateway after another would have two calls in flight."""
    single = posting("concurrency", 1)
    async with Gateway(redis_server.url) as one, Gateway(redis_server.url) as other:
        for gateway in (one, other) * 50:
            over = (await gateway.allowed(single)).release()
            assert over is not None
            await over


async def test_units_that_nobody_renews_end_by_themselves(redis_server: RedisProcess) -> None:
    short = Posting("{a}:f", Meter("f", "concurrency", 1, "key", QUOTA_SPENT, lasts_ms=100))
    async with Gateway(redis_server.url) as one, Gateway(redis_server.url) as other:
        await one.allowed(short)
        await other.refused(short)
        began = time.monotonic()
        async with asyncio.timeout(5):
            while not (await other.limiter.decide(asks(short))).allowed:
                pass
        assert time.monotonic() - began > 0.05


async def test_a_unit_that_redis_does_not_have_needs_no_release() -> None:
    settled: list[str] = []

    async def call(command: bytes, tag: str) -> RedisReply:
        settled.append(tag)
        return AWAY

    memory = MemoryQuotas(CLOCK)
    in_flight = CallsInFlight(call, Settlements("gw:", call, CLOCK.monotonic), memory)
    claim = asks(FLIGHT)
    memory.begin(FLIGHT, 0, ["u"])
    in_flight.track(claim, "u", in_redis=False)
    assert list(in_flight.units(FLIGHT.key)) == ["u"]
    await in_flight.renew()
    assert settled == ["a"]
    assert in_flight.untrack(claim, "u") is None
    assert (list(in_flight.units(FLIGHT.key)), memory.empty) == ([], True)
    assert in_flight.untrack(asks(COUNT), "u") is None

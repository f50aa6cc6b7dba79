"""remote/redis_quotas.py: what stands in Redis, who leaves in between, and what a gateway does while Redis is away."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Self

import pytest

from gateway.kernel.bucket import Claim, Decision, OnFailure, Window
from gateway.kernel.clock import Clock
from gateway.kernel.faults import QUOTA_SPENT, GatewayError
from gateway.kernel.quota import LEASE_MS, Hold, Kind, Meter, Posting
from gateway.remote import redis_quotas as module
from gateway.remote.redis_limiter import RedisLimiter
from tests.limiter_load import until
from tests.redis_server import RedisServer

CLOCK = Clock(time.monotonic, time.time)
GENEROUS_S = 5.0


def posting(kind: Kind, most: int = 2, *, monthly: bool = False) -> Posting:
    return Posting(f"{{a}}:{kind}", Meter(kind, kind, most, "key", QUOTA_SPENT, monthly, LEASE_MS if kind == "concurrency" else 60_000))


def asks(*postings: Posting) -> Claim:
    return Claim((), (), postings=postings)


COUNT, SUM, LEVEL, FLIGHT = (posting(kind) for kind in ("count", "sum", "level", "concurrency"))
MONTHLY = posting("count", monthly=True)
RELEASE = Posting(LEVEL.key, LEVEL.meter, "release")


class Gateway:
    """A limiter, and what it says of the state of Redis."""

    def __init__(self, url: str, on_failure: OnFailure = "local", timeout_s: float = GENEROUS_S) -> None:
        self.states: list[bool] = []
        self.limiter = RedisLimiter(url, "gw", timeout_s, on_failure, CLOCK, lambda up, reason: self.states.append(up))

    async def __aenter__(self) -> Self:
        await self.limiter.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.limiter.close()

    async def allowed(self, *postings: Posting) -> Hold:
        decided = await self.limiter.decide(asks(*postings))
        assert decided.allowed
        assert decided.hold is not None
        return decided.hold

    async def refused(self, *postings: Posting) -> Decision:
        decided = await self.limiter.decide(asks(*postings))
        assert not decided.allowed
        return decided

    async def is_up(self, up: bool) -> None:
        await until(lambda: self.states[-1:] == [up])

    async def is_settled(self) -> None:
        await until(lambda: self.limiter.quotas.settlements.owed == 0)


@pytest.fixture
async def gateway(redis_server: RedisServer) -> AsyncIterator[Gateway]:
    async with Gateway(redis_server.url) as gateway:
        yield gateway


def stored(server: RedisServer) -> set[str]:
    """The names of all keys but those of the gateways."""
    return {key.decode() for key in server.ask("KEYS", "*") if b"{a}" in key}


class TestWhatStandsInRedis:
    async def test_a_month_expires_with_it_and_what_is_for_ever_does_not(self, gateway: Gateway, redis_server: RedisServer) -> None:
        now = datetime.now(UTC)
        turn = datetime(now.year + now.month // 12, now.month % 12 + 1, 1, tzinfo=UTC)
        await gateway.allowed(MONTHLY)
        await gateway.allowed(Posting("{a}:ever", COUNT.meter))
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"1:%d" % (now.year * 12 + now.month - 1)
        assert redis_server.ask("PEXPIRETIME", "gw:1:{a}:count") == turn.timestamp() * 1000 + 1000
        assert (redis_server.ask("GET", "gw:1:{a}:ever"), redis_server.ask("PTTL", "gw:1:{a}:ever")) == (b"1:0", -1)

    async def test_units_expire(self, gateway: Gateway, redis_server: RedisServer) -> None:
        await gateway.allowed(LEVEL, FLIGHT)
        assert 59_000 < redis_server.ask("PTTL", "gw:1:{a}:level") <= 61_000
        assert LEASE_MS - 1000 < redis_server.ask("PTTL", "gw:1:{a}:concurrency") <= LEASE_MS + 1000
        assert redis_server.ask("ZCARD", "gw:1:{a}:level") == 1

    async def test_a_refused_call_writes_nothing(self, gateway: Gateway, redis_server: RedisServer) -> None:
        await gateway.allowed(Posting("{a}:full", posting("count", 1).meter))
        refused = await gateway.refused(COUNT, SUM, LEVEL, FLIGHT, Posting("{a}:full", posting("count", 1).meter))
        assert (refused.hold, stored(redis_server)) == (None, {"gw:1:{a}:full"})

    async def test_a_failed_and_a_finished_call_leave_nothing(self, gateway: Gateway, redis_server: RedisServer) -> None:
        hold = await gateway.allowed(COUNT, LEVEL, FLIGHT)
        settled = hold.settle(False, {})
        assert settled is not None
        await settled
        hold.end()
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert {name for name in stored(redis_server) if "settled" not in name} == {"gw:1:{a}:count"}

    async def test_only_what_is_added_needs_not_be_waited_for(self, gateway: Gateway) -> None:
        assert (await gateway.allowed(SUM)).settle(True, {"sum": 2}) is None
        assert (await gateway.allowed(COUNT)).settle(True, {}) is None
        assert (await gateway.allowed(RELEASE)).settle(True, {}) is not None
        await gateway.is_settled()
        assert (await gateway.refused(SUM)).spent[0].used == 2

    async def test_a_value_that_is_none_of_ours_is_replaced(self, gateway: Gateway, redis_server: RedisServer) -> None:
        redis_server.ask("SET", "gw:1:{a}:count", "garbage")
        await gateway.allowed(COUNT)
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"1:0"

    async def test_commands_are_packed_once_and_in_bounded_memory(self, gateway: Gateway) -> None:
        claim = asks(COUNT)
        first, second = gateway.limiter.quotas._command(claim, "0" * 28), gateway.limiter.quotas._command(claim, "1" * 28)
        assert second == first.replace(b"0" * 28, b"1" * 28)
        for _ in range(module.MAX_COMMANDS + 1):
            gateway.limiter.quotas._command(asks(COUNT), "0" * 28)
        assert len(gateway.limiter.quotas._commands) <= module.MAX_COMMANDS


class TestWhoLeavesBeforeTheAnswer:
    async def test_leaves_nothing_behind(self, gateway: Gateway, redis_server: RedisServer) -> None:
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT, LEVEL, FLIGHT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter.quotas._asking)
        await gateway.is_settled()
        assert redis_server.ask("GET", "gw:1:{a}:count") == b"0:0"
        assert (gateway.limiter.quotas._flying, redis_server.ask("EXISTS", "gw:1:{a}:level", "gw:1:{a}:concurrency")) == ({}, 0)

    async def test_or_is_refused(self, gateway: Gateway, redis_server: RedisServer) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        redis_server.hang()
        asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT)))
        await asyncio.sleep(0)
        asked.cancel()
        await asyncio.wait([asked])
        redis_server.go_on()
        await until(lambda: not gateway.limiter.quotas._asking)
        assert (await gateway.refused(COUNT)).spent[0].used == 2

    async def test_or_is_never_told(self, redis_server: RedisServer) -> None:
        async with Gateway(redis_server.url, timeout_s=0.2) as gateway:
            redis_server.hang()
            asked = asyncio.ensure_future(gateway.limiter.decide(asks(COUNT, LEVEL)))
            await asyncio.sleep(0)
            asked.cancel()
            await until(lambda: not gateway.limiter.quotas._asking and gateway.limiter.quotas.settlements.owed == 1)
            redis_server.go_on()
            await gateway.is_settled()
            assert redis_server.ask("ZCARD", "gw:1:{a}:level") == 0


class TestCallsInFlight:
    async def test_are_renewed_and_come_back_to_a_redis_that_lost_them(self, gateway: Gateway, redis_server: RedisServer) -> None:
        many = posting("concurrency", 1000)
        holds = [await gateway.allowed(many) for _ in range(module.RENEWALS + 1)]
        redis_server.ask("FLUSHALL")
        await gateway.limiter.quotas.renew()
        assert redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == module.RENEWALS + 1
        for hold in holds:
            hold.end()
        await gateway.is_settled()
        await gateway.limiter.quotas.renew()
        assert stored(redis_server) == set()

    async def test_of_a_gateway_that_says_nothing_end_by_themselves(self, redis_server: RedisServer) -> None:
        short = Posting("{a}:f", Meter("f", "concurrency", 1, "key", QUOTA_SPENT, lasts_ms=100))
        async with Gateway(redis_server.url) as one, Gateway(redis_server.url) as other:
            await one.allowed(short)
            await other.refused(short)
            began = time.monotonic()
            async with asyncio.timeout(5):
                while not (await other.limiter.decide(asks(short))).allowed:
                    pass
            assert time.monotonic() - began > 0.05


class TestWithoutRedis:
    async def test_a_gateway_has_its_share_of_what_was_left(self, gateway: Gateway, redis_server: RedisServer) -> None:
        eight, ten = posting("level", 8), posting("count", 10)
        for _ in range(4):
            await gateway.allowed(eight, ten)
        gateway.limiter.fallback.gateways = 2
        redis_server.kill()
        await gateway.is_up(False)
        for _ in range(2):
            await gateway.allowed(eight, ten)
        assert [(state.meter.id, state.used) for state in (await gateway.refused(eight, ten)).spent] == [("level", 8)]
        await gateway.allowed(ten)
        assert (await gateway.refused(ten)).spent[0].used == 10

    async def test_at_least_one_unless_nothing_was_left(self, gateway: Gateway, redis_server: RedisServer) -> None:
        for _ in range(2):
            await gateway.allowed(COUNT)
        gateway.limiter.fallback.gateways = 9
        redis_server.kill()
        await gateway.is_up(False)
        await gateway.refused(COUNT)
        await gateway.allowed(LEVEL)
        await gateway.refused(LEVEL)

    async def test_calls_in_flight_count_wherever_they_began(self, gateway: Gateway, redis_server: RedisServer) -> None:
        before = await gateway.allowed(FLIGHT)
        redis_server.kill()
        await gateway.is_up(False)
        meanwhile = await gateway.allowed(FLIGHT)
        await gateway.refused(FLIGHT)
        await gateway.limiter.quotas.renew()
        redis_server.start()
        await gateway.is_up(True)
        await until(lambda: redis_server.ask("ZCARD", "gw:1:{a}:concurrency") == 2)
        await gateway.refused(FLIGHT)
        before.end()
        meanwhile.end()
        await gateway.is_settled()
        assert redis_server.ask("EXISTS", "gw:1:{a}:concurrency") == 0

    async def test_what_it_let_through_is_charged_when_redis_is_back(self, gateway: Gateway, redis_server: RedisServer) -> None:
        early = await gateway.allowed(RELEASE, SUM)
        redis_server.kill()
        await gateway.is_up(False)
        early.settle(True, {"sum": 5})
        for succeeded in (True, False):
            hold = await gateway.allowed(COUNT, LEVEL, SUM)
            hold.settle(succeeded, {"sum": 1})
            hold.settle(succeeded, {"sum": 1})
            hold.end()
        await gateway.allowed(COUNT)
        redis_server.start()
        await gateway.is_up(True)
        await gateway.is_settled()
        assert [redis_server.ask("GET", f"gw:1:{{a}}:{name}") for name in ("count", "sum")] == [b"1:0", b"6:0"]
        assert redis_server.ask("ZCARD", "gw:1:{a}:level") in {0, 1}  # the release may have come after the charge
        assert repr(gateway.limiter.fallback.memory.ledger) == "<Ledger 0 tallies, 0 sets of units>"

    async def test_under_allow_only_what_replies_say_is_kept(self, redis_server: RedisServer) -> None:
        async with Gateway(redis_server.url, "allow") as gateway:
            redis_server.kill()
            await gateway.is_up(False)
            for _ in range(3):
                hold = await gateway.allowed(COUNT, SUM, FLIGHT)
                hold.settle(True, {"sum": 1})
                hold.end()
            redis_server.start()
            await gateway.is_up(True)
            await gateway.is_settled()
            assert stored(redis_server) - {name for name in stored(redis_server) if "settled" in name} == {"gw:1:{a}:sum"}

    async def test_under_deny_nothing_is_let_through(self, redis_server: RedisServer) -> None:
        async with Gateway(redis_server.url, "deny") as gateway:
            redis_server.kill()
            await gateway.is_up(False)
            with pytest.raises(GatewayError):
                await gateway.limiter.decide(asks(COUNT))

    async def test_a_month_that_is_over_is_not_what_was_left(self, gateway: Gateway, redis_server: RedisServer) -> None:
        await gateway.allowed(MONTHLY)
        known = gateway.limiter.quotas._known
        assert known["{a}:count"][0] == 1
        known["{a}:count"] = (2, known["{a}:count"][1] - 1)
        redis_server.kill()
        await gateway.is_up(False)
        for _ in range(2):
            await gateway.allowed(MONTHLY)
        await gateway.refused(MONTHLY)

    async def test_what_is_known_is_bounded(self, gateway: Gateway) -> None:
        known = gateway.limiter.quotas._known
        known.update({f"{number}": (1, 0) for number in range(module.MAX_KNOWN + 1)})
        await gateway.allowed(COUNT)
        assert set(known) == {"{a}:count"}


async def test_windows_and_meters_are_under_one_tag() -> None:
    window = Window("w", 1, 1_000_000, None)
    assert asks(COUNT).tag == Claim(("{a}:w",), (window,), postings=(COUNT,)).tag == "a"

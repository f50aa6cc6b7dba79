"""limiter/quota_shares.py: what memory counts in place of Redis, and from where it begins."""

from gateway.limiter.calls_in_flight import CallsInFlight
from gateway.limiter.memory_quotas import MemoryQuotas
from gateway.limiter.quota_shares import MAX_KNOWN, QuotaShares
from gateway.limiter.settlements import Settlements
from gateway.redis_client.connection import RedisReply
from gateway.redis_client.server import AWAY
from tests.quota_limiter import CLOCK, FLIGHT, LEVEL, asks


async def no_redis(command: bytes, tag: str) -> RedisReply:
    return AWAY


def made() -> tuple[QuotaShares, CallsInFlight]:
    memory = MemoryQuotas(CLOCK)
    in_flight = CallsInFlight(no_redis, Settlements("gw:", no_redis, CLOCK.monotonic), memory)
    return QuotaShares(memory, in_flight), in_flight


def spent(shares: QuotaShares) -> list[int]:
    return [state.used for state in shares.memory.spent((LEVEL,))]


def test_the_last_reply_counts_when_one_reply_after_another_is_late() -> None:
    shares, _ = made()
    for used, expected in ((2, [2]), (1, [])):
        shares.redis_replied([(LEVEL.key, used)], 0)
        for _ in range(2):
            shares.seed((LEVEL,), 1)
        assert spent(shares) == expected
    shares.memory.reserve((LEVEL,))
    shares.seed((LEVEL,), 1)
    assert spent(shares) == [2]


def test_memory_begins_with_the_calls_that_are_in_flight() -> None:
    shares, in_flight = made()
    in_flight.track(asks(FLIGHT), "u", in_redis=True)
    shares.seed((FLIGHT,), 1)
    assert [state.used for state in shares.memory.read((FLIGHT,))] == [1]


def test_a_meter_that_is_forgotten_begins_with_nothing_used() -> None:
    shares, _ = made()
    shares.redis_replied([(LEVEL.key, 2)], 0)
    shares.seed((LEVEL,), 1)
    shares.forget(LEVEL.key)
    shares.seed((LEVEL,), 1)
    assert [state.used for state in shares.memory.read((LEVEL,))] == [0]
    assert repr(shares) == "<QuotaShares 0 known, 1 counted here>"


def test_the_meters_that_are_remembered_are_bounded() -> None:
    shares, _ = made()
    shares.last.update({f"{number}": (1, 0) for number in range(MAX_KNOWN + 1)})
    shares.redis_replied([(LEVEL.key, 1)], 0)
    assert shares.last == {LEVEL.key: (1, 0)}

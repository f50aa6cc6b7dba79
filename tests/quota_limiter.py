"""A Redis limiter with quotas, for tests with a real Redis."""

import time
from typing import Self

from gateway.kernel.clock import Clock
from gateway.kernel.faults import QUOTA_SPENT
from gateway.kernel.limits.quota import LEASE_MS, Meter, MeterKind, Posting, Reservation
from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure
from gateway.limiter.redis_limiter import RedisLimiter
from tests.limiter_load import until
from tests.redis_server import RedisProcess

CLOCK = Clock(time.monotonic, time.time)
GENEROUS_S = 5.0


def posting(kind: MeterKind, most: int = 2, *, monthly: bool = False) -> Posting:
    return Posting(
        f"{{a}}:{kind}",
        Meter(kind, kind, most, "key", QUOTA_SPENT, monthly, LEASE_MS if kind == "concurrency" else 60_000),
    )


def asks(*postings: Posting) -> Claim:
    return Claim((), (), postings=postings)


COUNT, SUM, LEVEL, FLIGHT = (posting(kind) for kind in ("count", "sum", "level", "concurrency"))
MONTHLY = posting("count", monthly=True)
RELEASE = Posting(LEVEL.key, LEVEL.meter, "release")


class Gateway:
    """A limiter, and the states of Redis that it has reported."""

    def __init__(self, url: str, on_failure: OnFailure = "local", timeout_s: float = GENEROUS_S) -> None:
        self.states: list[bool] = []
        self.limiter = RedisLimiter(url, "gw", timeout_s, on_failure, CLOCK, lambda up, reason: self.states.append(up))

    async def __aenter__(self) -> Self:
        await self.limiter.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.limiter.close()

    async def allowed(self, *postings: Posting) -> Reservation:
        decided = await self.limiter.decide(asks(*postings))
        assert decided.allowed
        assert decided.reservation is not None
        return decided.reservation

    async def refused(self, *postings: Posting) -> Decision:
        decided = await self.limiter.decide(asks(*postings))
        assert not decided.allowed
        return decided

    async def is_up(self, *, up: bool) -> None:
        await until(lambda: self.states[-1:] == [up])

    async def is_settled(self) -> None:
        await until(lambda: self.limiter.outage.settlements.owed == 0)


def stored(server: RedisProcess) -> set[str]:
    """The names of all keys in Redis except heartbeats of gateways and marks."""
    return {key.decode() for key in server.ask("KEYS", "*") if b"{a}" in key and b"/" not in key}

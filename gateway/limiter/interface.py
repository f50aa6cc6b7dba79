"""What every store of rate limits promises.

The guarantee is each window's own. `burst`: a bucket holds `max` tokens and is refilled at `max` per `per`. So nobody ever
gets more than `max` at once, nor more than 2 x `max` within any `per` (a full bucket, and what comes back while it is
emptied). `any-window`: nobody ever gets more than `max` within any `per`.
1. All windows of a claim are decided together, in one step: it is charged to all of them or to none.
2. A refused call costs nothing; its answer says when the same call would fit, and is never early.
3. State lives at least until its bucket is full again, when it says no more than its absence does.
4. `tests/contracts/test_limiters.py` holds for every store, and each agrees with `gateway.kernel.limits.token_bucket` to the token.
"""

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure
from gateway.redis_client.status import RedisStatus


class Limiter(Protocol):
    """A store of buckets."""

    async def decide(self, claim: Claim) -> Decision:
        """Takes the claim's cost out of every one of its windows, or says why not. A cost of 0 looks and takes nothing.

        Without any windows, all is allowed. A window is known by its key: one that was changed keeps what was used.
        Raises GatewayError (LIMITER_UNAVAILABLE) when the store is away and the operator wants calls refused then.
        """
        ...

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """What the meters say, which are all under one tag, at no cost. Raises what `decide` raises."""
        ...


class Condition(msgspec.Struct):
    """How a limiter is. `decides` is who does, or what limits do while Redis is away that say nothing else.

    `buckets` are those in memory, `debts` those of them that Redis is still to be told of, `refusals` what is remembered of it.
    """

    store: str
    decides: Literal["memory", "redis"] | OnFailure
    redis: RedisStatus | None
    buckets: int
    debts: int
    refusals: int


class TendedLimiter(Limiter, Protocol):
    """One that operators can look into."""

    def condition(self) -> Condition:
        """Now."""
        ...

    async def renew(self, keys: Sequence[str]) -> bool:
        """Make buckets, by their keys in claims, as good as never used. False: Redis could not be told."""
        ...

    async def forget(self, key: str) -> bool:
        """Make a meter, by its key in postings, say that nothing is used. False: Redis could not be told."""
        ...

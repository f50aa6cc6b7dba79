"""The interface and the guarantees of limiters.

The guarantee is that of each window. `burst`: a bucket holds `max` tokens and is refilled at `max` per `per`. So nobody
gets more than `max` at once, nor more than 2 x `max` within any `per` (a full bucket, and what comes back while it is
emptied). `any-window`: nobody gets more than `max` within any `per`.
1. All windows of a claim are decided together, in one step: the claim is charged to all of them or to none.
2. A refused call costs nothing. Its decision says when the same call would fit, and is never early.
3. State lives at least until its bucket is full again, when it means the same as no state.
4. `tests/contracts/test_limiters.py` holds for every limiter, and each agrees with `gateway.kernel.limits.token_bucket`
   to the token.
"""

from collections.abc import Awaitable, Sequence
from typing import Literal, Protocol

import msgspec

from gateway.kernel.limits.quota import MeterState, Posting
from gateway.kernel.limits.token_bucket import Claim, Decision, OnFailure
from gateway.redis_client.client import RedisCall
from gateway.redis_client.status import RedisStatus


class Condition(msgspec.Struct):
    """The state of a limiter, for operators.

    `store` is what counts calls while nothing is wrong. `decides` is who decides; while Redis is away, what limits do
    that have no `on_failure` of their own. `redis` is None for a limiter without Redis. `buckets` counts those in
    memory, `debts` those of them that Redis has not been charged for yet, `refusals` the refusals of Redis that are
    remembered.
    """

    store: Literal["memory", "redis"]
    decides: Literal["memory", "redis"] | OnFailure
    redis: RedisStatus | None
    buckets: int
    debts: int
    refusals: int


class LimiterState(msgspec.Struct, frozen=True):
    """What a limiter hands over to its successor in another process of this machine; both parts are opaque.

    `memory` is the content of a limiter without Redis, `outage` what one with Redis knows and owes beside Redis. Either
    is empty when there is none.
    """

    memory: bytes = b""
    outage: bytes = b""


class Decider(Protocol):
    """The part of a limiter that requests need."""

    def decide(self, claim: Claim) -> Awaitable[Decision]:
        """Take the claim's cost out of all of its windows, or return why not. A cost of 0 asks and takes nothing.

        A claim without windows and postings is always allowed. A window is known by its key: when its limit is changed,
        what was used of it stays used. Raises GatewayError LIMITER_UNAVAILABLE when Redis is away and the limit refuses
        calls then.
        """
        ...

    async def read(self, postings: Sequence[Posting]) -> list[MeterState]:
        """Return the states of the meters, which all have one hash tag, at no cost. Raises what `decide` raises."""
        ...


class Limiter(Decider, Protocol):
    """A limiter as the process that runs it sees it: `start` before the first decision, `close` after the last."""

    @property
    def call(self) -> RedisCall | None:
        """The connection to the Redis that has the limits, for others who keep something there; None without Redis."""
        ...

    @property
    def owed(self) -> int:
        """The number of ended calls that the meters in Redis have not been charged with yet."""
        ...

    @property
    def lost(self) -> int:
        """The number of ended calls that are lost to the meters in Redis, which was away for too long."""
        ...

    def condition(self) -> Condition:
        """Return the present state, for operators."""
        ...

    async def renew(self, keys: Sequence[str]) -> bool:
        """Fill buckets, given by their keys in claims. Return False when Redis could not be reached."""
        ...

    async def forget(self, key: str) -> bool:
        """Set a meter, given by its key in postings, back to nothing used.

        Return False when Redis could not be reached.
        """
        ...

    async def start(self) -> None:
        """Connect. Returns when Redis was reached or found away: after a few seconds at most."""
        ...

    async def close(self) -> None:
        """Finish what is under way, and disconnect."""
        ...

    def hand_over(self) -> LimiterState:
        """Return what a successor has to know. What is owed to Redis until now is owed by the successor from now on."""
        ...

    def adopt(self, state: LimiterState, *, share_only: bool = False) -> None:
        """Take over what another limiter handed over, besides what is known here.

        With `share_only` another limiter charges what it owes. Raises msgspec.MsgspecError for a state that cannot be
        read.
        """
        ...

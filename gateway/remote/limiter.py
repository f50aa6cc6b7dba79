"""What every store of rate limits promises.

The guarantee: a bucket holds `max` tokens and is refilled at `max` per `per`. So nobody ever gets more than `max` at
once, nor more than 2 x `max` within any `per` (a full bucket, and what comes back while it is emptied).
1. All windows of a call are decided together, in one step: it is charged to all of them or to none.
2. A refused call costs nothing; its answer says when the same call would fit, and is never early.
3. State lives at least until its bucket is full again, when it says no more than its absence does.
4. `tests/contracts/test_limiters.py` holds for every store, and each agrees with `gateway.kernel.bucket` to the token.
"""

from typing import Protocol

from gateway.kernel.bucket import Decision, Window


class Limiter(Protocol):
    """A store of buckets."""

    async def decide(self, bucket: str, windows: tuple[Window, ...], cost: int = 1) -> Decision:
        """Takes `cost` tokens out of every window of `bucket`, or says why not. A cost of 0 looks and takes nothing.

        The ids of `windows` are unique; without any, all is allowed. `bucket` reaches the store: it is a hash.
        Raises GatewayError (LIMITER_UNAVAILABLE) when the store is away and the operator wants calls refused then.
        """
        ...

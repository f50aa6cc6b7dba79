"""The decision about a call for which Redis was asked, and one that is known already. Callers await either."""

from collections.abc import Generator
from typing import Any

import msgspec

from gateway.kernel.limits.token_bucket import Claim, Decision
from gateway.kernel.struct_attributes import set_as_slots
from gateway.net.waiter import Waiter
from gateway.redis_client.connection import RedisReply


class ReplyReader:
    """The limiter that has asked."""

    def decided(self, claim: Claim, reply: RedisReply, asked_s: float) -> Decision:
        """Return the decision about a claim for which Redis was asked at `asked_s`, and which got `reply`.

        Raises GatewayError LIMITER_UNAVAILABLE.
        """
        raise NotImplementedError


@set_as_slots
class PendingDecision(Waiter[RedisReply]):
    """The decision about `claim`, for which `limiter` has asked at `asked_s`. It is completed with the reply of Redis.

    Who awaits it goes on within the callback that brings the reply, without a coroutine for each decision.
    """

    claim: Claim
    limiter: ReplyReader
    asked_s: float

    def __await__(self) -> Generator[Any, Any, Decision]:  # type: ignore[override]  # not the reply itself
        """Wait for the reply and return the decision. Raises GatewayError LIMITER_UNAVAILABLE."""
        if not self.done:  # what `Waiter.__await__` does, without a second generator for each decision
            self._asyncio_future_blocking = True
            yield self
        reply: RedisReply = self.value if self.error is None else self.result()  # type: ignore[assignment]  # it is set
        return self.limiter.decided(self.claim, reply, self.asked_s)


class KnownDecision(msgspec.Struct, eq=False, gc=False):
    """A decision that was made without a wait."""

    decision: Decision

    def __await__(self) -> Generator[Any, Any, Decision]:
        """Return the decision."""
        yield from ()
        return self.decision

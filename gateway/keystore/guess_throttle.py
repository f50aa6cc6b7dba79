"""Throttles clients that try unknown keys."""

from gateway.kernel.clock import Clock
from gateway.kernel.faults import RATE_LIMITED, GatewayError
from gateway.kernel.limits.ratelimit_headers import retry_after_s
from gateway.kernel.limits.token_bucket import Decision, Window, claim
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.table.keyring import network_of

WINDOW = Window("guesses", 600, 60_000_000, None)
"""The limit of one address (of IPv6, one /64 network) at one worker: enough for many people behind it, some of whom
mistype.
"""
MAX_CLIENTS = 20_000


class GuessThrottle:
    """Counts unknown keys, by the address that sent them."""

    def __init__(self, clock: Clock) -> None:
        self._limiter = LocalLimiter(clock, max_buckets=MAX_CLIENTS)

    def refusal(self, address: str) -> GatewayError | None:
        """Return RATE_LIMITED when `address` has to wait before it may try one more unknown key, None otherwise."""
        if self._decide(address, 0).states[0].remaining:
            return None
        return GatewayError(
            RATE_LIMITED,
            developer_message="Too many unknown API keys came from this address. Wait as long as Retry-After says.",
            retry_after_s=retry_after_s(self._decide(address, 1).states),
        )

    def count(self, address: str) -> None:
        """Count one more unknown key."""
        self._decide(address, 1)

    def _decide(self, address: str, cost: int) -> Decision:
        return self._limiter.decide_now(claim(network_of(address), (WINDOW,), cost))

"""Who tries keys that there are not: so many a client, and then it has to wait."""

from gateway.kernel.clock import Clock
from gateway.kernel.faults import RATE_LIMITED, GatewayError
from gateway.kernel.limits.ratelimit_headers import retry_after_s
from gateway.kernel.limits.token_bucket import Decision, Window, claim
from gateway.limiter.memory_limiter import LocalLimiter
from gateway.table.keyring import network_of

WINDOW = Window("guesses", 600, 60_000_000, None)
"""Of a client's address (an IPv6 one's /64 network) at one worker: enough for many people behind one address, of whom some mistype."""
MOST_GUESSERS = 20_000


class GuessThrottle:
    """Counts keys that turned out to be nobody's, by the address that sent them."""

    def __init__(self, clock: Clock) -> None:
        self._limiter = LocalLimiter(clock, max_buckets=MOST_GUESSERS)

    def refuse(self, address: str) -> None:
        """Raises GatewayError RATE_LIMITED when `address` has to wait before one more unknown key is looked for."""
        if self._decide(address, 0).states[0].remaining:
            return
        raise GatewayError(
            RATE_LIMITED,
            developer_message="Too many unknown API keys came from this address. Wait as long as Retry-After says.",
            retry_after_s=retry_after_s(self._decide(address, 1).states),
        )

    def count(self, address: str) -> None:
        """One more that was nobody's."""
        self._decide(address, 1)

    def _decide(self, address: str, cost: int) -> Decision:
        return self._limiter.decide_now(claim(network_of(address), (WINDOW,), cost))

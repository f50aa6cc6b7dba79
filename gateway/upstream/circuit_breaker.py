"""A circuit breaker: does not call an upstream that has failed too often, but answers at once.

    closed      calls go through; `consecutive_failures` of them in a row without an answer open it
    open        no call goes through, for longer each time
    half open   then one call tries: its answer closes the circuit, its failure opens it again

All workers of the node have one circuit for an upstream. How many calls have failed each counts for itself.
"""

import math
from collections.abc import Callable
from typing import Protocol

import msgspec

from gateway.kernel.backoff import backoff_s
from gateway.kernel.clock import Clock
from gateway.kernel.faults import UPSTREAM_CIRCUIT_OPEN, GatewayError
from gateway.upstream.call import Answer, Call
from gateway.upstream.shared_state import UpstreamRow
from gateway.upstream.target import Target
from gateway.upstream.upstream import Upstream


class Breaking(msgspec.Struct, frozen=True):
    """When the circuit opens, and for how long: `first_s`, and at most `longest_s`."""

    consecutive_failures: int
    first_s: float
    longest_s: float


class Watcher(Protocol):
    """Is told of changes, once each, by whoever brings them about."""

    def opened(self, for_s: float) -> None: ...

    def closed(self) -> None: ...


class CircuitBreaker:
    """Calls `behind` unless its circuit is open."""

    def __init__(
        self, behind: Target | Upstream, row: UpstreamRow, rules: Breaking, watcher: Watcher, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self.id = behind.id
        self.behind = behind
        self._row = row
        self._rules = rules
        self._watcher = watcher
        self._clock = clock
        self._chance = chance
        self._failures = 0

    def __repr__(self) -> str:
        return f"<CircuitBreaker {'open' if self._row.opens else 'closed'}, {self._failures} failures in a row, before {self.behind}>"

    @property
    def targets(self) -> tuple[Target, ...]:
        return self.behind.targets

    @property
    def idle(self) -> int:
        return self.behind.idle

    @property
    def active(self) -> int:
        return self.behind.active

    @property
    def pending(self) -> int:
        return self.behind.pending

    async def send(self, call: Call) -> Answer:
        """As what is behind does. Raises GatewayError (UPSTREAM_CIRCUIT_OPEN) as well."""
        trial = self._row.opens > 0
        if trial:
            self._begin_trial(call)
        try:
            answer = await self.behind.send(call)
        except GatewayError as error:
            if error.fault.against_target:
                self._failed(trial)
            elif trial:
                self._row.trial_until = 0.0
            raise
        except BaseException:  # whoever left says nothing of the upstream: the next one tries
            if trial:
                self._row.trial_until = 0.0
            raise
        self._failures = 0
        if trial and self._row.opens:
            self._row.opens = self._row.trial_until = 0.0
            self._watcher.closed()
        return answer

    async def close(self) -> None:
        await self.behind.close()

    def _begin_trial(self, call: Call) -> None:
        """Raises GatewayError while the circuit is open, or somebody else tries."""
        row, now = self._row, self._clock.monotonic()
        if now < row.open_until:
            left_s = math.ceil(row.open_until - now)
            raise GatewayError(UPSTREAM_CIRCUIT_OPEN, retry_after_s=left_s, cause=f"{self.id}: the circuit is open")
        if now < row.trial_until:
            raise GatewayError(UPSTREAM_CIRCUIT_OPEN, retry_after_s=1, cause=f"{self.id}: another call tries it at present")
        row.trial_until = now + call.connect_timeout_s + call.total_timeout_s

    def _failed(self, trial: bool) -> None:
        self._failures += 1
        row, rules = self._row, self._rules
        if not trial and (row.opens or self._failures < rules.consecutive_failures):
            return
        self._failures = 0
        row.opens += 1
        for_s = backoff_s(rules.first_s, rules.longest_s, row.opens, self._chance())
        row.open_until = self._clock.monotonic() + for_s
        row.trial_until = 0.0
        self._watcher.opened(for_s)

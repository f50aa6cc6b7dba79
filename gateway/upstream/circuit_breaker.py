"""A circuit breaker: stops calls to an upstream that has failed too often, and answers them at once instead.

    closed      calls pass; `consecutive_failures` of them in a row without an answer open the circuit
    open        no call passes, for longer each time
    half open   after that time one call is a trial: its answer closes the circuit, its failure opens it again

All workers of a node share one circuit per upstream. Each worker counts its own failures.
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


class BreakerRules(msgspec.Struct, frozen=True):
    """When the circuit opens, and for how long: `first_s` at first, at most `longest_s`."""

    consecutive_failures: int
    first_s: float
    longest_s: float


class CircuitObserver(Protocol):
    """Is notified of each change once, by the worker that causes it."""

    def opened(self, for_s: float) -> None: ...

    def closed(self) -> None: ...


class CircuitBreaker:
    """Passes calls on to `behind` unless its circuit is open. `chance` returns a random number in [0, 1)."""

    def __init__(
        self,
        behind: Target | Upstream,
        row: UpstreamRow,
        rules: BreakerRules,
        observer: CircuitObserver,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self.id = behind.id
        self.behind = behind
        self._row = row
        self._rules = rules
        self._observer = observer
        self._clock = clock
        self._chance = chance
        self._failures = 0

    def __repr__(self) -> str:
        return (
            f"<CircuitBreaker {'open' if self._row.opens else 'closed'}, {self._failures} failures in a row, "
            f"before {self.behind}>"
        )

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

    @property
    def most_tries(self) -> int:
        return self.behind.most_tries

    async def send(self, call: Call) -> Answer:
        """Do what `behind.send` does. Raises GatewayError (UPSTREAM_CIRCUIT_OPEN) as well."""
        trial = self._row.opens > 0
        if trial:
            self._begin_trial(call)
        try:
            answer = await self.behind.send(call)
        except GatewayError as error:
            if error.fault.against_target:
                self._failed(trial=trial)
            elif trial:
                self._row.trial_until = 0.0
            raise
        except BaseException:  # a cancelled call proves nothing about the upstream: the next call is the trial
            if trial:
                self._row.trial_until = 0.0
            raise
        self._failures = 0
        if trial and self._row.opens:
            self._row.opens = self._row.trial_until = 0.0
            self._observer.closed()
        return answer

    async def close(self) -> None:
        await self.behind.close()

    def _begin_trial(self, call: Call) -> None:
        """Begin a trial. Raises GatewayError while the circuit is open, or another trial is under way."""
        row, now = self._row, self._clock.monotonic()
        if now < row.open_until:
            remaining_s = math.ceil(row.open_until - now)
            raise GatewayError(
                UPSTREAM_CIRCUIT_OPEN, retry_after_s=remaining_s, cause=f"{self.id}: the circuit is open"
            )
        if now < row.trial_until:
            raise GatewayError(
                UPSTREAM_CIRCUIT_OPEN, retry_after_s=1, cause=f"{self.id}: another call tries it at present"
            )
        row.trial_until = now + call.connect_timeout_s + call.total_timeout_s

    def _failed(self, *, trial: bool) -> None:
        self._failures += 1
        row, rules = self._row, self._rules
        if not trial and (row.opens or self._failures < rules.consecutive_failures):
            return
        self._failures = 0
        row.opens += 1
        for_s = backoff_s(rules.first_s, rules.longest_s, row.opens, self._chance())
        row.open_until = self._clock.monotonic() + for_s
        row.trial_until = 0.0
        self._observer.opened(for_s)

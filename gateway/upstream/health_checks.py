"""Checks the targets of an upstream at intervals, and writes the results to the shared state."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.kernel.health import Verdict, judged
from gateway.upstream.health_probe import probe
from gateway.upstream.shared_state import UpstreamRow
from gateway.upstream.target import Target

_SPREAD = 0.1


class HealthCheckRules(msgspec.Struct, frozen=True):
    """How targets are checked: one is healthy when `path` gives a status in one of the inclusive ranges of `expect`."""

    path: str
    interval_s: float
    timeout_s: float
    healthy: int
    unhealthy: int
    expect: tuple[tuple[int, int], ...]


class HealthObserver(Protocol):
    """Is notified of every check, and of every change between up and down. `number` is that of the target."""

    def checked(self, number: int, *, passed: bool) -> None: ...

    def changed(self, number: int, result: int | str, *, up: bool) -> None: ...


class HealthChecks:
    """The checks of one upstream's targets.

    `chance` returns a random number in [0, 1), which spreads checks that begin together.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        row: UpstreamRow,
        checks: HealthCheckRules,
        observer: HealthObserver,
        clock: Clock,
        chance: Callable[[], float],
    ) -> None:
        self._targets = targets
        self._row = row
        self._checks = checks
        self._path = checks.path.encode()
        self._observer = observer
        self._clock = clock
        self._chance = chance
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return (
            f"<HealthChecks {self._checks.path} of {len(self._targets)} targets, "
            f"{'going on' if self._tasks else 'not going on'}>"
        )

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._check_repeatedly(number)) for number in range(len(self._targets))]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _check_repeatedly(self, number: int) -> None:
        interval_s = self._checks.interval_s
        await asyncio.sleep(interval_s * self._chance())
        while True:
            await self._check(number)
            await asyncio.sleep(interval_s * (1 - _SPREAD + 2 * _SPREAD * self._chance()))

    async def _check(self, number: int) -> None:
        target, checks = self._targets[number], self._checks
        try:
            status = await probe(target.endpoint, target.origin, self._path, checks.timeout_s, target.names)
        except GatewayError as error:
            self._record(number, error.fault.name, passed=False)
        else:
            self._record(number, status, passed=any(first <= status <= last for first, last in checks.expect))

    def _record(self, number: int, result: int | str, *, passed: bool) -> None:
        row, checks = self._row.targets[number], self._checks
        before = row.findings
        row.findings = after = judged(before, checks.healthy, checks.unhealthy, passed=passed)
        row.checked_at = self._clock.wall()
        row.result = result
        self._observer.checked(number, passed=passed)
        if after.verdict is not before.verdict:
            up = after.verdict is Verdict.UP
            if up:  # a healthy target need not wait for the end of its ejection
                row.ejected_until = row.trial_until = 0.0
                # One of several targets is tried by one call first.
                row.ejections = (
                    max(row.ejections, float(before.verdict is Verdict.DOWN)) if len(self._row.targets) > 1 else 0.0
                )
            self._row.version = self._clock.monotonic()
            if not up or before.verdict is Verdict.DOWN:
                self._observer.changed(number, result, up=up)

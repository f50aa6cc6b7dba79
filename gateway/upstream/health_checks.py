"""Checks the targets of an upstream, each again and again, and writes on the board what that says of them."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from gateway.kernel.clock import Clock
from gateway.kernel.faults import GatewayError
from gateway.kernel.health import Verdict, judged
from gateway.upstream.health_probe import look
from gateway.upstream.shared_state import UpstreamRow
from gateway.upstream.target import Target

_SPREAD = 0.1


class Checks(msgspec.Struct, frozen=True):
    """How to check: a target is well when `path` gives a status in `expect`, ranges with both ends."""

    path: str
    interval_s: float
    timeout_s: float
    healthy: int
    unhealthy: int
    expect: tuple[tuple[int, int], ...]


class Watcher(Protocol):
    """Is told of every check, and of every change."""

    def checked(self, number: int, passed: bool) -> None: ...

    def turned(self, number: int, up: bool, result: int | str) -> None: ...


class HealthChecks:
    """For the targets of one upstream. `chance` returns a number from 0 up to 1: it keeps checks apart that begin together."""

    def __init__(
        self, targets: Sequence[Target], row: UpstreamRow, checks: Checks, watcher: Watcher, clock: Clock, chance: Callable[[], float]
    ) -> None:
        self._targets = targets
        self._row = row
        self._checks = checks
        self._path = checks.path.encode()
        self._watcher = watcher
        self._clock = clock
        self._chance = chance
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return f"<HealthChecks {self._checks.path} of {len(self._targets)} targets, {'going on' if self._tasks else 'not going on'}>"

    def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._go_round(number)) for number in range(len(self._targets))]

    async def stop(self) -> None:
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _go_round(self, number: int) -> None:
        interval_s = self._checks.interval_s
        await asyncio.sleep(interval_s * self._chance())
        while True:
            await self._check(number)
            await asyncio.sleep(interval_s * (1 - _SPREAD + 2 * _SPREAD * self._chance()))

    async def _check(self, number: int) -> None:
        target, checks = self._targets[number], self._checks
        try:
            status = await look(target.address, target.origin, self._path, checks.timeout_s, target.names)
        except GatewayError as error:
            self._note(number, False, error.fault.name)
        else:
            self._note(number, any(first <= status <= last for first, last in checks.expect), status)

    def _note(self, number: int, passed: bool, result: int | str) -> None:
        row, checks = self._row.targets[number], self._checks
        before = row.findings
        row.findings = after = judged(before, passed, checks.healthy, checks.unhealthy)
        row.checked_at = self._clock.wall()
        row.result = result
        self._watcher.checked(number, passed)
        if after.verdict is not before.verdict:
            up = after.verdict is Verdict.UP
            if up:  # who is well again need not wait for the end of an ejection
                row.ejected_until = row.trial_until = 0.0
                # But one of several is tried by one call first
                row.ejections = max(row.ejections, float(before.verdict is Verdict.DOWN)) if len(self._row.targets) > 1 else 0.0
            self._row.version = self._clock.monotonic()
            if not up or before.verdict is Verdict.DOWN:
                self._watcher.turned(number, up, result)

"""upstream/health_checks.py: repeated checks, and what they change."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gateway.kernel.clock import Clock
from gateway.kernel.health import Verdict
from gateway.upstream.health_checks import HealthCheckRules, HealthChecks
from gateway.upstream.shared_state import SharedState
from gateway.upstream.target import Target
from tests.fakes import End, RawBackend, reply, script, until
from tests.unit.upstream.calls import Make

GOOD, BAD = script(reply()), script(reply(status=b"500 Internal Server Error"))


class RecordingHealthObserver:
    """A HealthObserver that records all events."""

    def __init__(self) -> None:
        self.checks: list[bool] = []
        self.changes: list[str] = []

    def checked(self, number: int, *, passed: bool) -> None:
        if number == 0:
            self.checks.append(passed)

    def changed(self, number: int, result: int | str, *, up: bool) -> None:
        self.changes.append(f"{number} {'up' if up else 'down'}: {result}")


class CheckedTarget:
    """A target that is checked every few milliseconds: two good replies bring it up, two others down."""

    def __init__(self, target: Target, *expect: tuple[int, int], more: tuple[Target, ...] = ()) -> None:
        targets = (target, *more)
        self.shared_state = SharedState({"orders": [each.target for each in targets]}, ["orders"])
        self.row = self.shared_state.upstreams["orders"]
        self.observer = RecordingHealthObserver()
        checks = HealthCheckRules("/healthz", 0.005, 1.0, 2, 2, expect or ((200, 399),))
        self.health_checks = HealthChecks(
            targets, self.row, checks, self.observer, Clock(time.monotonic, lambda: 1_800_000_000.0), lambda: 0.5
        )

    @asynccontextmanager
    async def checked(self) -> AsyncIterator["CheckedTarget"]:
        self.health_checks.start()
        yield self
        await self.health_checks.stop()

    async def after(self, checks: int) -> list[bool]:
        await until(lambda: len(self.observer.checks) >= checks)
        return self.observer.checks[:checks]


async def test_a_target_goes_down_and_comes_back(make: Make) -> None:
    async with (
        RawBackend(GOOD, BAD, GOOD, BAD, script(End.CLOSE), default=GOOD) as backend,
        CheckedTarget(make(backend.url)).checked() as checked_target,
    ):
        assert await checked_target.after(7) == [True, False, True, False, False, True, True]
        assert checked_target.observer.changes == ["0 down: upstream_reset", "0 up: 200"]
        row = checked_target.row.targets[0]
        assert (row.checked_at, row.result, row.findings.verdict) == (1_800_000_000.0, 200, Verdict.UP)
        assert checked_target.row.version > 0
        assert repr(checked_target.health_checks) == "<HealthChecks /healthz of 1 targets, going on>"
    assert repr(checked_target.health_checks) == "<HealthChecks /healthz of 1 targets, not going on>"
    assert {request.head.split(b" ")[1] for request in backend.requests} == {b"/healthz"}


async def test_a_target_that_fails_its_first_check_is_down_at_once(make: Make) -> None:
    async with RawBackend(default=BAD) as backend, CheckedTarget(make(backend.url)).checked() as checked_target:
        await checked_target.after(1)
        assert checked_target.observer.changes == ["0 down: 500"]
        assert checked_target.row.targets[0].down
        assert not checked_target.row.targets[0].up(0.0)


async def test_the_configuration_defines_the_healthy_statuses(make: Make) -> None:
    async with (
        RawBackend(BAD, GOOD, default=BAD) as backend,
        CheckedTarget(make(backend.url), (404, 404), (500, 599)).checked() as checked_target,
    ):
        assert await checked_target.after(3) == [True, False, True]


async def test_a_target_that_is_up_again_is_no_longer_ejected(make: Make) -> None:
    gate = asyncio.Event()
    async with (
        RawBackend(BAD, script(gate, reply()), default=GOOD) as backend,
        CheckedTarget(make(backend.url)).checked() as checked_target,
    ):
        await checked_target.after(1)
        row = checked_target.row.targets[0]
        row.ejected_until, row.ejections = time.monotonic() + 60, 3
        gate.set()
        await checked_target.after(3)
        assert (row.ejected_until, row.ejections, row.up(time.monotonic())) == (0, 0, True)


async def test_one_of_several_that_is_up_again_is_tried_by_one_call_first(make: Make) -> None:
    async with RawBackend(BAD, default=GOOD) as backend, RawBackend(default=GOOD) as well:
        checked_target = CheckedTarget(make(backend.url), more=(make(well.url),))
        async with checked_target.checked():
            await until(lambda: checked_target.observer.changes == ["0 down: 500", "0 up: 200"])
            assert [row.ejections for row in checked_target.row.targets] == [1, 0]


async def test_a_single_target_that_is_up_again_needs_no_trial(make: Make) -> None:
    async with RawBackend(BAD, default=GOOD) as backend, CheckedTarget(make(backend.url)).checked() as checked_target:
        await until(lambda: checked_target.observer.changes == ["0 down: 500", "0 up: 200"])
        assert checked_target.row.targets[0].ejections == 0


async def test_the_next_worker_continues_with_the_same_findings(make: Make) -> None:
    async with RawBackend(default=BAD) as backend:
        async with CheckedTarget(make(backend.url)).checked() as checked_target:
            await checked_target.after(1)
        checked_target.observer.changes.clear()
        async with checked_target.checked():
            await checked_target.after(4)
        assert checked_target.observer.changes == []

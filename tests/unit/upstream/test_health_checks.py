"""upstream/health_checks.py: checks that go on, and what they change."""

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


class Heard:
    """A Watcher that writes down what it is told."""

    def __init__(self) -> None:
        self.checks: list[bool] = []
        self.turns: list[str] = []

    def checked(self, number: int, *, passed: bool) -> None:
        if number == 0:
            self.checks.append(passed)

    def changed(self, number: int, result: int | str, *, up: bool) -> None:
        self.turns.append(f"{number} {'up' if up else 'down'}: {result}")


class Ward:
    """A target that is checked every few milliseconds: two good replies bring it up, two others down."""

    def __init__(self, target: Target, *expect: tuple[int, int], more: tuple[Target, ...] = ()) -> None:
        targets = (target, *more)
        self.shared_state = SharedState({"orders": [each.target for each in targets]}, ["orders"])
        self.row = self.shared_state.upstreams["orders"]
        self.heard = Heard()
        checks = HealthCheckRules("/healthz", 0.005, 1.0, 2, 2, expect or ((200, 399),))
        self.health_checks = HealthChecks(
            targets, self.row, checks, self.heard, Clock(time.monotonic, lambda: 1_800_000_000.0), lambda: 0.5
        )

    @asynccontextmanager
    async def checked(self) -> AsyncIterator["Ward"]:
        self.health_checks.start()
        yield self
        await self.health_checks.stop()

    async def after(self, checks: int) -> list[bool]:
        await until(lambda: len(self.heard.checks) >= checks)
        return self.heard.checks[:checks]


async def test_a_target_goes_down_and_comes_back(make: Make) -> None:
    async with RawBackend(GOOD, BAD, GOOD, BAD, script(End.CLOSE), default=GOOD) as backend, Ward(make(backend.url)).checked() as ward:
        assert await ward.after(7) == [True, False, True, False, False, True, True]
        assert ward.heard.turns == ["0 down: upstream_reset", "0 up: 200"]
        row = ward.row.targets[0]
        assert (row.checked_at, row.result, row.findings.verdict) == (1_800_000_000.0, 200, Verdict.UP)
        assert ward.row.version > 0
        assert repr(ward.health_checks) == "<HealthChecks /healthz of 1 targets, going on>"
    assert repr(ward.health_checks) == "<HealthChecks /healthz of 1 targets, not going on>"
    assert {request.head.split(b" ")[1] for request in backend.requests} == {b"/healthz"}


async def test_one_that_is_ill_from_the_beginning_is_down_at_once(make: Make) -> None:
    async with RawBackend(default=BAD) as backend, Ward(make(backend.url)).checked() as ward:
        await ward.after(1)
        assert ward.heard.turns == ["0 down: 500"]
        assert ward.row.targets[0].down
        assert not ward.row.targets[0].up(0.0)


async def test_what_is_well_is_what_the_configuration_says(make: Make) -> None:
    async with RawBackend(BAD, GOOD, default=BAD) as backend, Ward(make(backend.url), (404, 404), (500, 599)).checked() as ward:
        assert await ward.after(3) == [True, False, True]


async def test_who_is_up_again_is_called_even_if_it_was_ejected(make: Make) -> None:
    gate = asyncio.Event()
    async with RawBackend(BAD, script(gate, reply()), default=GOOD) as backend, Ward(make(backend.url)).checked() as ward:
        await ward.after(1)
        row = ward.row.targets[0]
        row.ejected_until, row.ejections = time.monotonic() + 60, 3
        gate.set()
        await ward.after(3)
        assert (row.ejected_until, row.ejections, row.up(time.monotonic())) == (0, 0, True)


async def test_one_of_several_that_is_up_again_is_tried_by_one_call_first(make: Make) -> None:
    async with RawBackend(BAD, default=GOOD) as backend, RawBackend(default=GOOD) as well:
        ward = Ward(make(backend.url), more=(make(well.url),))
        async with ward.checked():
            await until(lambda: ward.heard.turns == ["0 down: 500", "0 up: 200"])
            assert [row.ejections for row in ward.row.targets] == [1, 0]


async def test_one_alone_is_called_by_all_at_once(make: Make) -> None:
    async with RawBackend(BAD, default=GOOD) as backend, Ward(make(backend.url)).checked() as ward:
        await until(lambda: ward.heard.turns == ["0 down: 500", "0 up: 200"])
        assert ward.row.targets[0].ejections == 0


async def test_a_successor_goes_on_where_it_ended(make: Make) -> None:
    async with RawBackend(default=BAD) as backend:
        async with Ward(make(backend.url)).checked() as ward:
            await ward.after(1)
        ward.heard.turns.clear()
        async with ward.checked():
            await ward.after(4)
        assert ward.heard.turns == []

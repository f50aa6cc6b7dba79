import asyncio
import math
import time

import pytest

from gateway.kernel.clock import Clock
from gateway.remote.alarm import Alarm
from tests.fakes import turn

CLOCK = Clock(time.monotonic, time.time)


@pytest.fixture
async def rung() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def alarm(rung: asyncio.Event) -> Alarm:
    return Alarm(rung.set, CLOCK, asyncio.get_running_loop())


async def test_rings(alarm: Alarm, rung: asyncio.Event) -> None:
    at = time.monotonic() + 0.02
    alarm.set(at)
    await rung.wait()
    assert time.monotonic() >= at
    assert alarm.at == math.inf


async def test_put_off(alarm: Alarm, rung: asyncio.Event) -> None:
    alarm.set(time.monotonic() + 0.02)
    at = time.monotonic() + 0.06
    alarm.set(at)
    await rung.wait()
    assert time.monotonic() >= at


async def test_brought_forward(alarm: Alarm, rung: asyncio.Event) -> None:
    alarm.set(time.monotonic() + 60)
    alarm.set(time.monotonic() + 0.02)
    await asyncio.wait_for(rung.wait(), 1)


@pytest.mark.parametrize("how", ["cancel", "clear"])
async def test_silenced(alarm: Alarm, rung: asyncio.Event, how: str) -> None:
    alarm.set(time.monotonic() + 0.01)
    if how == "cancel":
        alarm.cancel()
    else:
        alarm.at = math.inf
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.03, later.set)
    await later.wait()
    assert not rung.is_set()
    # And it can be set again
    alarm.set(time.monotonic())
    await rung.wait()


async def test_never(alarm: Alarm, rung: asyncio.Event) -> None:
    alarm.set(math.inf)
    alarm.cancel()
    await turn()
    assert not rung.is_set()

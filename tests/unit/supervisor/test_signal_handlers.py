import asyncio
import os
import signal

import pytest
from structlog.testing import capture_logs

from gateway.supervisor.signal_handlers import handle_signals, unless
from gateway.system import signals
from tests.fakes import until


async def test_early_signals_are_handled_and_signals_without_a_meaning_are_logged() -> None:
    done: list[str] = []
    signals._pending.append(signal.SIGHUP)
    loop = asyncio.get_running_loop()
    with capture_logs() as lines:
        handle_signals({signal.SIGHUP: lambda: done.append("reload"), signal.SIGQUIT: lambda: done.append("stop")})
        try:
            assert done == ["reload"]
            os.kill(os.getpid(), signal.SIGQUIT)
            os.kill(os.getpid(), signal.SIGUSR1)
            await until(lambda: len(done) == 2 and bool(lines))
        finally:
            for number in (signal.SIGHUP, signal.SIGQUIT, *signals.IGNORED):
                loop.remove_signal_handler(number)
    assert [(line["event"], line["signal"]) for line in lines] == [("signal ignored", "SIGUSR1")]


async def test_work_that_ends_first_counts() -> None:
    async def work() -> int:
        return 7

    assert await unless(asyncio.Event(), work()) == 7


async def test_an_exception_of_the_work_is_raised() -> None:
    async def work() -> int:
        raise OSError("in use")

    with pytest.raises(OSError, match="in use"):
        await unless(asyncio.Event(), work())


async def test_work_is_cancelled_when_the_event_is_set() -> None:
    ended, stop = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        try:
            stop.set()
            await asyncio.Event().wait()
        finally:
            ended.set()
        return 7

    assert await unless(stop, work()) is None
    assert ended.is_set()

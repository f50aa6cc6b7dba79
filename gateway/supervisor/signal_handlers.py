"""What the supervisor does at a signal."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog

from gateway.system.signals import IGNORED, name_of, noted

T = TypeVar("T")


def obey(actions: Mapping[signal.Signals, Callable[[], object]]) -> None:
    """From now on the event loop does `actions`, by signal, at once for those that have come while the program started.

    Signals that mean nothing here leave a line in the log.
    """
    loop = asyncio.get_running_loop()
    for number, act in actions.items():
        loop.add_signal_handler(number, act)
    for ignored in IGNORED:
        loop.add_signal_handler(ignored, _ignored, ignored)
    for early in noted():
        actions[signal.Signals(early)]()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What comes of `work`; None if `stop` is set before its end, and then it is cancelled."""
    loop = asyncio.get_running_loop()
    working, stopped = loop.create_task(work), loop.create_task(stop.wait())
    waited: set[asyncio.Task[Any]] = {working, stopped}
    try:
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        if not working.done():
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
    return None if working.cancelled() else working.result()


def _ignored(number: int) -> None:
    structlog.get_logger().warning("signal ignored", signal=name_of(number))

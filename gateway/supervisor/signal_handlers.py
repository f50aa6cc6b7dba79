"""Signal handlers of the supervisor's event loop."""

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import structlog

from gateway.system.signals import IGNORED, name_of, pending_signals

T = TypeVar("T")


def handle_signals(actions: Mapping[signal.Signals, Callable[[], object]]) -> None:
    """Have the event loop run `actions`, by signal. Signals that arrived while the program started are handled at once.

    Signals without a meaning for the gateway are logged.
    """
    loop = asyncio.get_running_loop()
    for number, act in actions.items():
        loop.add_signal_handler(number, act)
    for ignored in IGNORED:
        with contextlib.suppress(RuntimeError):  # a tool that the program runs under (Valgrind) keeps one for itself
            loop.add_signal_handler(ignored, _ignored, ignored)
    for early in pending_signals():
        actions[signal.Signals(early)]()


async def unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Return the result of `work`; None if `stop` is set before its end, and then `work` is cancelled."""
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

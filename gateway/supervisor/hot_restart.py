"""Replaces this program by a newly started one: once at a time, and never during a reload."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog


class StartedProgram(Protocol):
    """A program that was started to replace this one, such as `inherited_sockets.Successor`."""

    async def accepted(self) -> bool:
        """Return whether it serves; False if it has failed."""
        ...


ProgramT = TypeVar("ProgramT", bound=StartedProgram)


class HotRestart(Generic[ProgramT]):
    """Replaces this program by a new one.

    `start` starts the new program and gives it what it needs, or raises OSError; `give_way` is called when it serves.
    `alone`: no earlier program is left whose workers count in the inherited memory.
    """

    def __init__(
        self, start: Callable[[], ProgramT], give_way: Callable[[ProgramT], Awaitable[None]], *, alone: bool
    ) -> None:
        self._start = start
        self._give_way = give_way
        self._under_way = False
        self.changing = asyncio.Lock()
        """Held during a reload, too: neither could hand over what the other one begins."""
        self.alone = asyncio.Event()
        if alone:
            self.alone.set()
        self._successor: ProgramT | None = None
        """The successor, kept to the end: its socket shows the new program that this one lives."""

    @property
    def over(self) -> bool:
        """Whether the new program has replaced this one."""
        return self._successor is not None

    def __repr__(self) -> str:
        return f"<HotRestart {'over' if self.over else 'under way' if self._under_way else 'not begun'}>"

    async def execute(self) -> None:
        """Return when the new program serves, or when it has failed and nothing has changed."""
        log = structlog.get_logger()
        if self._under_way:
            return
        if os.getpid() == 1:
            log.error("no hand-over: the first process of a container cannot be replaced")
            return
        self._under_way = True
        try:
            if not self.alone.is_set():
                log.info("hand-over waits for the end of the program before this one")
                await self.alone.wait()
            async with self.changing:
                successor = self._start()
                if await successor.accepted():
                    self._successor = successor
                    await self._give_way(successor)
        except OSError as error:
            log.error("no hand-over", reason=str(error))
        finally:
            self._under_way = self.over

"""The end of this program in favour of the next one: one at a time, and never together with a reload."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

import structlog


class Acceptable(Protocol):
    """What `inheritance.Will` is."""

    async def accepted(self) -> bool:
        """Whether the next program serves."""
        ...


W = TypeVar("W", bound=Acceptable)


class Succession(Generic[W]):
    """`hand_over` starts the next program with what it needs, or raises OSError; `give_way` is called when that one serves.

    `alone`: no earlier program lives whose workers count in what we have inherited.
    """

    def __init__(self, hand_over: Callable[[], W], give_way: Callable[[W], Awaitable[None]], *, alone: bool) -> None:
        self._handover_state = hand_over
        self._give_way = give_way
        self._under_way = False
        self.changing = asyncio.Lock()
        """Held by a reload, too: neither could take along what the other one begins."""
        self.alone = asyncio.Event()
        if alone:
            self.alone.set()
        self._will: W | None = None
        """Kept to the end: the line in it tells the next program that we live."""

    @property
    def over(self) -> bool:
        """Whether the next program speaks for the node."""
        return self._will is not None

    def __repr__(self) -> str:
        return f"<Succession {'over' if self.over else 'under way' if self._under_way else 'not begun'}>"

    async def execute(self) -> None:
        """Returns when the next program serves, or has failed to and nothing has changed."""
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
                will = self._handover_state()
                if await will.accepted():
                    self._will = will
                    await self._give_way(will)
        except OSError as error:
            log.error("no hand-over", reason=str(error))
        finally:
            self._under_way = self.over

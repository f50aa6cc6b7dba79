"""What became of calls, on its way to the meters in Redis.

What Redis does not take is kept, and sent again when Redis is back. Some of it was done, and only the answer lost: so whatever
must not be done twice leaves a mark in Redis by which a second try is known. Places of calls that have ended are kept only for
as long as Redis would, and are the first that it is told of.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from importlib.resources import files
from itertools import count, islice
from typing import Any

from gateway.kernel.limits.quota import LEASE_MS, MeterUpdate
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

METERS = files("gateway.limiter").joinpath("scripts/meters.lua").read_bytes()
SCRIPT = METERS + files("gateway.limiter").joinpath("scripts/settle.lua").read_bytes()
SCRIPT_SHA = sha_of(SCRIPT)
MARKED_MS = 60_000
"""How long a mark is kept. It is needed until the next try after its answer was lost, a few seconds after Redis is back."""
MOST_OWED = 100_000
"""Settlements that are kept while Redis is away, some 400 bytes each. Those beyond it are lost, and counted."""
AT_ONCE = 64
"""Settlements sent in one go, between requests."""
MOST_PLACES = 100_000
"""Places of calls that ended while Redis was away, some 200 bytes each. Of more the oldest end by themselves."""
PLACES_AT_ONCE = 256
"""Places given back by one command: Redis works on it for less than a millisecond."""


class Settlements:
    """`prefix` begins every key. `owed` is how many Redis has not taken yet, `lost` how many it never will."""

    def __init__(self, prefix: str, call: RedisCall, monotonic: Callable[[], float]) -> None:
        self._prefix = prefix
        self._call = call
        self._monotonic = monotonic
        self._places: deque[tuple[float, MeterUpdate, str]] = deque(maxlen=MOST_PLACES)
        self.entries: dict[int, tuple[bytes, str]] = {}
        """What Redis has not taken, by number: a command, and the tag of its keys."""
        self.on_change: Callable[[int], None] = ignore_number
        """Called with the number of each that comes or goes."""
        self.outlives = False
        """Whether somebody has them when this process ends."""
        self._numbers = count(random.getrandbits(62))
        self._sending: set[asyncio.Task[None]] = set()
        self.lost = 0

    @property
    def owed(self) -> int:
        return len(self.entries) + len(self._sending)

    def send(self, updates: list[MeterUpdate], tag: str, name: str = "", *, undoing: bool = False) -> asyncio.Task[None]:
        """Under way when this returns; done, or kept, when the task ends.

        All keys are under `tag`. With a `name`, which no other updates have, they are never made twice; `undoing` makes them only
        if the call of that name was counted.
        """
        command = self.command(updates, tag, name, undoing=undoing)
        return self._own(self._send(command, tag))

    def leave(self, updates: list[MeterUpdate], tag: str) -> asyncio.Task[None]:
        """As `send`, for places that end by themselves, too: they are kept no longer than that takes."""
        return self._own(self._leave(updates, tag, self._monotonic() + LEASE_MS / 1000))

    def give_places_back(self) -> None:
        """Redis is there again: what it was not told of is under way before any call that comes now."""
        if not self._places:
            return
        waiting, self._places = self._places, deque(maxlen=MOST_PLACES)
        now_s = self._monotonic()
        by_tag: dict[str, list[tuple[float, MeterUpdate]]] = {}
        for until_s, update, tag in waiting:
            if until_s > now_s:
                by_tag.setdefault(tag, []).append((until_s, update))
        for tag, places in by_tag.items():
            for at in range(0, len(places), PLACES_AT_ONCE):
                some = places[at : at + PLACES_AT_ONCE]
                self._own(self._leave([update for _, update in some], tag, some[-1][0]))

    def mark(self, tag: str, name: str, *, counted: bool = False) -> bytes:
        """The key that says that the updates of that name were made, or that the call was `counted`."""
        return f"{self._prefix}{{{tag}}}:{'counted' if counted else 'settled'}/{name}".encode()

    def command(self, updates: Iterable[MeterUpdate], tag: str, name: str = "", *, undoing: bool = False) -> bytes:
        """The call of the script, in Redis's wire format."""
        keys, numbers = [], []
        for update in updates:
            keys.append(f"{self._prefix}{update.key}".encode())
            numbers += [update.what.encode(), b"%d" % update.number, b"%d" % update.month, update.unit.encode()]
        if name:
            keys.append(self.mark(tag, name, counted=undoing))
        how = -1 if undoing else MARKED_MS if name else 0
        return pack(b"EVALSHA", SCRIPT_SHA, b"%d" % len(keys), *keys, b"%d" % how, *numbers)

    async def pay(self) -> None:
        """Send what is owed again. Ends early when Redis is away again."""
        self.give_places_back()
        while self.entries:
            batch = list(islice(self.entries.items(), AT_ONCE))
            replies = await asyncio.gather(*(self._call(command, tag) for _, (command, tag) in batch))
            taken = [number for (number, _), reply in zip(batch, replies, strict=True) if isinstance(reply, int)]
            for number in taken:
                del self.entries[number]
                self.on_change(number)
            if len(taken) < len(batch):
                return

    async def finish(self) -> None:
        """Wait for what is under way, and try once more what is owed. What remains is lost, unless somebody else has it."""
        await asyncio.gather(*self._sending)
        await self.pay()
        await asyncio.gather(*self._sending)
        if not self.outlives:
            self.lost += len(self.entries)
            self.entries.clear()

    def _own(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    async def _leave(self, updates: list[MeterUpdate], tag: str, until_s: float) -> None:
        if not isinstance(await self._call(self.command(updates, tag), tag), int):
            self._places.extend([(until_s, update, tag) for update in updates])

    async def _send(self, command: bytes, tag: str) -> None:
        if isinstance(await self._call(command, tag), int):
            return
        self.owe(command, tag)

    def owe(self, command: bytes, tag: str) -> None:
        """Keep it until Redis takes it."""
        if len(self.entries) < MOST_OWED:
            number = next(self._numbers)
            self.entries[number] = (command, tag)
            self.on_change(number)
        else:
            self.lost += 1


def ignore_number(number: int) -> None:
    """For who does not care what changes."""

"""Sends the ends of calls to the meters in Redis.

A settlement is a command that makes the updates of one call. What Redis does not take is kept, and sent again when
Redis is back. Some of it was done, and only the answer lost: so whatever must not be done twice leaves a mark in Redis,
by which a second try is recognised. Releases of concurrency are kept only for as long as Redis would keep the units,
and are sent first.
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
"""The lifetime of a mark in ms.

It is needed until the next try after its answer was lost, a few seconds after Redis is back.
"""
MAX_OWED = 100_000
"""Settlements that are kept while Redis is away, some 400 bytes each. Those beyond it are lost, and counted."""
BATCH = 64
"""Settlements sent at one time, between requests."""
MAX_RELEASES = 100_000
"""Releases that are kept while Redis is away, some 200 bytes each.

Of more than that the oldest units end by themselves.
"""
RELEASES_AT_ONCE = 256
"""Releases in one command: Redis works on it for less than a millisecond."""


class Settlements:
    """`prefix` begins every key. `lost` counts the settlements that Redis will never take."""

    def __init__(self, prefix: str, call: RedisCall, monotonic: Callable[[], float]) -> None:
        self._prefix = prefix
        self._call = call
        self._monotonic = monotonic
        self._releases: deque[tuple[float, MeterUpdate, str]] = deque(maxlen=MAX_RELEASES)
        self.entries: dict[int, tuple[bytes, str]] = {}
        """What Redis has not accepted, by number: a command, and the hash tag of its keys."""
        self.on_change: Callable[[int], None] = ignore_number
        """Is called with the number of each entry that is added or removed."""
        self.outlives = False
        """Whether a successor has the entries when this process ends."""
        self._numbers = count(random.getrandbits(62))
        self._sending: set[asyncio.Task[None]] = set()
        self.lost = 0

    def __repr__(self) -> str:
        return f"<Settlements {self.owed} owed, {self.lost} lost>"

    @property
    def owed(self) -> int:
        """The number of settlements that Redis has not accepted yet."""
        return len(self.entries) + len(self._sending)

    def send(
        self, updates: list[MeterUpdate], tag: str, name: str = "", *, undoing: bool = False
    ) -> asyncio.Task[None]:
        """Send updates of keys under `tag`; the task ends when Redis has made them, or they are kept.

        With a `name`, which no other updates have, they are never made twice; `undoing` makes them only if the call of
        that name was counted.
        """
        return self._begin(self._send(self.command(updates, tag, name, undoing=undoing), tag))

    def send_releases(self, updates: list[MeterUpdate], tag: str) -> asyncio.Task[None]:
        """Send releases of units that end by themselves. They are kept no longer than that takes."""
        return self._begin(self._send_releases(updates, tag, self._monotonic() + LEASE_MS / 1000))

    def send_kept_releases(self) -> None:
        """Redis is back: send the releases that it missed before any call that comes from now on."""
        if not self._releases:
            return
        kept, self._releases = self._releases, deque(maxlen=MAX_RELEASES)
        now_s = self._monotonic()
        by_tag: dict[str, list[tuple[float, MeterUpdate]]] = {}
        for until_s, update, tag in kept:
            if until_s > now_s:
                by_tag.setdefault(tag, []).append((until_s, update))
        for tag, releases in by_tag.items():
            for at in range(0, len(releases), RELEASES_AT_ONCE):
                some = releases[at : at + RELEASES_AT_ONCE]
                self._begin(self._send_releases([update for _, update in some], tag, some[-1][0]))

    def mark(self, tag: str, name: str, *, counted: bool = False) -> bytes:
        """Return the key that says that the updates of that name were made, or that the call was `counted`."""
        return f"{self._prefix}{{{tag}}}:{'counted' if counted else 'settled'}/{name}".encode()

    def command(self, updates: Iterable[MeterUpdate], tag: str, name: str = "", *, undoing: bool = False) -> bytes:
        """Return the call of the script, in Redis's wire format."""
        keys, numbers = [], []
        for update in updates:
            keys.append(f"{self._prefix}{update.key}".encode())
            numbers += [update.what.encode(), b"%d" % update.number, b"%d" % update.month, update.unit.encode()]
        if name:
            keys.append(self.mark(tag, name, counted=undoing))
        how = -1 if undoing else MARKED_MS if name else 0
        return pack(b"EVALSHA", SCRIPT_SHA, b"%d" % len(keys), *keys, b"%d" % how, *numbers)

    def keep(self, command: bytes, tag: str) -> None:
        """Keep a settlement until Redis takes it."""
        if len(self.entries) < MAX_OWED:
            number = next(self._numbers)
            self.entries[number] = (command, tag)
            self.on_change(number)
        else:
            self.lost += 1

    async def pay(self) -> None:
        """Send again what is owed. Ends early when Redis is away again."""
        self.send_kept_releases()
        while self.entries:
            batch = list(islice(self.entries.items(), BATCH))
            replies = await asyncio.gather(*(self._call(command, tag) for _, (command, tag) in batch))
            done = [number for (number, _), reply in zip(batch, replies, strict=True) if isinstance(reply, int)]
            for number in done:
                del self.entries[number]
                self.on_change(number)
            if len(done) < len(batch):
                return

    async def finish(self) -> None:
        """Wait for settlements in flight, and send what is owed once more.

        What remains is lost, unless a successor has it.
        """
        await asyncio.gather(*self._sending)
        await self.pay()
        await asyncio.gather(*self._sending)
        if not self.outlives:
            self.lost += len(self.entries)
            self.entries.clear()

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)
        return task

    async def _send_releases(self, updates: list[MeterUpdate], tag: str, until_s: float) -> None:
        if not isinstance(await self._call(self.command(updates, tag), tag), int):
            self._releases.extend([(until_s, update, tag) for update in updates])

    async def _send(self, command: bytes, tag: str) -> None:
        if not isinstance(await self._call(command, tag), int):
            self.keep(command, tag)


def ignore_number(number: int) -> None:
    """Do nothing, by default, when a settlement changes."""

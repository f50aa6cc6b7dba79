"""Looks up keys, many in one round trip: all of one turn of the loop, or all that come during a command.

So a crowd of callers that are not known yet waits a little, and is not rejected. When Redis does not answer a command
and its second try, all callers that wait fail with those of the command: none waits longer than two time-outs of Redis
after that.
"""

import asyncio
from collections import deque

from gateway.keystore.reader import KeyReader, RefusedCommandError
from gateway.redis_client.address import RedisConnectionError

BATCH = 32
"""Keys in one command: those found are built in a few milliseconds, and other work has its turn before the next."""

Found = bytes | RedisConnectionError | None


class KeyLookups:
    """Asks `store`, with up to `commands` under way. `len` is how many keys wait or are under way."""

    def __init__(self, store: KeyReader, commands: int) -> None:
        self._store = store
        self._commands = commands
        self._waiting: deque[tuple[str, asyncio.Future[Found]]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._under_way = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._under_way

    async def find(self, proof: str) -> bytes | None:
        """Return the key of a proof, an entry of `keys` as JSON; None when there is none.

        Raises RedisConnectionError.
        """
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append((proof, found))
        entry = await found
        if isinstance(entry, RedisConnectionError):
            raise RedisConnectionError(str(entry))  # a new one: many get it, and it would gather tracebacks
        return entry

    def _send(self) -> None:
        while self._waiting and len(self._tasks) < self._commands:
            some = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            self._under_way += len(some)
            task = asyncio.get_running_loop().create_task(self._ask(some))
            self._tasks.add(task)
            task.add_done_callback(self._answered)

    async def _ask(self, some: list[tuple[str, asyncio.Future[Found]]]) -> None:
        entries: list[bytes | None] | list[RedisConnectionError]
        try:
            entries = await self._find([proof for proof, _ in some])
        except RedisConnectionError as failure:
            self._under_way += len(self._waiting)
            some += self._waiting
            self._waiting.clear()
            entries = [failure] * len(some)
        self._under_way -= len(some)
        for (_, found), entry in zip(some, entries, strict=True):
            if not found.done():
                found.set_result(entry)

    async def _find(self, proofs: list[str]) -> list[bytes | None]:
        """Ask once more when a reply is late or lost. A Redis that is known to be away fails at once."""
        try:
            return await self._store.find(proofs)
        except RefusedCommandError:
            raise
        except RedisConnectionError:
            return await self._store.find(proofs)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._send()

"""Looks for keys, many in one round trip: all that are asked for in one turn of the loop, and those that come while it is busy.

So a crowd of callers whom nobody knows yet waits a little, and is not turned away. Whoever waits when Redis does not answer, asked
twice, is told so with those that were asked for: nobody waits for longer than two budgets of Redis after that.
"""

import asyncio
from collections import deque

from gateway.keystore.reader import KeyReader, RefusedCommandError
from gateway.redis_client.address import RedisConnectionError

AT_ONCE = 32
"""Keys in one command: what is found is made up in a few milliseconds, and others have their turn before the next."""

Found = bytes | RedisConnectionError | None


class KeyLookups:
    """Over `store`, with up to `commands` under way. `len` is how many keys are asked for or wait."""

    def __init__(self, store: KeyReader, commands: int) -> None:
        self._store = store
        self._commands = commands
        self._waiting: deque[tuple[str, asyncio.Future[Found]]] = deque()
        self._asking: set[asyncio.Task[None]] = set()
        self._asked = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._asked

    async def find(self, proof: str) -> bytes | None:
        """The entry for `keys`, as JSON; None when nobody has this proof. Raises RedisConnectionError."""
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Found] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._send)
        self._waiting.append((proof, found))
        entry = await found
        if isinstance(entry, RedisConnectionError):
            raise RedisConnectionError(str(entry))  # a new one: it is told to many, and would gather tracebacks
        return entry

    def _send(self) -> None:
        while self._waiting and len(self._asking) < self._commands:
            some = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
            self._asked += len(some)
            task = asyncio.get_running_loop().create_task(self._ask(some))
            self._asking.add(task)
            task.add_done_callback(self._answered)

    async def _ask(self, some: list[tuple[str, asyncio.Future[Found]]]) -> None:
        entries: list[bytes | None] | list[RedisConnectionError]
        try:
            entries = await self._find([proof for proof, _ in some])
        except RedisConnectionError as failure:
            self._asked += len(self._waiting)
            some += self._waiting
            self._waiting.clear()
            entries = [failure] * len(some)
        self._asked -= len(some)
        for (_, found), entry in zip(some, entries, strict=True):
            if not found.done():
                found.set_result(entry)

    async def _find(self, proofs: list[str]) -> list[bytes | None]:
        """One answer that is late or lost is no outage: Redis is asked once more, and a Redis that is known to be away says so at once."""
        try:
            return await self._store.find(proofs)
        except RefusedCommandError:
            raise
        except RedisConnectionError:
            return await self._store.find(proofs)

    def _answered(self, task: asyncio.Task[None]) -> None:
        self._asking.discard(task)
        self._send()

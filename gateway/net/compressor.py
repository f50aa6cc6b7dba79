"""Compresses bodies: small ones at once, large ones in threads beside the event loop."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from gateway.kernel.http.compression import Coding, Encoder, compressed

INLINE_BYTES = 64 * 1024
"""More than this is compressed beside the event loop, which it would occupy for a millisecond or more."""
_THREADS = 2
_MOST_WAITING = 64
"""Bodies that are compressed or wait for it at one time. Further ones are sent as they are."""


class Compressor:
    """The threads of a worker, which exist once there was something for them to do."""

    def __init__(self, most_waiting: int = _MOST_WAITING) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="compress")
        self._most_waiting = most_waiting
        self._waiting = 0

    def __repr__(self) -> str:
        return f"<Compressor {self._waiting} waiting>"

    async def compress(self, parts: tuple[bytes, ...], size: int, coding: Coding) -> bytes | None:
        """Return `parts`, of `size` bytes in all, as one body in `coding`; None when too many bodies wait already."""
        if size <= INLINE_BYTES:
            return compressed(parts, coding)
        if self._waiting >= self._most_waiting:
            return None
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, compressed, parts, coding)
        finally:
            self._waiting -= 1

    async def feed(self, encoder: Encoder, piece: bytes) -> bytes:
        """Return what `encoder` makes of the next piece of a body."""
        if len(piece) <= INLINE_BYTES:
            return encoder.compress(piece)
        return await asyncio.get_running_loop().run_in_executor(self._threads, encoder.compress, piece)

    def close(self) -> None:
        """End the threads after the bodies that they have begun."""
        self._threads.shutdown(wait=False, cancel_futures=True)

"""Where the records of idempotency keys are: in Redis, or in the memory of this process.

A record is opaque. While a call is under way its record is held: it begins with the call's token, and ends by itself
after a time, so that a call that has crashed frees its key.
"""

from collections import OrderedDict
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple, Protocol

from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

SCRIPT = files("gateway.reuse").joinpath("idempotency.lua").read_bytes()
_SHA = sha_of(SCRIPT)
MAX_BYTES = 64 << 20
"""The memory for records of this process, in case that they are kept there."""
_RECORD_BYTES = 300
"""What a record takes besides its bytes."""


class IdempotencyStore(Protocol):
    """Keeps records by name. All methods raise RedisConnectionError when the store is away.

    A `token` is known to one call only. Times are in seconds.
    """

    async def begin(self, name: str, token: bytes, record: bytes, hold_s: float) -> bytes | None:
        """Hold `name` with `record`, and return None; or return the record that is there."""
        ...

    async def finish(self, name: str, token: bytes, record: bytes, ttl_s: float) -> None:
        """Replace the record that `token` holds by a final one."""
        ...

    async def free(self, name: str, token: bytes) -> None:
        """Remove the record that `token` holds."""
        ...


class RedisIdempotencyStore:
    """Records in Redis, over the connection of the limiter, which has loaded SCRIPT."""

    def __init__(self, call: RedisCall, key_prefix: str) -> None:
        self._call = call
        self._key_prefix = key_prefix

    async def begin(self, name: str, token: bytes, record: bytes, hold_s: float) -> bytes | None:
        """As `IdempotencyStore.begin`."""
        return await self._do(name, b"begin", token, record, _ms(hold_s))

    async def finish(self, name: str, token: bytes, record: bytes, ttl_s: float) -> None:
        """As `IdempotencyStore.finish`."""
        await self._do(name, b"finish", token, record, _ms(ttl_s))

    async def free(self, name: str, token: bytes) -> None:
        """As `IdempotencyStore.free`."""
        await self._do(name, b"free", token)

    async def _do(self, name: str, *arguments: bytes) -> bytes | None:
        key = f"{self._key_prefix}:1:{{{name}}}:idempotency".encode()
        reply = await self._call(pack(b"EVALSHA", _SHA, b"1", key, *arguments), name)
        if not isinstance(reply, list):
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
        return bytes(reply[0]) if reply else None


class _Held(NamedTuple):
    content: bytes
    ends_s: float


class MemoryIdempotencyStore:
    """Records in this process, at most `max_bytes` of them: those that were written first make room."""

    def __init__(self, monotonic: Callable[[], float], max_bytes: int = MAX_BYTES) -> None:
        self._monotonic = monotonic
        self._max_bytes = max_bytes
        self._records: OrderedDict[str, _Held] = OrderedDict()
        self.bytes = 0

    def __repr__(self) -> str:
        return f"<MemoryIdempotencyStore {len(self._records)} records, {self.bytes} bytes>"

    async def begin(self, name: str, token: bytes, record: bytes, hold_s: float) -> bytes | None:
        """As `IdempotencyStore.begin`. Raises nothing."""
        known = self._records.get(name)
        if known is not None and known.ends_s > self._monotonic():
            return known.content
        self._put(name, token + record, hold_s)
        return None

    async def finish(self, name: str, token: bytes, record: bytes, ttl_s: float) -> None:
        """As `IdempotencyStore.finish`. Raises nothing."""
        if self._is_held(name, token):
            self._put(name, record, ttl_s)

    async def free(self, name: str, token: bytes) -> None:
        """As `IdempotencyStore.free`. Raises nothing."""
        if self._is_held(name, token):
            self._remove(name)

    def _is_held(self, name: str, token: bytes) -> bool:
        known = self._records.get(name)
        return known is not None and known.content.startswith(token)

    def _put(self, name: str, content: bytes, ttl_s: float) -> None:
        self._remove(name)
        self._records[name] = _Held(content, self._monotonic() + ttl_s)
        self.bytes += len(content) + _RECORD_BYTES
        while self.bytes > self._max_bytes:
            self._remove(next(iter(self._records)))

    def _remove(self, name: str) -> None:
        known = self._records.pop(name, None)
        if known is not None:
            self.bytes -= len(known.content) + _RECORD_BYTES


def _ms(seconds: float) -> bytes:
    return b"%d" % max(1, round(seconds * 1000))

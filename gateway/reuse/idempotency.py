"""Answers a call that is sent again with the reply to the first one (draft-ietf-httpapi-idempotency-key-header-07).

Laws:
1. Of the calls with one key of one caller one is sent to the service. Others get its reply, 409 while it is under way,
   or 422 when they ask for something else.
2. What the store knows of a caller and its key is a hash.
3. A call that has not reached the service, or that the service wants to be sent again, frees its key. One of which it
   is not known what became of it frees its key after the time that a call may take.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple, TypeAlias

import msgspec

from gateway.exchange import Exchange, Reply
from gateway.kernel.clock import Clock
from gateway.kernel.faults import (
    IDEMPOTENCY_CONFLICT,
    IDEMPOTENCY_KEY_INVALID,
    IDEMPOTENCY_MISMATCH,
    IDEMPOTENCY_REPLY_NOT_KEPT,
    LIMITER_UNAVAILABLE,
    GatewayError,
)
from gateway.kernel.limits.token_bucket import OnFailure
from gateway.redis_client.address import RedisConnectionError
from gateway.reuse.idempotency_store import IdempotencyStore, MemoryIdempotencyStore
from gateway.reuse.kept_reply import parts_of
from gateway.table import Caller, Route
from gateway.table.routes import Idempotency
from gateway.upstream.call import Call

SendCall: TypeAlias = Callable[[Exchange, Route, Call], Awaitable[Reply]]
"""Sends a prepared call to the service and returns the reply. Raises GatewayError."""

LARGEST_REPLY_BYTES = 256 * 1024
"""Of a larger reply it is only kept that there was one."""
_LONGEST_KEY = 255
_MORE_S = 5.0
"""For how long a key is held beyond the time that a call may take."""
_TRY_AGAIN = frozenset({408, 425, 429, 502, 503, 504})
"""Statuses by which a service says that it has not done what was asked."""
_HELD = b"\x00"
"""How a record begins that is held."""
TOKEN_BYTES = 12
ONCE_ONLY = frozenset({"POST", "PATCH"})
"""Methods whose calls may not be made twice (RFC 9110 9.2.2)."""
_REPLAYED = ("Idempotency-Replayed", "true")
_NEW_FOR_EACH = frozenset({"age"})


class _Record(msgspec.Struct, array_like=True):
    """What is kept of a call. `fingerprint` says what it asked for.

    The body is `head`, the request id if it is `named`, and `content`; `kept` is False for one that was too large.
    """

    fingerprint: bytes
    status: int = 0
    code: int = 0
    fields: list[tuple[str, str]] = []
    head: bytes = b""
    content: bytes = b""
    named: bool = False
    kept: bool = True


class _HeldKey(NamedTuple):
    """The record of a call that is under way."""

    store: IdempotencyStore
    name: str
    token: bytes
    fingerprint: bytes
    ttl_s: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Record).decode


class IdempotencyKeys:
    """Knows the calls of a worker, or of all that share a Redis.

    `store` has the records; while it is away `on_failure` decides: `local` uses `memory`, `allow` sends calls without
    protection, `deny` refuses them. `entropy(n)` returns n random bytes. `count` is called with the id of the route and
    how a call was answered, `unattended` with an exchange whose call went on after its client had left.
    """

    def __init__(
        self,
        store: IdempotencyStore,
        memory: IdempotencyStore,
        on_failure: OnFailure,
        entropy: Callable[[int], bytes],
        count: Callable[[str, str], None] = lambda _route, _result: None,
        unattended: Callable[[Exchange], None] = lambda _: None,
    ) -> None:
        self._store = store
        self._memory = memory
        self._on_failure: OnFailure = on_failure
        self._entropy = entropy
        self._count = count
        self._unattended = unattended
        self._calls: set[asyncio.Task[Reply]] = set()

    @classmethod
    def in_memory(cls, clock: Clock, entropy: Callable[[int], bytes] = bytes) -> "IdempotencyKeys":
        """Return one for a process that shares nothing with others."""
        store = MemoryIdempotencyStore(clock.monotonic)
        return cls(store, store, "local", entropy)

    async def answer(
        self, x: Exchange, route: Route, caller: Caller, rules: Idempotency, call: Call, send: SendCall
    ) -> Reply:
        """Return the reply to `call`: that of the service, or the one to the call before.

        Raises what `send` raises, LIMITER_UNAVAILABLE, IDEMPOTENCY_KEY_INVALID, IDEMPOTENCY_CONFLICT,
        IDEMPOTENCY_REPLY_NOT_KEPT and IDEMPOTENCY_MISMATCH.
        """
        keys = x.headers.getall(rules.header, [])
        if not keys:
            return await send(x, route, call)
        name, fingerprint = _name(x, route, caller, _key(keys)), _fingerprint(x, call)
        token = _HELD + self._entropy(TOKEN_BYTES)
        hold_s = route.total_timeout_s + _MORE_S
        held = _encode(_Record(fingerprint))
        store = self._store
        try:
            record = await store.begin(name, token, held, hold_s)
        except RedisConnectionError as away:
            if self._on_failure == "deny":
                message = "The idempotency key cannot be checked at present. Try again shortly."
                raise GatewayError(
                    LIMITER_UNAVAILABLE, developer_message=message, retry_after_s=1, cause=str(away)
                ) from None
            if self._on_failure == "allow":
                self._count(route.id, "unprotected")
                return await send(x, route, call)
            store = self._memory
            record = await store.begin(name, token, held, hold_s)
        if record is not None:
            return self._again(x, route, record, fingerprint)
        self._count(route.id, "first")
        x.idempotency = "first"
        hold = _HeldKey(store, name, token, fingerprint, rules.ttl_s)
        return await self._unless_left(x, self._first(x, route, call, send, hold))

    async def _unless_left(self, x: Exchange, first: Coroutine[Any, Any, Reply]) -> Reply:
        """Wait for the first call. It goes on when its client leaves, who may ask again for the reply."""
        task = asyncio.get_running_loop().create_task(first, name="first call with an idempotency key")
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(partial(self._finish, x))
            raise

    def _finish(self, x: Exchange, task: "asyncio.Task[Reply]") -> None:
        """End a call whose client has left."""
        if not task.cancelled() and task.exception() is None and (stream := task.result().stream) is not None:
            stream.close()
        self._unattended(x)

    @staticmethod
    async def _first(x: Exchange, route: Route, call: Call, send: SendCall, hold: "_HeldKey") -> Reply:
        """SendCall the call, and keep its reply."""
        try:
            reply = await send(x, route, call)
        except GatewayError as error:
            if not error.fault.reached_service:
                await _unless_away(hold.store.free(hold.name, hold.token))
            raise
        if reply.status in _TRY_AGAIN:
            await _unless_away(hold.store.free(hold.name, hold.token))
        else:
            record = _encode(_record(reply, x.request_id, hold.fingerprint))
            await _unless_away(hold.store.finish(hold.name, hold.token, record, hold.ttl_s))
        return reply

    def _again(self, x: Exchange, route: Route, found: bytes, fingerprint: bytes) -> Reply:
        """Return the reply to the first call with the key. Raises GatewayError when there is none for this one."""
        held = found.startswith(_HELD)
        record = _decode(found[len(_HELD) + TOKEN_BYTES :] if held else found)
        if record.fingerprint != fingerprint:
            raise GatewayError(IDEMPOTENCY_MISMATCH)
        if held:
            raise GatewayError(IDEMPOTENCY_CONFLICT)
        if not record.kept:
            raise GatewayError(IDEMPOTENCY_REPLY_NOT_KEPT)
        self._count(route.id, "replayed")
        x.idempotency = "replayed"
        reply = Reply(record.status, [*record.fields, _REPLAYED], b"", record.code, "upstream")
        reply.body = record.head + (x.request_id.encode() if record.named else b"") + record.content
        return reply


def _key(values: list[str]) -> str:
    """Return the key, without the quotes of a structured string. Raises GatewayError IDEMPOTENCY_KEY_INVALID."""
    key = values[0].strip()
    if len(key) > 1 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if len(values) > 1 or not 0 < len(key) <= _LONGEST_KEY:
        raise GatewayError(IDEMPOTENCY_KEY_INVALID)
    return key


def _name(x: Exchange, route: Route, caller: Caller, key: str) -> str:
    """Return the name of the record: a hash of who has sent the key, and where to."""
    credentials = x.headers.getall("Authorization", [])
    who = [caller.id, caller.bucket, caller.organization or "", x.certificate_subject]
    return _hash([route.id, *who, str(len(credentials)), *credentials, key]).hex()[:40]


def _fingerprint(x: Exchange, call: Call) -> bytes:
    """Return a hash of what the call asks for. Of a body that is passed on while it comes its length counts."""
    length = len(call.body) if isinstance(call.body, bytes) else call.body.length
    about = [x.method, x.host.lower(), x.path, x.query, x.headers.get("Content-Type") or "", str(length)]
    body = call.body if isinstance(call.body, bytes) else b""
    return sha256(_hash(about) + body).digest()


def _hash(texts: list[str]) -> bytes:
    joined = "".join([f"{len(text)}:{text}" for text in texts])
    return sha256(joined.encode("utf-8", "surrogateescape")).digest()


def _record(reply: Reply, request_id: str, fingerprint: bytes) -> _Record:
    size = len(reply.body) + len(reply.content) + len(reply.tail)
    if reply.stream is not None or size > LARGEST_REPLY_BYTES:
        return _Record(fingerprint, reply.status, kept=False)
    head, content, named = parts_of(reply, request_id)
    fields = [line for line in reply.fields if line[0].lower() not in _NEW_FOR_EACH]
    return _Record(fingerprint, reply.status, reply.code, fields, head, content, named)


async def _unless_away(work: Awaitable[Any]) -> None:
    """Wait for `work`. While the store is away the key stays held, and is free after a time."""
    try:
        await work
    except RedisConnectionError:
        return

"""Reads API keys in Redis for gateways, over the limiter's connection. No failure here makes Redis count as away."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple, cast

import msgspec

from gateway.keystore.records import EVERYTHING, TAG, KeyNames
from gateway.redis_client.address import RedisConnectionError
from gateway.redis_client.client import RedisCall
from gateway.redis_client.connection import pack, sha_of

_PCALL = files("gateway.keystore").joinpath("pcall.lua").read_bytes()
_PCALL_SHA = sha_of(_PCALL)
_FIND = files("gateway.keystore").joinpath("find_keys.lua").read_bytes()
FIND_SHA = sha_of(_FIND)
SCRIPTS = (_PCALL, _FIND)
"""The scripts that a KeyReader needs."""


class RefusedCommandError(RedisConnectionError):
    """Redis answers, and refuses the command: the user lacks the right, or the key has another type."""


class _Named(msgspec.Struct):
    """The part of a StoredKey that gateways need."""

    key: msgspec.Raw


class Changes(NamedTuple):
    """Changes of keys.

    `newest` is the name of the latest one, `proofs` are those of the changed keys; None: perhaps all.
    """

    newest: bytes
    proofs: frozenset[str] | None


class KeyReader:
    """Finds keys by proofs. `call` is that of a RedisStore with SCRIPTS. All methods raise RedisConnectionError."""

    def __init__(self, call: RedisCall, key_prefix: str) -> None:
        self._call = call
        self._names = KeyNames.of(key_prefix)

    async def find(self, proofs: Sequence[str]) -> list[bytes | None]:
        """Return the key of each proof, an entry of `keys` as JSON; None where there is none."""
        return cast(
            "list[bytes | None]",
            await self._result(FIND_SHA, self._names.proofs, *[proof.encode() for proof in proofs]),
        )

    async def named(self, key_id: str) -> bytes | None:
        """Find a key by its id. Raises msgspec.DecodeError for what no KeyRegistry has written."""
        content = await self.content(key_id)
        return None if content is None else bytes(msgspec.json.decode(content, type=_Named).key)

    async def content(self, key_id: str) -> bytes | None:
        """Return a StoredKey as JSON, None when there is none."""
        return cast("bytes | None", await self._do(b"HGET", self._names.ids, key_id.encode()))

    async def used(self, key_id: str) -> float | None:
        """Return when a key was last used, in seconds of Unix time; None if it never was."""
        at: bytes | None = await self._do(b"HGET", self._names.used, key_id.encode())
        return None if at is None else float(at)

    async def changes(self, known: bytes) -> Changes | None:
        """Return the changes after the one of the name `known`; None when there is none."""
        latest: bytes | None = await self._do(b"LINDEX", self._names.changes, b"0")
        if _name(latest) == known:
            return None
        entries: list[bytes] = await self._do(b"LRANGE", self._names.changes, b"0", b"-1")
        newest = _name(entries[0]) if entries else b""
        proofs: set[str] = set()
        for entry in entries:
            name, *about = entry.split()
            if name == known:
                return Changes(newest, frozenset(proofs))
            if EVERYTHING in about:
                break
            proofs.update(each.decode() for each in about)
        return Changes(newest, None)

    async def entries(self, stream: str, after: bytes, most: int) -> list[tuple[bytes, list[bytes]]]:
        """Return the names and the fields of entries of a stream after one of them, the oldest first."""
        found: list[tuple[bytes, list[bytes]]] = await self._do(
            b"XRANGE", stream, b"(" + after, b"+", b"COUNT", b"%d" % most
        )
        return found

    async def note_used(self, times: Mapping[str, float]) -> None:
        """Write when keys were used, by id, in seconds of Unix time: at most a few hundred in one call."""
        await self._do(
            b"HSET", self._names.used, *(part for key_id, at in times.items() for part in (key_id.encode(), b"%d" % at))
        )

    async def _do(self, command: bytes, key: str, *arguments: bytes) -> Any:
        return await self._result(_PCALL_SHA, key, command, *arguments)

    async def _result(self, script: bytes, key: str, *arguments: bytes) -> Any:
        reply = await self._call(pack(b"EVALSHA", script, b"1", key.encode(), *arguments), TAG)
        if not isinstance(reply, list):
            raise RedisConnectionError(str(reply))  # a new one: replies are shared, and would gather tracebacks
        done, result = reply
        if not done:
            raise RefusedCommandError(cast("bytes", result).decode(errors="replace"))
        return result


def _name(change: bytes | None) -> bytes:
    return b"" if change is None else change.partition(b" ")[0]
